//! Searches and what they find.

use gateway_core::{Error, ErrorKind, FoundTool, RawJson, Result, SearchRequest};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const DEFAULT_LIMIT: u64 = 5;
const MAX_LIMIT: u64 = 50;

/// A search for tools, as it is asked for.
#[derive(Debug, Deserialize)]
pub struct SearchBody {
    query: Option<String>,
    limit: Option<u64>,
    servers: Option<Vec<String>>,
    min_score: Option<f64>,
}

impl SearchBody {
    /// What the engine is asked.
    ///
    /// # Errors
    /// `InvalidRequest` for a field that is missing or out of range.
    pub fn request(self) -> Result<SearchRequest> {
        let Some(query) = self.query.filter(|query| !query.trim().is_empty()) else {
            return Err(invalid("query is missing or empty; say what the tool should do"));
        };
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(invalid(format!("limit must be in 1..={MAX_LIMIT}")));
        }
        let min_score = self.min_score.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&min_score) {
            return Err(invalid("min_score must be in 0..=1"));
        }
        Ok(SearchRequest {
            query,
            limit: usize::try_from(limit).expect("at most 50"),
            servers: self.servers,
            min_score: min_score as f32,
        })
    }
}

/// One tool that a search found, as it is answered.
#[derive(Debug, Serialize)]
pub struct Found<'a> {
    mcp_server: &'a str,
    mcp_server_uuid: Uuid,
    tool_name: &'a str,
    qualified_name: &'a str,
    description: &'a str,
    input_schema: &'a RawJson,
    match_score: f32,
    reasoning: &'a str,
}

/// What a search found, as it is answered: best first.
pub fn found_tools(matches: &[FoundTool]) -> Vec<Found<'_>> {
    matches.iter().map(Found::of).collect()
}

impl<'a> Found<'a> {
    fn of(found: &'a FoundTool) -> Self {
        Self {
            mcp_server: &found.tool.server,
            mcp_server_uuid: found.tool.server_uuid,
            tool_name: found.tool.tool.name(),
            qualified_name: &found.tool.qualified_name,
            description: found.tool.tool.description(),
            input_schema: found.tool.tool.input_schema(),
            match_score: if found.score.is_finite() { found.score.clamp(0.0, 1.0) } else { 0.0 },
            reasoning: &found.reasoning,
        }
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_searches() {
        let check = |body: &str, expected: Option<(usize, f32)>| {
            let read = serde_json::from_str(body).ok().and_then(|body: SearchBody| body.request().ok());
            assert_eq!(read.map(|request| (request.limit, request.min_score)), expected, "{body}");
        };
        check(r#"{"query":"x"}"#, Some((5, 0.0)));
        check(r#"{"query":"x","limit":50,"min_score":1,"servers":["a"],"more":1}"#, Some((50, 1.0)));
        check(r#"{"query":"x","limit":null,"min_score":null,"servers":null}"#, Some((5, 0.0)));
        for bad in [
            "{}",
            r#"{"query":null}"#,
            r#"{"query":""}"#,
            r#"{"query":" \n"}"#,
            r#"{"query":["x"]}"#,
            r#"{"query":"x","limit":0}"#,
            r#"{"query":"x","limit":51}"#,
            r#"{"query":"x","limit":"5"}"#,
            r#"{"query":"x","min_score":1.01}"#,
            r#"{"query":"x","min_score":-1}"#,
            r#"{"query":"x","servers":"a"}"#,
        ] {
            check(bad, None);
        }
    }
}
