//! `GET /usage`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::response::Response;
use gateway_core::{
    ErrorKind, Latency, QueryCount, SearchLed, UsageCounts, UsageGroup, UsagePoint, UsageQuery, UsageReport, UsageRow,
};
use http::Uri;
use http_server::Caller;

use crate::answer;
use crate::door::Door;
use crate::openapi::Refusals;
use crate::problem::Problem;
use crate::time::rfc3339;
use crate::wire::{
    LatencyBody, LedTo, SearchUsageBody, UnmatchedQuery, UsageAnswer, UsageCountsBody, UsageGroupWord, UsagePointBody,
    UsageRowBody,
};

const DEFAULT_WINDOW: Duration = Duration::from_secs(60 * 60);
const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 1000;

/// The groups by their words.
const GROUPS: [(&str, UsageGroup); 5] = [
    ("tool", UsageGroup::Tool),
    ("server", UsageGroup::Server),
    ("session", UsageGroup::Session),
    ("caller", UsageGroup::Caller),
    ("door", UsageGroup::Door),
];

/// What was used: tools, failures, latencies, searches.
#[utoipa::path(
    get,
    path = "/usage",
    operation_id = "usage",
    tag = "usage",
    params(
        ("window" = Option<String>, Query, description = "how far back: `15m`, `24h`, `7d`, or a number of seconds; an hour when absent"),
        ("group" = Option<UsageGroupWord>, Query, description = "what the rows of `groups` are; tools when absent"),
        ("limit" = Option<u64>, Query, description = "most rows of each list, 1 to 1000; 20 when absent"),
        ("X-Session-ID" = Option<String>, Header, description = "the session whose tools may be unused; the default one when absent"),
    ),
    responses((status = 200, description = "what was used", body = UsageAnswer<'static>), Refusals),
)]
pub(crate) async fn usage(State(door): State<Door>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let context = caller.admit(&door.gateway).await?;
    let Some(usage) = door.usage() else {
        return Err(Problem::of_kind(ErrorKind::NotFound, "this gateway does not count what is used"));
    };
    let query = read_query(request.uri())?;
    let report = usage.report(&query, &door.gateway.tools(&context)).await?;
    answer::json(&answer_of(&query, &report))
}

fn read_query(uri: &Uri) -> Result<UsageQuery, Problem> {
    let unreadable =
        |_| Problem::invalid("the query of the URL cannot be read; write it as ?window=1h&group=tool&limit=20");
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(unreadable)?;
    let mut given = HashMap::new();
    for (name, value) in &pairs {
        if given.insert(name.as_str(), value.as_str()).is_some()
            && ["window", "group", "limit"].contains(&name.as_str())
        {
            return Err(Problem::invalid(format!("{name} is given twice; give it once")));
        }
    }
    Ok(UsageQuery {
        window: given.get("window").map_or(Ok(DEFAULT_WINDOW), |text| read_window(text))?,
        group: given.get("group").map_or(Ok(UsageGroup::default()), |text| read_group(text))?,
        limit: given.get("limit").map_or(Ok(DEFAULT_LIMIT), |text| read_limit(text))?,
    })
}

/// A duration in humantime's words, or a number of seconds.
fn read_window(text: &str) -> Result<Duration, Problem> {
    let seconds = text.parse().ok().map(Duration::from_secs);
    let window = seconds.or_else(|| humantime::parse_duration(text).ok()).filter(|window| window.as_secs() > 0);
    window.ok_or_else(|| {
        let shown = excerpt(text);
        Problem::invalid(format!(
            "window is \"{shown}\"; write a duration such as 15m, 24h or 7d, or a number of seconds"
        ))
    })
}

fn read_group(text: &str) -> Result<UsageGroup, Problem> {
    let found = GROUPS.iter().find(|(word, _)| *word == text);
    found.map(|(_, group)| *group).ok_or_else(|| {
        let (shown, words) = (excerpt(text), GROUPS.map(|(word, _)| word).join(", "));
        Problem::invalid(format!("group is \"{shown}\"; it must be one of {words}"))
    })
}

fn read_limit(text: &str) -> Result<usize, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| {
        Problem::invalid(format!("limit is \"{}\"; it must be a number in 1..={MAX_LIMIT}", excerpt(text)))
    })
}

