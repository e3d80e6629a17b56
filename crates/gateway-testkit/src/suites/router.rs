//! What every router must do.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use gateway_core::{Index, Match, Query, RawJson, Router, ServerTools, ToolRef};

use crate::Suite;
use crate::suite::{Verdict, ensure, ensure_eq, suite};

/// Queries that fit some tool of the set.
const QUERIES: [&str; 6] = [
    "what time is it in Tokyo",
    "add two numbers",
    "create an issue in a repository",
    "read a file from disk",
    "weather forecast for tomorrow",
    "send a message",
];

/// The behaviours of [`Router`] and [`Index`](gateway_core::Index).
pub fn router<F>(make: impl Fn() -> F + Send + Sync + 'static) -> Suite
where
    F: Future<Output = Arc<dyn Router>> + Send + 'static,
{
    suite!(
        "router",
        make,
        [
            it_has_a_name,
            an_empty_set_is_no_error,
            matches_are_tools_of_the_set,
            scores_lie_in_0_to_1_and_never_rise,
            no_more_matches_than_the_limit,
            each_tool_comes_once,
            only_visible_tools_come,
            what_is_hidden_makes_room,
            nothing_below_min_score_comes,
            equal_input_gives_equal_output,
            nothing_relevant_gives_an_empty_list,
            the_tool_that_fits_comes_first,
            places_follow_the_order_of_the_servers,
            an_index_does_not_change_when_another_is_made,
            any_text_is_a_query,
            servers_without_tools_and_tools_without_words_do_no_harm,
            the_reasoning_is_one_line,
        ]
    )
}

async fn it_has_a_name(router: Arc<dyn Router>) -> Verdict {
    ensure!(!router.name().is_empty(), "the name is empty");
    Ok(())
}

async fn an_empty_set_is_no_error(router: Arc<dyn Router>) -> Verdict {
    let index = index(&*router, &[]).await?;
    ensure_eq!(rank(&*index, "anything", 10).await?, Vec::new(), "matches of an empty set");
    Ok(())
}

async fn matches_are_tools_of_the_set(router: Arc<dyn Router>) -> Verdict {
    let servers = servers();
    let index = index(&*router, &servers).await?;
    for query in QUERIES {
        for found in rank(&*index, query, 100).await? {
            ensure!(tool_name(&servers, found.tool).is_some(), "{query}: {:?} is no tool of the set", found.tool);
        }
    }
    Ok(())
}

async fn scores_lie_in_0_to_1_and_never_rise(router: Arc<dyn Router>) -> Verdict {
    let index = index(&*router, &servers()).await?;
    for query in QUERIES {
        let scores: Vec<f32> = rank(&*index, query, 100).await?.iter().map(|found| found.score).collect();
        ensure!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{query}: {scores:?}");
        ensure!(scores.is_sorted_by(|a, b| a >= b), "{query}: scores rise: {scores:?}");
    }
    Ok(())
}

async fn no_more_matches_than_the_limit(router: Arc<dyn Router>) -> Verdict {
    let index = index(&*router, &servers()).await?;
    for query in QUERIES {
        let all = rank(&*index, query, 100).await?;
        for limit in [0, 1, 2, 3] {
            let some = rank(&*index, query, limit).await?;
            ensure!(some.len() <= limit, "{query}: {} matches with limit {limit}", some.len());
            ensure_eq!(tools(&some), tools(&all[..some.len()]), "{query}: the best {limit}");
        }
    }
    rank(&*index, QUERIES[0], usize::MAX).await?;
    Ok(())
}

async fn each_tool_comes_once(router: Arc<dyn Router>) -> Verdict {
    let index = index(&*router, &servers()).await?;
    for query in QUERIES {
        let found = rank(&*index, query, 100).await?;
        let distinct: HashSet<_> = found.iter().map(|found| found.tool).collect();
        ensure_eq!(distinct.len(), found.len(), "{query}: different tools");
    }
    Ok(())
}

async fn only_visible_tools_come(router: Arc<dyn Router>) -> Verdict {
    let index = index(&*router, &servers()).await?;
    for query in QUERIES {
        for hidden in 0..4 {
            let visible = move |tool: ToolRef| tool.server != hidden;
            for found in rank_with(&*index, query, 100, 0.0, &visible).await? {
                ensure!(found.tool.server != hidden, "{query}: {:?} was hidden", found.tool);
            }
        }
        let none = rank_with(&*index, query, 100, 0.0, &|_| false).await?;
        ensure_eq!(none, Vec::new(), "{query}: matches where nothing is visible");
    }
    Ok(())
}

async fn what_is_hidden_makes_room(router: Arc<dyn Router>) -> Verdict {
    let index = index(&*router, &servers()).await?;
    for query in QUERIES {
        let found = rank(&*index, query, 2).await?;
        let [first, second, ..] = &found[..] else { continue };
        let hidden = first.tool;
        let best = rank_with(&*index, query, 1, 0.0, &move |tool| tool != hidden).await?;
        ensure_eq!(tools(&best), vec![second.tool], "{query}: the best where the first is hidden");
    }
    Ok(())
}

async fn nothing_below_min_score_comes(router: Arc<dyn Router>) -> Verdict {
    let index = index(&*router, &servers()).await?;
    for query in QUERIES {
        let all = rank(&*index, query, 100).await?;
        for bar in all.iter().map(|found| found.score).chain([1.0, 0.5]) {
            let some = rank_with(&*index, query, 100, bar, &|_| true).await?;
            ensure!(some.iter().all(|found| found.score >= bar), "{query}: a match below {bar}: {some:?}");
            let expected: Vec<_> = all.iter().filter(|found| found.score >= bar).map(|found| found.tool).collect();
            ensure_eq!(tools(&some), expected, "{query}: matches of at least {bar}");
        }
    }
    Ok(())
}

async fn equal_input_gives_equal_output(router: Arc<dyn Router>) -> Verdict {
    let first = index(&*router, &servers()).await?;
    let second = index(&*router, &servers()).await?;
    for query in QUERIES {
        let expected = rank(&*first, query, 100).await?;
        for _ in 0..3 {
            ensure_eq!(rank(&*first, query, 100).await?, expected, "{query}: again");
        }
        ensure_eq!(rank(&*second, query, 100).await?, expected, "{query}: with an index made again");
    }
    Ok(())
}

async fn nothing_relevant_gives_an_empty_list(router: Arc<dyn Router>) -> Verdict {
    let index = index(&*router, &servers()).await?;
    for query in ["zxqvwk jjhgfqq", "qqqqqqqqqqqq", "", "   ", "?!;", "\u{1f980}\u{1f980}"] {
        ensure_eq!(rank(&*index, query, 100).await?, Vec::new(), "matches of {query:?}");
    }
    Ok(())
}

async fn the_tool_that_fits_comes_first(router: Arc<dyn Router>) -> Verdict {
    let servers = servers();
    let index = index(&*router, &servers).await?;
    for (query, expected) in [
        ("get the current time in a time zone", "get_current_time"),
        ("evaluate an arithmetic expression", "calculate"),
        ("create an issue in a repository", "create_issue"),
        ("read the contents of a file", "read_file"),
        ("weather forecast", "get_forecast"),
    ] {
        let found = rank(&*index, query, 5).await?;
        let names: Vec<_> = found.iter().filter_map(|found| tool_name(&servers, found.tool)).collect();
        ensure!(names.first() == Some(&expected), "{query}: expected {expected} first, saw {names:?}");
    }
    Ok(())
}

async fn places_follow_the_order_of_the_servers(router: Arc<dyn Router>) -> Verdict {
    let servers = servers();
    let reversed: Vec<_> = servers.iter().rev().cloned().collect();
    let forth = index(&*router, &servers).await?;
    let back = index(&*router, &reversed).await?;
    for query in QUERIES {
        let names = |servers: &[Arc<ServerTools>], found: &[Match]| -> HashSet<String> {
            found.iter().filter_map(|found| tool_name(servers, found.tool)).map(str::to_owned).collect()
        };
        let expected = names(&servers, &rank(&*forth, query, 100).await?);
        ensure_eq!(names(&reversed, &rank(&*back, query, 100).await?), expected, "{query}: servers reversed");
    }
    Ok(())
}

async fn an_index_does_not_change_when_another_is_made(router: Arc<dyn Router>) -> Verdict {
    let mut servers = servers();
    let before = index(&*router, &servers).await?;
    let query = "get the current time in a time zone";
    let expected = rank(&*before, query, 10).await?;
    servers[0] = server("clock", "", &[("brew_coffee", "Brews a cup of coffee.", "{}")]);
    let after = index(&*router, &servers).await?;
    ensure_eq!(rank(&*before, query, 10).await?, expected, "the first index after the second was made");
    let coffee = rank(&*after, "brew a cup of coffee", 10).await?;
    let first = coffee.first().and_then(|found| tool_name(&servers, found.tool));
    ensure_eq!(first, Some("brew_coffee"), "the changed server's tool");
    for found in rank(&*after, query, 100).await? {
        ensure!(tool_name(&servers, found.tool).is_some(), "{:?} is a tool of the old set", found.tool);
    }
    Ok(())
}

async fn any_text_is_a_query(router: Arc<dyn Router>) -> Verdict {
    let servers = servers();
    let index = index(&*router, &servers).await?;
    let long = "time ".repeat(40_000);
    let one_word = "x".repeat(200_000);
    let queries = [
        long.as_str(),
        one_word.as_str(),
        "\0\u{1}\u{7f}\n\r\t",
        "東京は今何時ですか",
        "сколько времени в Токио",
        "ما الوقت الآن",
        "e\u{301}\u{301}\u{301} \u{202e}emit",
        "SELECT * FROM tools; --",
        "a OR b AND (c",
        "🧑‍🧑‍🧒 🏳️‍🌈",
    ];
    for query in queries {
        let shown: String = query.chars().take(20).collect();
        let found = rank(&*index, query, 5).await.map_err(|error| format!("{shown:?}: {error}"))?;
        ensure!(found.len() <= 5, "{shown:?}: {} matches", found.len());
        ensure!(found.iter().all(|found| tool_name(&servers, found.tool).is_some()), "{shown:?}: invented tools");
    }
    Ok(())
}

async fn servers_without_tools_and_tools_without_words_do_no_harm(router: Arc<dyn Router>) -> Verdict {
    let mut all = vec![server("nothing", "", &[])];
    all.extend(servers());
    all.push(server("wordless", "", &[("_", "", "{}"), ("-", "", "{}"), ("...", "\u{1f980}", "{}")]));
    all.push(server("nothing again", "", &[]));
    let index = index(&*router, &all).await?;
    let found = rank(&*index, "get the current time in a time zone", 5).await?;
    let first = found.first().and_then(|found| tool_name(&all, found.tool));
    ensure_eq!(first, Some("get_current_time"), "the first match");
    Ok(())
}

async fn the_reasoning_is_one_line(router: Arc<dyn Router>) -> Verdict {
    let index = index(&*router, &servers()).await?;
    for query in QUERIES.into_iter().chain(["time\nzone\ntokyo"]) {
        for found in rank(&*index, query, 100).await? {
            let reasoning = &found.reasoning;
            ensure!(!reasoning.is_empty() && !reasoning.contains(['\n', '\r']), "{query}: {reasoning:?}");
        }
    }
    Ok(())
}

async fn index(router: &dyn Router, servers: &[Arc<ServerTools>]) -> Result<Arc<dyn Index>, String> {
    router.index(servers).await.map_err(|error| format!("index failed: {error:?}"))
}

async fn rank(index: &dyn Index, text: &str, limit: usize) -> Result<Vec<Match>, String> {
    rank_with(index, text, limit, 0.0, &|_| true).await
}

async fn rank_with(
    index: &dyn Index,
    text: &str,
    limit: usize,
    min_score: f32,
    visible: &(dyn Fn(ToolRef) -> bool + Send + Sync),
) -> Result<Vec<Match>, String> {
    let query = Query { text, limit, min_score, visible };
    let ranking = index.rank(&query).await.map_err(|error| format!("rank failed: {error:?}"))?;
    Ok(ranking.matches)
}

fn tools(matches: &[Match]) -> Vec<ToolRef> {
    matches.iter().map(|found| found.tool).collect()
}

fn tool_name(servers: &[Arc<ServerTools>], place: ToolRef) -> Option<&str> {
    let tools = servers.get(place.server as usize)?.tools();
    Some(tools.get(place.tool as usize)?.name())
}

/// A small catalogue: servers with what they say of themselves, and their tools with descriptions and
/// parameters.
const CATALOGUE: [(&str, &str, &[Declared]); 6] = [
    (
        "clock",
        "Time and time zones",
        &[
            (
                "get_current_time",
                "Get the current time in a time zone.",
                r#"{"timezone":{"type":"string","description":"IANA time zone, such as Asia/Tokyo"}}"#,
            ),
            (
                "convert_time",
                "Convert a time between time zones.",
                r#"{"from":{"type":"string"},"to":{"type":"string"}}"#,
            ),
        ],
    ),
    (
        "calculator",
        "",
        &[
            (
                "calculate",
                "Evaluate an arithmetic expression: add, subtract, multiply and divide numbers.",
                r#"{"expression":{"type":"string","description":"such as 2 + 2"}}"#,
            ),
            (
                "unitConvert",
                "Convert between units of length, mass and temperature.",
                r#"{"value":{"type":"number"},"unit":{"type":"string"}}"#,
            ),
        ],
    ),
    (
        "github",
        "Repositories, issues and pull requests",
        &[
            (
                "create_issue",
                "Create a new issue in a repository.",
                r#"{"repo":{"type":"string"},"title":{"type":"string"}}"#,
            ),
            ("list_pull_requests", "List pull requests of a repository.", r#"{"repo":{"type":"string"}}"#),
            ("search_code", "Search for code across repositories.", r#"{"query":{"type":"string"}}"#),
        ],
    ),
    (
        "files",
        "",
        &[
            (
                "read_file",
                "Read the contents of a file from disk.",
                r#"{"path":{"type":"string","description":"The file's path"}}"#,
            ),
            (
                "write_file",
                "Write text to a file, replacing it.",
                r#"{"path":{"type":"string"},"text":{"type":"string"}}"#,
            ),
            ("list_directory", "List the entries of a directory.", r#"{"path":{"type":"string"}}"#),
        ],
    ),
    (
        "weather",
        "",
        &[
            ("get_forecast", "Weather forecast for a place in the next days.", r#"{"city":{"type":"string"}}"#),
            ("get_alerts", "Severe weather alerts for a region.", r#"{"region":{"type":"string"}}"#),
        ],
    ),
    (
        "chat",
        "",
        &[(
            "send_message",
            "Send a message to a channel or a person.",
            r#"{"channel":{"type":"string"},"text":{"type":"string"}}"#,
        )],
    ),
];

type Declared = (&'static str, &'static str, &'static str);

fn servers() -> Vec<Arc<ServerTools>> {
    CATALOGUE.iter().map(|(name, about, tools)| server(name, about, tools)).collect()
}

fn server(name: &str, about: &str, tools: &[(&str, &str, &str)]) -> Arc<ServerTools> {
    let declared = tools.iter().map(|(name, description, properties)| {
        let text = format!(
            r#"{{"name":{},"description":{},"inputSchema":{{"type":"object","properties":{properties}}}}}"#,
            serde_json::Value::from(*name),
            serde_json::Value::from(*description),
        );
        RawJson::parse(text).expect("the catalogue is JSON")
    });
    Arc::new(ServerTools::new(name, about, declared.collect()))
}
