//! A small catalogue, and how it is asked.

use std::sync::Arc;

use gateway_core::{Index, Match, Query, RawJson, Router, ServerTools};
use router_keyword::KeywordRouter;
use serde_json::{Value, json};

/// Servers of an operations team.
pub fn servers() -> Vec<Arc<ServerTools>> {
    vec![
        server(
            "github",
            "GitHub: repositories, issues and pull requests",
            &[
                tool("create_issue", "Opens a ticket in a repository", &[("title", "Heading"), ("labels", "")]),
                tool("listIssues", "Lists issues", &[("repo", "Owner and name")]),
                tool("merge_pull_request", "Merges a pull request", &[("number", "")]),
                tool("search", "Finds code", &[("query", "")]),
            ],
        ),
        server(
            "kubernetes",
            "",
            &[
                tool("pods_list", "Lists the pods of a namespace", &[("namespace", "")]),
                tool("pods_delete", "Deletes a pod", &[("name", ""), ("gracePeriodSeconds", "")]),
                tool("HTTPRouteGet", "Reads a route", &[]),
            ],
        ),
        server(
            "clock",
            "",
            &[
                tool("get_current_time", "The time in a time zone", &[("timezone", "IANA name such as Europe/Prague")]),
                tool("keyVaultStatus", "Whether the vault is sealed", &[]),
            ],
        ),
        server("文件", "", &[tool("读取文件", "读取磁盘上的文件内容", &[("路径", "")])]),
    ]
}

pub fn server(name: &str, about: &str, tools: &[Value]) -> Arc<ServerTools> {
    let declared = tools.iter().map(|tool| RawJson::from_value(tool).expect("JSON")).collect();
    Arc::new(ServerTools::new(name, about, declared))
}

pub fn tool(name: &str, description: &str, parameters: &[(&str, &str)]) -> Value {
    let properties: serde_json::Map<String, Value> =
        parameters.iter().map(|(name, text)| ((*name).to_owned(), json!({ "description": text }))).collect();
    json!({ "name": name, "description": description, "inputSchema": { "type": "object", "properties": properties } })
}

pub async fn index(servers: &[Arc<ServerTools>]) -> Arc<dyn Index> {
    KeywordRouter::default().index(servers).await.expect("it needs no service")
}

pub async fn rank(index: &dyn Index, text: &str) -> Vec<Match> {
    let query = Query { text, limit: 10, min_score: 0.0, visible: &|_| true };
    index.rank(&query).await.expect("it needs no service").matches
}

pub fn name(servers: &[Arc<ServerTools>], found: &Match) -> String {
    servers[found.tool.server as usize].tools()[found.tool.tool as usize].name().to_owned()
}
