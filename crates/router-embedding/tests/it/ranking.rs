//! What is found, how well, and why.

use std::sync::Arc;

use gateway_core::{Query, RawJson, Router, ServerTools, ToolRef};
use router_embedding::EmbeddingRouter;
use serde_json::json;

use crate::catalogue::{index, name, rank, server, servers, tool};

async fn first(text: &str) -> Option<String> {
    let servers = servers();
    rank(&*index(&servers).await, text).await.first().map(|found| name(&servers, found))
}

#[tokio::test]
async fn a_paraphrase_without_a_shared_word_finds_the_tool() {
    for (query, expected) in [
        ("cancel my meeting", "delete_event"),
        ("see a physician", "bookPhysician"),
        ("will it be sunny tomorrow", "get_forecast"),
        ("how many euros are fifty dollars", "convert_currency"),
        ("erase a folder", "remove_directory"),
    ] {
        assert_eq!(first(query).await.as_deref(), Some(expected), "{query}");
    }
}

#[tokio::test]
async fn spelling_makes_no_difference() {
    for query in ["delete event", "deleteEvent", "DELETE_EVENT", "délete évent", "delete-event!"] {
        assert_eq!(first(query).await.as_deref(), Some("delete_event"), "{query}");
    }
}

#[tokio::test]
async fn each_part_of_a_request_finds_its_tool() {
    let servers = servers();
    let index = index(&servers).await;
    let found =
        rank(&*index, "Check the weather forecast, then delete the directory. Finally convert the currency.").await;
    let best: Vec<String> = found.iter().take(3).map(|found| name(&servers, found)).collect();
    for expected in ["get_forecast", "remove_directory", "convert_currency"] {
        assert!(best.iter().any(|name| name == expected), "{expected} in {best:?}");
    }
}

#[tokio::test]
async fn the_reason_names_the_words_that_did_it() {
    let servers = servers();
    let index = index(&servers).await;
    let reasoning = |found: &[gateway_core::Match]| found[0].reasoning.to_string();
    let found = rank(&*index, "cancel the event").await;
    assert_eq!(name(&servers, &found[0]), "delete_event");
    let line = reasoning(&found);
    assert!(line.starts_with("means much the same (0.") && line.contains("event"), "{line}");
    assert!(!line.contains("the event") && !line.contains("event ~ event"), "{line}");
    let long = reasoning(&rank(&*index, &"cancel the event calendar weather file ".repeat(5_000)).await);
    assert!(long.len() < 200, "{long}");
}

#[tokio::test]
async fn nothing_known_finds_nothing() {
    let servers = servers();
    let index = index(&servers).await;
    for query in ["", " \n", "zxqvwk jjhgfqq", "qqqqqqqqqqqq", "¿?", "🎉"] {
        assert_eq!(rank(&*index, query).await, [], "{query}");
    }
}

#[tokio::test]
async fn any_text_is_read_within_bounds() {
    let servers = servers();
    let index = index(&servers).await;
    for text in [
        "x".repeat(1_000_000),
        "delete event ".repeat(80_000),
        "文".repeat(300_000),
        "\u{301}".repeat(500_000),
        "东京天气怎么样".to_owned(),
        "\0\u{202e}\u{feff}".to_owned(),
    ] {
        let found = rank(&*index, &text).await;
        assert!(found.iter().all(|found| (0.0..=1.0).contains(&found.score)), "{text:.20}");
    }
}

#[tokio::test]
async fn hostile_declarations_do_no_harm() {
    let deep = format!("{}1{}", r#"{"properties":{"p":"#.repeat(5_000), "}}".repeat(5_000));
    let mut declared: Vec<RawJson> = [
        tool("long", &"word ".repeat(1_000_000)),
        tool("wide", &"x".repeat(3_000_000)),
        json!({ "name": "delete_event", "title": 5, "inputSchema": { "properties": [1, null] } }),
        json!({ "name": "\u{202e}\u{301}", "inputSchema": {} }),
    ]
    .iter()
    .map(|tool| RawJson::from_value(tool).expect("JSON"))
    .collect();
    declared.push(RawJson::parse(format!(r#"{{"name":"deep","inputSchema":{deep}}}"#)).expect("JSON"));
    let servers = [Arc::new(ServerTools::new("s".repeat(100_000), "about ".repeat(100_000), declared))];
    let found = rank(&*index(&servers).await, "cancel the event").await;
    assert_eq!(found.first().map(|found| name(&servers, found)).as_deref(), Some("delete_event"));
}

#[tokio::test]
async fn hiding_tools_changes_nothing_about_the_others() {
    let servers = servers();
    let index = index(&servers).await;
    let text = "delete an event or a file";
    let all = rank(&*index, text).await;
    assert!(all.len() > 2);
    for hidden in 0..servers.len() as u32 {
        let visible = move |tool: ToolRef| tool.server != hidden;
        let query = Query { text, limit: 10, min_score: 0.0, visible: &visible };
        let expected: Vec<_> = all.iter().filter(|found| found.tool.server != hidden).cloned().collect();
        assert_eq!(index.rank(&query).await.expect("a ranking").matches, expected, "without {hidden}");
    }
}

#[tokio::test]
async fn what_was_indexed_before_makes_no_difference() {
    let router = EmbeddingRouter::default();
    let mut changed = servers();
    changed[1] = server("files", &[tool("brew_coffee", "Brews coffee")]);
    let sets = [servers(), servers().into_iter().rev().collect(), Vec::new(), changed];
    let mut kept = Vec::new();
    for servers in &sets {
        kept.push(router.index(servers).await.expect("it needs no service"));
    }
    for (servers, shared) in sets.iter().zip(&kept) {
        let fresh = index(servers).await;
        for query in ["cancel my meeting", "make an espresso"] {
            assert_eq!(rank(&**shared, query).await, rank(&*fresh, query).await, "{query}");
        }
    }
    assert_eq!(name(&sets[3], &rank(&*kept[3], "make an espresso").await[0]), "brew_coffee");
}
