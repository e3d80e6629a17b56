//! A catalogue, and somebody who searches in it and uses what is found.

use std::sync::Arc;

use gateway_core::{Feedback as _, Index, Match, Query, RawJson, Router, ServerTools, ToolRef, ToolUse};
use router_keyword::KeywordRouter;
use router_learned::{LearnedRouter, Memory, MemoryConfig};

/// The tools, in one server. Two of them fit most requests about reports equally well.
pub const TOOLS: [(&str, &str); 5] = [
    ("export_report", "Writes a report of the sales."),
    ("render_report", "Draws a report of the sales."),
    ("archive_report", "Puts away a report of the sales."),
    ("send_mail", "Sends a mail."),
    ("hidden_report", "Writes a report of the sales, secretly."),
];

/// The place of a tool.
pub fn tool(name: &str) -> ToolRef {
    let place = TOOLS.iter().position(|(tool, _)| *tool == name).expect("is one of them");
    ToolRef { server: 0, tool: place as u32 }
}

/// A router that has learned nothing, with its memory.
pub fn fresh() -> (LearnedRouter, Arc<Memory>) {
    around(Memory::new(MemoryConfig::default()))
}

/// A router round the keyword router.
pub fn around(memory: Memory) -> (LearnedRouter, Arc<Memory>) {
    let memory = Arc::new(memory);
    (LearnedRouter::new(Arc::new(KeywordRouter::default()), Arc::clone(&memory)), memory)
}

/// The index over the tools.
pub async fn index(router: &dyn Router) -> Arc<dyn Index> {
    let declare = |(name, description): &(&str, &str)| {
        let tool = serde_json::json!({"name": name, "description": description, "inputSchema": {}});
        RawJson::from_value(&tool).expect("is JSON")
    };
    let server = Arc::new(ServerTools::new("office", "", TOOLS.iter().map(declare).collect()));
    router.index(&[server]).await.expect("prepares")
}

/// What is found, without the hidden tool.
pub async fn search(index: &dyn Index, text: &str, limit: usize) -> Vec<Match> {
    let visible = |found| found != tool("hidden_report");
    let query = Query { text, limit, min_score: 0.0, visible: &visible };
    index.rank(&query).await.expect("ranks").matches
}

/// The same by name.
pub async fn names(index: &dyn Index, text: &str) -> Vec<&'static str> {
    search(index, text, 10).await.iter().map(|found| TOOLS[found.tool.tool as usize].0).collect()
}

/// Searches and uses a tool that is found, and tells of it as the engine does.
pub async fn use_after(index: &dyn Index, memory: &Memory, principal: &str, query: &str, name: &str) {
    let found = search(index, query, 10).await;
    let place = found.iter().position(|found| found.tool == tool(name)).expect("is found");
    let others = found.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, found)| found.score);
    let rival = others.reduce(f32::max);
    memory.used(&ToolUse { principal, query, server: "office", tool: name, score: found[place].score, rival });
}
