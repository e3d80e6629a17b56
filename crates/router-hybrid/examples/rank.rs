//! Ranks a few tools for a request, without a gateway: prints score, name and reason.
//!
//! ```text
//! cargo run -p router-hybrid --example rank -- cancel my meeting
//! ```

#![expect(clippy::print_stdout, reason = "a table on the terminal is what this program is for")]

use std::error::Error;
use std::sync::Arc;

use gateway_core::{Query, RawJson, Router, ServerTools};
use router_embedding::EmbeddingRouter;
use router_hybrid::{HybridRouter, Part};
use router_keyword::{KeywordConfig, KeywordRouter};

/// Tools as an MCP server declares them.
const TOOLS: &str = r#"[
    {"name": "create_event", "description": "Creates an event with guests", "inputSchema": {}},
    {"name": "delete_event", "description": "Deletes an event", "inputSchema": {}},
    {"name": "send_message", "description": "Sends a message to a channel", "inputSchema": {}},
    {"name": "get_forecast", "description": "Weather forecast for a place", "inputSchema": {}}
]"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let text = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let office = Arc::new(ServerTools::new("office", "", RawJson::parse(TOOLS)?.read::<Vec<RawJson>>()?));
    let words = KeywordRouter::new(KeywordConfig { floor: 0.0, ..KeywordConfig::default() });
    let meaning = EmbeddingRouter::default().with_floor(0.0);
    let router = HybridRouter::new(vec![Part::by_words(Arc::new(words)), Part::by_meaning(Arc::new(meaning))]);
    let index = router.index(&[Arc::clone(&office)]).await?;
    for found in index.rank(&Query { text: &text, limit: 5, min_score: 0.0, visible: &|_| true }).await?.matches {
        let name = office.tools()[found.tool.tool as usize].name();
        println!("{:.2}  {name:<14} {}", found.score, found.reasoning);
    }
    Ok(())
}
