//! A small catalogue, the routers over it, and how they are asked.

use std::sync::Arc;

use gateway_core::{Index, Match, Query, RawJson, Router, ServerTools};
use router_embedding::EmbeddingRouter;
use router_hybrid::{HybridRouter, Part};
use router_keyword::{KeywordConfig, KeywordRouter};
use serde_json::json;

/// Servers of an office.
pub fn servers() -> Vec<Arc<ServerTools>> {
    vec![
        server(
            "calendar",
            &[
                ("create_event", "Creates an event, with guests"),
                ("delete_event", "Deletes an event from the calendar"),
                ("list_events", "Lists the events of a day"),
            ],
        ),
        server(
            "files",
            &[
                ("read_file", "Reads the contents of a file"),
                ("remove_directory", "Removes a directory and everything in it"),
            ],
        ),
        server("weather", &[("get_forecast", "Weather forecast for a place in the next days")]),
        server("money", &[("convert_currency", "Converts an amount from one currency to another")]),
        server("health", &[("bookPhysician", "Books an appointment with a physician")]),
        server("github", &[("create_issue", "Opens a ticket in a repository"), ("search_code", "Searches code")]),
    ]
}

/// A server of tools, each with a name and a description.
pub fn server(name: &str, tools: &[(&str, &str)]) -> Arc<ServerTools> {
    let declared = tools.iter().map(|(name, description)| {
        let tool = json!({ "name": name, "description": description, "inputSchema": { "type": "object" } });
        RawJson::from_value(&tool).expect("it has string keys only")
    });
    Arc::new(ServerTools::new(name, "", declared.collect()))
}

/// The part that compares words.
pub fn words() -> Part {
    Part::by_words(Arc::new(KeywordRouter::new(KeywordConfig { floor: 0.0, ..KeywordConfig::default() })))
}

/// The part that compares meanings.
pub fn meaning() -> Part {
    Part::by_meaning(Arc::new(EmbeddingRouter::default().with_floor(0.0)))
}

/// Words and meaning.
pub fn hybrid() -> HybridRouter {
    HybridRouter::new(vec![words(), meaning()])
}

pub async fn index(servers: &[Arc<ServerTools>]) -> Arc<dyn Index> {
    hybrid().index(servers).await.expect("it needs no service")
}

/// A query for ten tools, of which none is hidden.
pub fn query(text: &str) -> Query<'_> {
    Query { text, limit: 10, min_score: 0.0, visible: &|_| true }
}

pub async fn rank(index: &dyn Index, text: &str) -> Vec<Match> {
    index.rank(&query(text)).await.expect("it needs no service").matches
}

/// The found tools' names, each with its server's: `calendar/delete_event`.
pub fn names(servers: &[Arc<ServerTools>], found: &[Match]) -> Vec<String> {
    let name = |found: &Match| {
        let server = &servers[found.tool.server as usize];
        format!("{}/{}", server.server(), server.tools()[found.tool.tool as usize].name())
    };
    found.iter().map(name).collect()
}
