//! The floor: plain BM25.
//!
//! What any router should beat, and simple enough to be trusted: words in lower case, nothing stemmed or left out, all
//! texts of a tool in one. The formula is that of Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25
//! and Beyond" (2009), with the idf that is never negative; a word counts once, however often the request says it.

use std::sync::Arc;

use async_trait::async_trait;
use gateway_core::{Index, Match, Query, Ranking, Result, Router, ServerTools, Tool, ToolRef};
use rustc_hash::FxHashMap;
use serde_json::Value;

/// How soon further occurrences of a word stop counting.
const K1: f32 = 1.2;
/// How strongly a tool with more words than usual is discounted.
const B: f32 = 0.75;

/// What of a tool is read, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Its name and description, as they are written: `create_issue` is one word. What a search engine makes of a
    /// catalogue where nobody has thought about tools.
    Plain,
    /// Its name, server, description, and the names and descriptions of its parameters; `create_issue` is two words.
    Full,
}

/// Ranks tools by BM25. A score is the part that a tool has of what the best imaginable one would have.
#[derive(Debug)]
pub struct Bm25Router {
    reading: Reading,
}

#[derive(Debug)]
struct Bm25Index {
    reading: Reading,
    tools: Vec<ToolRef>,
    /// For each word the tools that have it, by their places in `tools`, and how much it is worth there.
    words: FxHashMap<String, Vec<(u32, f32)>>,
}

impl Bm25Router {
    /// A router that reads tools like this.
    pub fn new(reading: Reading) -> Self {
        Self { reading }
    }
}

#[async_trait]
impl Router for Bm25Router {
    fn name(&self) -> &str {
        match self.reading {
            Reading::Plain => "bm25",
            Reading::Full => "bm25-full",
        }
    }

    async fn index(&self, servers: &[Arc<ServerTools>]) -> Result<Arc<dyn Index>> {
        let mut tools = Vec::new();
        let mut texts = Vec::new();
        for (server, declared) in (0..).zip(servers) {
            for (tool, declared_tool) in (0..).zip(declared.tools()) {
                tools.push(ToolRef { server, tool });
                texts.push(self.reading.words(&self.reading.text(declared.server(), declared_tool)));
            }
        }
        Ok(Arc::new(Bm25Index::new(self.reading, tools, &texts)))
    }
}

impl Bm25Index {
    fn new(reading: Reading, tools: Vec<ToolRef>, texts: &[Vec<String>]) -> Self {
        let usual = texts.iter().map(Vec::len).sum::<usize>() as f32 / texts.len().max(1) as f32;
        let mut words: FxHashMap<String, Vec<(u32, f32)>> = FxHashMap::default();
        for (place, text) in (0..).zip(texts) {
            for word in text {
                let list = words.entry(word.clone()).or_default();
                match list.last_mut().filter(|(last, _)| *last == place) {
                    Some((_, count)) => *count += 1.0,
                    None => list.push((place, 1.0)),
                }
            }
        }
        for list in words.values_mut() {
            let idf = idf(texts.len(), list.len());
            for (place, count) in list {
                let length = texts[*place as usize].len() as f32 / usual;
                *count = idf * *count * (K1 + 1.0) / (*count + K1 * (1.0 - B + B * length));
            }
        }
        Self { reading, tools, words }
    }

    fn matches(&self, query: &Query<'_>) -> Vec<Match> {
        let mut wanted = self.reading.words(query.text);
        wanted.sort_unstable();
        wanted.dedup();
        let mut sums = vec![0.0_f32; self.tools.len()];
        // What a tool would have that says nothing but the query's words, over and over.
        let mut ideal = 0.0;
        for word in &wanted {
            let list = self.words.get(word).map_or(&[][..], Vec::as_slice);
            ideal += idf(self.tools.len(), list.len()) * (K1 + 1.0);
            for (place, worth) in list {
                sums[*place as usize] += worth;
            }
        }
        // A sum above nothing has an ideal above nothing: a request without words divides by no zero.
        let found = self.tools.iter().zip(sums).filter(|(_, sum)| *sum > 0.0);
        let mut scored: Vec<(ToolRef, f32)> = found
            .map(|(tool, sum)| (*tool, (sum / ideal).min(1.0)))
            .filter(|(tool, score)| *score >= query.min_score && (query.visible)(*tool))
            .collect();
        scored.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        scored.truncate(query.limit);
        let reasoning = || "shares words with the request".into();
        scored.into_iter().map(|(tool, score)| Match { tool, score, reasoning: reasoning() }).collect()
    }
}

