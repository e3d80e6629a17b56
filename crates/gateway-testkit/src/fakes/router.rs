//! A router that counts words.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use gateway_core::{Index, Match, Query, Ranking, Result, Router, ServerTools, ToolRef};

/// Words that say nothing about a tool.
const EMPTY_WORDS: [&str; 12] = ["a", "an", "the", "in", "of", "to", "is", "it", "from", "for", "what", "and"];

/// A router that counts the query's words among a tool's: simple to foresee, and correct.
#[derive(Clone, Copy, Debug, Default)]
pub struct FakeRouter;

#[derive(Debug)]
struct FakeIndex {
    tools: Vec<(ToolRef, HashSet<String>)>,
}

#[async_trait]
impl Router for FakeRouter {
    fn name(&self) -> &str {
        "fake"
    }

    async fn index(&self, servers: &[Arc<ServerTools>]) -> Result<Arc<dyn Index>> {
        let mut tools = Vec::new();
        for (server, declared) in (0..).zip(servers) {
            for (tool, declaration) in (0..).zip(declared.tools()) {
                let text = format!("{} {}", declaration.name(), declaration.description());
                tools.push((ToolRef { server, tool }, words(&text)));
            }
        }
        Ok(Arc::new(FakeIndex { tools }))
    }
}

#[async_trait]
impl Index for FakeIndex {
    async fn rank(&self, query: &Query<'_>) -> Result<Ranking> {
        let wanted = words(query.text);
        let mut matches: Vec<Match> = self
            .tools
            .iter()
            .filter(|(place, _)| (query.visible)(*place))
            .filter_map(|(place, have)| {
                let mut shared: Vec<_> = wanted.intersection(have).map(String::as_str).collect();
                shared.sort_unstable();
                let score = shared.len() as f32 / wanted.len() as f32;
                let reasoning = format!("shares {}", shared.join(", ")).into();
                (!shared.is_empty()).then_some(Match { tool: *place, score, reasoning })
            })
            .filter(|found| found.score >= query.min_score)
            .collect();
        matches.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.tool.cmp(&b.tool)));
        matches.truncate(query.limit);
        Ok(matches.into())
    }
}

fn words(text: &str) -> HashSet<String> {
    text.split(|character: char| !character.is_alphanumeric())
        .map(str::to_lowercase)
        .filter(|word| !word.is_empty() && !EMPTY_WORDS.contains(&word.as_str()))
        .collect()
}