/// As much of a wrong value as helps to find it.
fn excerpt(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(50) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

fn answer_of<'a>(query: &UsageQuery, report: &'a UsageReport) -> UsageAnswer<'a> {
    let rows = |rows: &'a [UsageRow]| {
        rows.iter().map(|row| UsageRowBody { key: &row.key, counts: counts(&row.counts) }).collect::<Vec<_>>()
    };
    let point = |point: &UsagePoint| UsagePointBody {
        at: rfc3339(point.at),
        searches: point.searches,
        counts: counts(&point.counts),
    };
    let unmatched = |found: &'a QueryCount| UnmatchedQuery { query: &found.query, count: found.count };
    let led = |led: &'a SearchLed| LedTo { query: &led.query, tool: &led.tool, count: led.count };
    let searches = &report.searches;
    UsageAnswer {
        from: rfc3339(report.from),
        until: rfc3339(report.until),
        window_seconds: query.window.as_secs(),
        group: GROUPS.iter().find(|(_, group)| *group == query.group).map_or("tool", |(word, _)| word),
        total: counts(&report.total),
        series: report.series.iter().map(point).collect(),
        groups: rows(&report.groups),
        failing: rows(&report.failing),
        slow: rows(&report.slow),
        unused: &report.unused,
        unused_total: report.unused_total,
        searches: SearchUsageBody {
            total: searches.total,
            without_match: searches.without_match,
            unmatched_queries: searches.unmatched_queries.iter().map(unmatched).collect(),
            led_to: searches.led_to.iter().map(led).collect(),
            latency: latency(&searches.latency),
        },
    }
}

fn counts(counts: &UsageCounts) -> UsageCountsBody {
    let errors_by_kind = counts.errors_by_kind.iter().map(|(kind, times)| (kind.as_str(), *times)).collect();
    let UsageCounts { calls, errors, tool_errors, cancelled, request_bytes, response_bytes, tokens, .. } = *counts;
    let latency = latency(&counts.latency);
    UsageCountsBody {
        calls,
        errors,
        errors_by_kind,
        tool_errors,
        cancelled,
        request_bytes,
        response_bytes,
        tokens,
        latency,
    }
}

fn latency(latency: &Latency) -> LatencyBody {
    let Latency { p50_ms, p90_ms, p95_ms, p99_ms, max_ms, mean_ms } = *latency;
    // Microseconds are as fine as they are measured.
    let mean_ms = (mean_ms * 1000.0).round() / 1000.0;
    LatencyBody { p50_ms, p90_ms, p95_ms, p99_ms, max_ms, mean_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<UsageQuery, String> {
        let uri = format!("/usage{query}").parse().expect("a URI");
        read_query(&uri).map_err(|problem| String::from_utf8(problem.body("r").to_vec()).expect("UTF-8"))
    }

    #[test]
    fn reads_windows_groups_and_limits() {
        let check = |query: &str, seconds: u64, group: UsageGroup, limit: usize| {
            let expected = UsageQuery { window: Duration::from_secs(seconds), group, limit };
            assert_eq!(read(query), Ok(expected), "{query}");
        };
        check("", 3600, UsageGroup::Tool, 20);
        check("?", 3600, UsageGroup::Tool, 20);
        check("?window=15m&group=session&limit=1", 900, UsageGroup::Session, 1);
        check("?limit=1000&group=door&window=7d&more=1", 7 * 86_400, UsageGroup::Door, 1000);
        check("?window=90", 90, UsageGroup::Tool, 20);
        check("?window=1h%2030m", 5400, UsageGroup::Tool, 20);
        check("?window=1h+30m&group=caller", 5400, UsageGroup::Caller, 20);
        check("?window=24h&group=server&window2=5", 86_400, UsageGroup::Server, 20);
    }

    #[test]
    fn a_wrong_value_is_named_with_its_field_and_what_helps() {
        let long = "x".repeat(10_000);
        for (query, field, value, remedy) in [
            ("?window=soon", "window", "soon", "15m"),
            ("?window=", "window", "", "15m"),
            ("?window=0", "window", "0", "15m"),
            ("?window=0s", "window", "0s", "15m"),
            ("?window=10ms", "window", "10ms", "15m"),
            ("?window=-1h", "window", "-1h", "15m"),
            ("?window=1e9", "window", "1e9", "15m"),
            ("?window=99999999999999999999y", "window", "99999999999999999999y", "15m"),
            ("?group=tools", "group", "tools", "tool, server, session, caller, door"),
            ("?group=Tool", "group", "Tool", "tool, server"),
            ("?limit=0", "limit", "0", "1..=1000"),
            ("?limit=1001", "limit", "1001", "1..=1000"),
            ("?limit=all", "limit", "all", "1..=1000"),
            ("?limit=1&limit=2", "limit", "", "once"),
            (&format!("?group={long}"), "group", "xxx", "one of"),
        ] {
            let message = read(query).expect_err(query);
            assert!(message.contains(field) && message.contains(value) && message.contains(remedy), "{message}");
            assert!(message.len() < 300, "{message}");
        }
    }
}
