//! The tools that there are.

use std::collections::BTreeSet;

use gateway_core::{Annotations, ToolEntry};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use crate::asked::Asked;
use crate::failure::Failure;
use crate::format::{count, cut};
use crate::parts::{Pages, Tone, badge, empty};

/// Tools on one page, however many there are.
const PAGE: usize = 50;

/// Longest description in a list, in bytes.
pub(crate) const DESCRIPTION: usize = 400;

#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    filter: String,
    #[serde(default)]
    server: String,
    #[serde(default)]
    page: usize,
}

/// The list.
pub(crate) fn list(asked: &Asked<'_>) -> Result<Markup, Failure> {
    let Wanted { filter, server, page } = asked.read()?;
    let tools = asked.tools();
    let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
    let server = server.trim();
    let is_shown = |tool: &&ToolEntry| (server.is_empty() || &*tool.server == server) && matches(tool, &words);
    let shown: Vec<&ToolEntry> = tools.iter().filter(is_shown).collect();
    let servers: BTreeSet<&str> = tools.iter().map(|tool| &*tool.server).collect();
    let pages = Pages::new(page, PAGE, shown.len());
    Ok(html! {
        datalist id="tool-servers" { @for server in servers { option value=(server) {} } }
        p.muted role="status" { (count(shown.len() as u64)) @if shown.len() != tools.len() { " of " (count(tools.len() as u64)) } " tools" }
        @if tools.is_empty() {
            (empty("No tools yet", &html! { "Tools appear when a server is connected. See " a href="#servers" { "Servers" } "." }))
        } @else if shown.is_empty() {
            (empty("No tool matches", &html! { "Try other words, or search by meaning above." }))
        }
        ul.rows { @for tool in pages.of(&shown) { li.row { (summary(tool)) (run_button(tool)) } } }
        (pages.bar())
    })
}

fn matches(entry: &ToolEntry, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let tool = &entry.tool;
    let text = format!("{} {} {}", entry.qualified_name, tool.title().unwrap_or_default(), tool.description());
    let text = format!("{text} {} {}", entry.server, tool.name()).to_lowercase();
    words.iter().all(|word| text.contains(word))
}

/// A tool in a list.
pub(crate) fn summary(entry: &ToolEntry) -> Markup {
    let tool = &entry.tool;
    html! {
        div.what {
            h4 { span.key { (tool.name()) } @if let Some(title) = tool.title() { " " span.title { (title) } } }
            p.meta { span.server { (entry.server) } (hints(tool.annotations())) }
            @if !tool.description().is_empty() { p.description { (cut(tool.description(), DESCRIPTION)) } }
        }
    }
}

/// The button that opens a tool's form.
pub(crate) fn run_button(entry: &ToolEntry) -> Markup {
    let body = json!({ "tool": entry.qualified_name }).to_string();
    html! {
        button type="button" data-open="tools/form" data-body=(body) aria-label=(format!("Run {}", entry.qualified_name)) { "Run" }
    }
}

/// What the server says of a tool's behaviour.
pub(crate) fn hints(annotations: Annotations) -> Markup {
    let is = |hint: Option<bool>| hint == Some(true);
    html! {
        @if is(annotations.read_only_hint) { (badge(Tone::Quiet, "read-only")) }
        @if is_destructive(annotations) { (badge(Tone::Bad, "destructive")) }
        @if is(annotations.idempotent_hint) && !is(annotations.read_only_hint) { (badge(Tone::Quiet, "idempotent")) }
        @if is(annotations.open_world_hint) { (badge(Tone::Quiet, "open world")) }
    }
}

/// Whether the server warns that a call may destroy something. Without a word from it nobody is warned: most tools say
/// nothing, and a warning that is always there is none.
pub(crate) fn is_destructive(annotations: Annotations) -> bool {
    annotations.destructive_hint == Some(true) && annotations.read_only_hint != Some(true)
}
