//! What is used: the panel, and what the overview takes from the same report.

use std::time::Duration;

use gateway_core::{SearchUsage, UsageGroup, UsageQuery, UsageReport, UsageRow};
use maud::{Markup, html};
use serde::Deserialize;

use crate::asked::Asked;
use crate::failure::Failure;
use crate::format::{bytes, count, millis, percent, span};
use crate::parts::empty;

/// The windows that the page offers, in seconds.
pub(crate) const WINDOWS: [(u64, &str); 5] =
    [(900, "15 minutes"), (3_600, "1 hour"), (21_600, "6 hours"), (86_400, "24 hours"), (604_800, "7 days")];

/// The groups that the page offers.
pub(crate) const GROUPS: [(&str, UsageGroup, &str); 5] = [
    ("tool", UsageGroup::Tool, "Tool"),
    ("server", UsageGroup::Server, "Server"),
    ("session", UsageGroup::Session, "Session"),
    ("caller", UsageGroup::Caller, "Caller"),
    ("door", UsageGroup::Door, "Door"),
];

/// Rows of each list.
const ROWS: usize = 20;

/// What the forms with a window send. Forms send text.
#[derive(Debug, Deserialize)]
pub(crate) struct Choice {
    #[serde(default)]
    window: String,
    #[serde(default)]
    group: String,
}

impl Choice {
    /// The window; an hour where the page sends none that it offers.
    pub(crate) fn window(&self) -> Duration {
        let wanted = WINDOWS.iter().find(|(seconds, _)| self.window == seconds.to_string());
        Duration::from_secs(wanted.map_or(3_600, |(seconds, _)| *seconds))
    }

    fn group(&self) -> (UsageGroup, &'static str) {
        let wanted = GROUPS.iter().find(|(word, ..)| *word == self.group);
        wanted.map_or((UsageGroup::Tool, "Tool"), |(_, group, title)| (*group, title))
    }
}

/// A report, where somebody counts.
pub(crate) async fn report(asked: &Asked<'_>, query: &UsageQuery) -> Result<Option<UsageReport>, Failure> {
    let Some(usage) = &asked.behind.usage else { return Ok(None) };
    Ok(Some(usage.report(query, &asked.tools()).await?))
}

/// How to have somebody who counts.
pub(crate) fn off() -> Markup {
    empty(
        "Usage is not counted",
        &html! { "Set " code { "usage.enabled = true" } " in the configuration to see calls, latency and errors here." },
    )
}

/// The panel.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Markup, Failure> {
    let choice: Choice = asked.read()?;
    let (group, title) = choice.group();
    let query = UsageQuery { window: choice.window(), group, limit: ROWS };
    let Some(report) = report(asked, &query).await? else { return Ok(off()) };
    Ok(html! {
        (totals(&report))
        section.panel { h3 { "By " (title.to_lowercase()) } (rows(title, &report.groups, "No calls in this time.")) }
        div.columns {
            section.panel { h3 { "Failing tools" } (rows("Tool", &report.failing, "No tool has failed in this time.")) }
            section.panel { h3 { "Slow tools" } (rows("Tool", &report.slow, "No calls in this time.")) }
        }
        div.columns { (searches(&report.searches)) (unused(&report)) }
    })
}

fn totals(report: &UsageReport) -> Markup {
    let total = &report.total;
    let failed = total.errors + total.tool_errors;
    let tiles = [
        ("Calls", count(total.calls), format!("{} cancelled", count(total.cancelled))),
        (
            "Errors",
            percent(failed, total.calls),
            format!("{} on the way, {} by tools", count(total.errors), count(total.tool_errors)),
        ),
        (
            "Median",
            millis(total.latency.p50_ms),
            format!("p95 {}, p99 {}", millis(total.latency.p95_ms), millis(total.latency.p99_ms)),
        ),
        ("Moved", bytes(total.request_bytes + total.response_bytes), format!("about {} tokens", count(total.tokens))),
        ("Searches", count(report.searches.total), format!("{} without a match", count(report.searches.without_match))),
    ];
    html! { dl.tiles.five { @for (name, value, note) in tiles { div.tile { dt { (name) } dd { (value) } dd.note { (note) } } } } }
}

/// A table of groups.
pub(crate) fn rows(title: &str, rows: &[UsageRow], nothing: &str) -> Markup {
    if rows.is_empty() {
        return html! { p.muted { (nothing) } };
    }
    let most = rows.iter().map(|row| row.counts.calls).max().unwrap_or(1).max(1);
    html! {
        div.scroll tabindex="0" { table {
            thead { tr {
                th scope="col" { (title) } th.number scope="col" { "Calls" } th.number scope="col" { "Errors" }
                th.number scope="col" { "p50" } th.number scope="col" { "p95" }
            } }
            tbody { @for row in rows {
                @let failed = row.counts.errors + row.counts.tool_errors;
                tr {
                    th scope="row" {
                        span.key { @if row.key.is_empty() { "the default session" } @else { (row.key) } }
                        meter min="0" max=(most) value=(row.counts.calls) aria-hidden="true" {}
                    }
                    td.number { (count(row.counts.calls)) }
                    td.number.bad[failed > 0] { (percent(failed, row.counts.calls)) }
                    td.number { (millis(row.counts.latency.p50_ms)) }
                    td.number { (millis(row.counts.latency.p95_ms)) }
                }
            } }
        } }
    }
}

fn searches(searches: &SearchUsage) -> Markup {
    html! {
        section.panel {
            h3 { "Searches without a match" }
            @if searches.unmatched_queries.is_empty() { p.muted { "Every search has found something." } }
            ol.plain { @for query in &searches.unmatched_queries { li { span.query { (query.query) } span.times { (count(query.count)) "×" } } } }
            h3 { "What searches led to" }
            @if searches.led_to.is_empty() { p.muted { "No tool was run after a search." } }
            ol.plain { @for led in &searches.led_to {
                li { span.query { (led.query) } span.arrow aria-hidden="true" { "→" } span.key { (led.tool) } span.times { (count(led.count)) "×" } }
            } }
        }
    }
}

fn unused(report: &UsageReport) -> Markup {
    let window = report.until.duration_since(report.from).unwrap_or_default();
    html! {
        section.panel {
            h3 { "Unused tools" }
            @if report.unused.is_empty() { p.muted { "Every tool was called in the last " (span(window)) "." } }
            ul.plain { @for tool in &report.unused { li { span.key { (tool) } } } }
            @if report.unused_total > report.unused.len() {
                p.muted { "and " (count((report.unused_total - report.unused.len()) as u64)) " more" }
            }
        }
    }
}
