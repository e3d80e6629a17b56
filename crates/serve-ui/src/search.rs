//! Searching for tools as agents do.

use gateway_core::{FoundTool, SearchRequest};
use maud::{Markup, html};
use serde::Deserialize;

use crate::asked::Asked;
use crate::failure::Failure;
use crate::format::{short, took};
use crate::parts::empty;
use crate::tools::{run_button, summary};

/// Matches that are shown.
const LIMIT: usize = 10;

/// Finds tools, and says how sure and why.
pub(crate) async fn search(asked: &Asked<'_>) -> Result<Markup, Failure> {
    #[derive(Deserialize)]
    struct Wanted {
        query: String,
    }
    let Wanted { query } = asked.read()?;
    if query.trim().is_empty() {
        return Ok(html! {});
    }
    let request = SearchRequest { query, limit: LIMIT, servers: None, min_score: 0.0 };
    let reply = asked.gateway().search(&asked.context, request).await?;
    Ok(html! {
        p.muted role="status" {
            (reply.matches.len()) " found by the router " b { (reply.router) } " in " b { (took(reply.took)) }
        }
        @if reply.matches.is_empty() {
            (empty("Nothing fits", &html! { "An agent that asks this gets no tool. Say it in other words, or connect a server that can do it." }))
        }
        @else { ol.rows { @for found in &reply.matches { (row(found)) } } }
    })
}

fn row(found: &FoundTool) -> Markup {
    let score = if found.score.is_finite() { f64::from(found.score.clamp(0.0, 1.0)) } else { 0.0 };
    html! {
        li.row.found {
            div.score {
                meter min="0" max="1" value=(format!("{score:.3}")) aria-label="score" {}
                span { (short(score)) }
            }
            div.grow {
                (summary(&found.tool))
                @if !found.reasoning.is_empty() { p.reason { (found.reasoning) } }
            }
            (run_button(&found.tool))
        }
    }
}