#[async_trait]
impl Index for Bm25Index {
    async fn rank(&self, query: &Query<'_>) -> Result<Ranking> {
        Ok(self.matches(query).into())
    }
}

/// How rare a word is that `having` of `all` tools have.
fn idf(all: usize, having: usize) -> f32 {
    let (all, having) = (all as f32, having as f32);
    (1.0 + (all - having + 0.5) / (having + 0.5)).ln()
}

impl Reading {
    fn text(self, server: &str, tool: &Tool) -> String {
        let mut text = format!("{} {}", tool.name(), tool.description());
        if self == Self::Plain {
            return text;
        }
        let mut add = |more: &str| {
            text.push(' ');
            text.push_str(more);
        };
        add(server);
        let schema: Value = tool.input_schema().read().unwrap_or_default();
        for (name, parameter) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            add(name);
            add(parameter.get("description").and_then(Value::as_str).unwrap_or_default());
        }
        text
    }

    fn words(self, text: &str) -> Vec<String> {
        let is_part = |c: char| c.is_alphanumeric() || (c == '_' && self == Self::Plain);
        text.split(|c| !is_part(c)).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(texts: &[&str]) -> Bm25Index {
        let tools = (0..texts.len()).map(|tool| ToolRef { server: 0, tool: tool as u32 }).collect();
        let texts: Vec<_> = texts.iter().map(|text| Reading::Plain.words(text)).collect();
        Bm25Index::new(Reading::Plain, tools, &texts)
    }

    #[test]
    fn worth_is_as_the_formula_says() {
        let index = index(&["send mail mail", "read mail file now now"]);
        // Both have `mail`: idf = ln(1 + 0.5 / 2.5). The usual length is 4.
        let idf_mail = 1.2_f32.ln();
        let first = idf_mail * 2.0 * 2.2 / (2.0 + 1.2 * (0.25 + 0.75 * 3.0 / 4.0));
        let second = idf_mail * 2.2 / (1.0 + 1.2 * (0.25 + 0.75 * 5.0 / 4.0));
        let found = &index.words["mail"];
        assert!((found[0].1 - first).abs() < 1e-6 && (found[1].1 - second).abs() < 1e-6, "{found:?}");
        assert!(index.words["send"][0].1 > first, "a rarer word is worth more");
    }

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        let text = "Get_userById: größe-2, 東京";
        assert_eq!(Reading::Full.words(text), ["get", "userbyid", "größe", "2", "東京"]);
        assert_eq!(Reading::Plain.words(text), ["get_userbyid", "größe", "2", "東京"]);
    }

    #[tokio::test]
    async fn only_the_full_reading_knows_server_and_parameters() {
        let tool = r#"{"name":"put","description":"Stores it","inputSchema":{"properties":{"blob":{"description":"Raw bytes"}}}}"#;
        let tool = gateway_core::RawJson::parse(tool).unwrap();
        let servers = [Arc::new(ServerTools::new("shelf", "", vec![tool]))];
        for (text, plain, full) in [("stores", 1, 1), ("shelf", 0, 1), ("blob", 0, 1), ("bytes", 0, 1), ("sofa", 0, 0)]
        {
            for (reading, expected) in [(Reading::Plain, plain), (Reading::Full, full)] {
                let index = Bm25Router::new(reading).index(&servers).await.unwrap();
                let query = Query { text, limit: 5, min_score: 0.0, visible: &|_| true };
                assert_eq!(index.rank(&query).await.unwrap().matches.len(), expected, "{text} {reading:?}");
            }
        }
    }
}
