//! How the gateway is, at a glance.

use std::time::SystemTime;

use gateway_core::{ServerStatus, UsageGroup, UsageQuery, UsageReport};
use maud::{Markup, html};

use crate::asked::Asked;
use crate::chart::{Chart, Mark, Series};
use crate::failure::Failure;
use crate::format::{count, millis, percent, plural, sentence, short};
use crate::parts::{empty, state};
use crate::queue::{self, Level};
use crate::servers::is_in_order;
use crate::usage;

/// Servers in trouble that are shown, and rows of the busiest tools.
const SHOWN: usize = 8;

/// The view.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Markup, Failure> {
    let choice: usage::Choice = asked.read()?;
    let query = UsageQuery { window: choice.window(), group: UsageGroup::Tool, limit: SHOWN };
    let servers = asked.servers();
    // A report that cannot be had hides nothing of the rest.
    let report = usage::report(asked, &query).await;
    let queue = queue::level(asked).await;
    let counted = report.as_ref().ok().and_then(Option::as_ref);
    Ok(html! {
        (tiles(asked, &servers, counted, queue.as_ref()))
        @match &report {
            Ok(Some(report)) => (charts(report)),
            Ok(None) => section.panel { (usage::off()) },
            Err(failure) => (failure.render()),
        }
        div.columns {
            section.panel { h3 { "Servers that need a look" } (trouble(&servers)) }
            section.panel { h3 { "Queue" } (queue::panel(queue.as_ref())) }
        }
        @if let Some(report) = counted {
            section.panel { h3 { "Busiest tools" } (usage::rows("Tool", &report.groups, "No calls in this time.")) }
        }
    })
}

fn tiles(asked: &Asked<'_>, servers: &[ServerStatus], report: Option<&UsageReport>, queue: Option<&Level>) -> Markup {
    let health = asked.gateway().health();
    let in_order = servers.iter().filter(|server| is_in_order(server)).count();
    let is_well = in_order == servers.len();
    let offering = servers.iter().filter(|server| !server.tools.is_empty()).count();
    html! {
        dl.tiles {
            div.tile.good[is_well].warn[!is_well] {
                dt { "Health" } dd { @if is_well { "Healthy" } @else { "Degraded" } }
                dd.note { (count(health.processes as u64)) " programs started" }
            }
            div.tile { dt { "Servers in order" } dd { (in_order) span.of { "/" (servers.len()) } } dd.note { "in this session" } }
            div.tile { dt { "Tools" } dd { (count(asked.tools().len() as u64)) } dd.note { "of " (plural(offering, "server")) } }
            div.tile { dt { "Sessions" } dd { (count(health.sessions as u64)) } dd.note { "besides the default one" } }
            @if let Some(report) = report { (traffic(report)) }
            @if let Some(queue) = queue { (queue.tile()) }
        }
    }
}

fn traffic(report: &UsageReport) -> Markup {
    let minutes = report.until.duration_since(report.from).unwrap_or_default().as_secs_f64() / 60.0;
    let total = &report.total;
    let failed = total.errors + total.tool_errors;
    html! {
        div.tile { dt { "Calls a minute" } dd { (short(total.calls as f64 / minutes.max(1.0))) } dd.note { (count(total.calls)) " calls" } }
        div.tile.warn[failed > 0] { dt { "Errors" } dd { (percent(failed, total.calls)) } dd.note { (count(failed)) " failed" } }
        div.tile {
            dt { "Latency" }
            @if total.calls == 0 { dd { "–" } dd.note { "no calls" } }
            @else { dd { (millis(total.latency.p50_ms)) } dd.note { "p95 " (millis(total.latency.p95_ms)) } }
        }
    }
}

fn charts(report: &UsageReport) -> Markup {
    let at: Vec<SystemTime> = report.series.iter().map(|point| point.at).collect();
    let values = |value: fn(&gateway_core::UsagePoint) -> f64| report.series.iter().map(value).collect();
    let series = |name, mark, colour, values, sum| Series { name, mark, colour, values, sum };
    let (total, searches) = (&report.total, &report.searches);
    let rate = vec![
        series("calls", Mark::Area, "c1", values(|point| point.counts.calls as f64), count(total.calls)),
        series("searches", Mark::Line, "c2", values(|point| point.searches as f64), count(searches.total)),
    ];
    let latency = vec![
        series("p95", Mark::Area, "c3", values(|point| point.counts.latency.p95_ms), millis(total.latency.p95_ms)),
        series("p50", Mark::Line, "c1", values(|point| point.counts.latency.p50_ms), millis(total.latency.p50_ms)),
    ];
    let errors = vec![
        series("on the way", Mark::Bars, "bad", values(|point| point.counts.errors as f64), count(total.errors)),
        series(
            "by tools",
            Mark::Bars,
            "warn",
            values(|point| point.counts.tool_errors as f64),
            count(total.tool_errors),
        ),
    ];
    html! {
        div.charts {
            (Chart { title: "Rate", id: "chart-rate", at: &at, series: rate, write: short }.draw())
            (Chart { title: "Latency", id: "chart-latency", at: &at, series: latency, write: millis }.draw())
            (Chart { title: "Errors", id: "chart-errors", at: &at, series: errors, write: short }.draw())
        }
    }
}

fn trouble(servers: &[ServerStatus]) -> Markup {
    if servers.is_empty() {
        return empty(
            "No servers yet",
            &html! { "Add one under " a href="#servers" { "Servers" } ", or write a servers file." },
        );
    }
    let troubled: Vec<_> = servers.iter().filter(|server| !is_in_order(server)).collect();
    html! {
        @if troubled.is_empty() { p.muted { "All servers are in order." } }
        ul.plain { @for server in troubled.iter().take(SHOWN) {
            li.trouble {
                span { (state(server.state)) " " b { (server.spec.name()) } }
                @if let Some(error) = &server.last_error { p.muted { (sentence(error)) } }
            }
        } }
        @if troubled.len() > SHOWN { p { a href="#servers" { "and " (troubled.len() - SHOWN) " more" } } }
    }
}
