//! A small catalogue, and how it is asked.

use std::sync::Arc;

use gateway_core::{Index, Match, Query, Ranking, RawJson, Router, ServerTools, ToolRef};
use gateway_testkit::fakes::FakeRouter;
use router_openai::{ChatModel, OpenAiRouter, OpenAiRouterConfig};
use serde_json::json;

/// One server, `files`, whose tools all share the word "file" with a query for one.
pub fn servers() -> Vec<Arc<ServerTools>> {
    servers_of(&[
        ("read_file", "Reads a file from disk"),
        ("write_file", "Writes a file to disk"),
        ("delete_file", "Removes a file"),
        ("move_file", "Renames a file"),
        ("stat_file", "Tells the size of a file"),
    ])
}

pub fn servers_of(tools: &[(&str, &str)]) -> Vec<Arc<ServerTools>> {
    let declare = |(name, description): &(&str, &str)| {
        let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}});
        let tool = json!({"name": name, "description": description, "inputSchema": schema});
        RawJson::from_value(&tool).expect("JSON")
    };
    vec![Arc::new(ServerTools::new("files", "", tools.iter().map(declare).collect()))]
}

pub fn router(model: &Arc<impl ChatModel>, config: OpenAiRouterConfig) -> OpenAiRouter {
    OpenAiRouter::new(Arc::new(FakeRouter), Arc::clone(model) as Arc<dyn ChatModel>, config)
}

pub async fn index(model: &Arc<impl ChatModel>, config: OpenAiRouterConfig) -> Arc<dyn Index> {
    router(model, config).index(&servers()).await.expect("the router beneath needs no service")
}

pub async fn ask(index: &dyn Index, text: &str) -> Ranking {
    ask_with(index, text, 10, 0.0).await
}

pub async fn ask_with(index: &dyn Index, text: &str, limit: usize, min_score: f32) -> Ranking {
    let query = Query { text, limit, min_score, visible: &|_| true };
    index.rank(&query).await.expect("whatever the model does, somebody answers")
}

/// What the router beneath says by itself.
pub async fn beneath(text: &str) -> Vec<Match> {
    let index = FakeRouter.index(&servers()).await.expect("it needs no service");
    ask(&*index, text).await.matches
}

/// Checks that the router beneath answered, and that the ranking says so.
pub async fn assert_beneath_answered(ranking: &Ranking, text: &str) {
    assert_eq!(ranking.answered_by.as_deref(), Some("fake (openai unavailable)"));
    assert_eq!(ranking.matches, beneath(text).await);
}

pub fn tool(tool: u32) -> ToolRef {
    ToolRef { server: 0, tool }
}

pub fn places(ranking: &Ranking) -> Vec<u32> {
    ranking.matches.iter().map(|found| found.tool.tool).collect()
}
