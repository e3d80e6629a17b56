//! What is found, how well, and why.

use gateway_core::Query;

use crate::catalogue::{index, names, query, rank, server, servers};

#[tokio::test]
async fn a_paraphrase_without_a_shared_word_finds_the_tool() {
    let servers = servers();
    let index = index(&servers).await;
    for (text, expected) in [
        ("cancel my meeting", "calendar/delete_event"),
        ("will it be sunny tomorrow", "weather/get_forecast"),
        ("how many euros are fifty dollars", "money/convert_currency"),
        ("erase a folder", "files/remove_directory"),
    ] {
        let found = names(&servers, &rank(&*index, text).await);
        assert_eq!(found.first().map(String::as_str), Some(expected), "{text}: {found:?}");
    }
}

#[tokio::test]
async fn a_word_that_only_one_tool_has_finds_it() {
    let mut servers = servers();
    servers.push(server("ops", &[("zkq_status", "State of the zkq unit"), ("abx_status", "State of the abx unit")]));
    let index = index(&servers).await;
    let found = names(&servers, &rank(&*index, "zkq").await);
    assert_eq!(found.first().map(String::as_str), Some("ops/zkq_status"), "{found:?}");
}

#[tokio::test]
async fn the_second_best_tool_comes_before_a_copy_of_the_best() {
    let mut servers = servers();
    let original = servers[0].tools()[1].clone();
    servers.push(server("calendar-copy", &[(original.name(), original.description())]));
    let index = index(&servers).await;
    for text in ["calendar event", "event", "change an event"] {
        let found = names(&servers, &rank(&*index, text).await);
        let place = |name: &str| found.iter().position(|found| found == name).expect("it has the word");
        let copies = ["calendar/delete_event", "calendar-copy/delete_event"].map(place);
        let others = ["calendar/create_event", "calendar/list_events"].map(place);
        // The best of them is among the three that differ; the copy comes when they are through.
        assert_eq!(
            (copies.into_iter().max(), others.into_iter().max() < Some(3)),
            (Some(3), true),
            "{text}: {found:?}"
        );
    }
    // A copy still comes before what is far from what was asked.
    let found = names(&servers, &rank(&*index, "delete an entry of my calendar").await);
    assert!(found[..2].iter().all(|name| name.ends_with("/delete_event")), "{found:?}");
}

#[tokio::test]
async fn what_no_tool_is_for_finds_nothing() {
    let servers = servers();
    let index = index(&servers).await;
    for text in ["asdf qwer zxcv", "zxqvwk jjhgfqq", "what is love", "abstract algebra of rings", "", " \n", "¿?", "🎉"]
    {
        let found = rank(&*index, text).await;
        assert!(found.is_empty(), "{text}: {found:?}");
    }
    // What is wanted in other words is still found, and so are the tools after it, however little they score.
    let found = rank(&*index, "cancel my meeting").await;
    assert_eq!(names(&servers, &found)[0], "calendar/delete_event");
    assert!(found.last().is_some_and(|last| last.score < 0.04), "{found:?}");
}

#[tokio::test]
async fn stuffing_a_description_does_not_win() {
    let common = "create delete list read remove get convert book search event calendar file directory weather forecast \
                  currency amount physician appointment issue ticket repository code the a of and to for in ";
    let stuffed = common.repeat(16 * 1024 / common.len() + 1);
    let mut servers = servers();
    servers.insert(0, server("stuffed", &[("helper", &stuffed)]));
    let index = index(&servers).await;
    for (text, expected) in [
        ("create an issue in a repository", "github/create_issue"),
        ("delete an event", "calendar/delete_event"),
        ("weather forecast", "weather/get_forecast"),
        ("convert an amount to another currency", "money/convert_currency"),
        ("cancel my meeting", "calendar/delete_event"),
        ("will it be sunny tomorrow", "weather/get_forecast"),
        ("erase a folder", "files/remove_directory"),
    ] {
        let found = names(&servers, &rank(&*index, text).await);
        assert_eq!(found.first().map(String::as_str), Some(expected), "{text}: {found:?}");
    }
}

#[tokio::test]
async fn scores_compare_between_queries() {
    let servers = servers();
    let index = index(&servers).await;
    let mut best = Vec::new();
    for text in ["delete an event from the calendar", "cancel my meeting", "how do magnets work"] {
        best.push(rank(&*index, text).await.first().map_or(0.0, |found| found.score));
    }
    // What says it all, what means it, and what no tool is for.
    assert!(best.is_sorted_by(|a, b| a > b) && best[0] > 0.5 && best[2] < 0.3, "{best:?}");
}

#[tokio::test]
async fn a_score_does_not_depend_on_how_many_are_asked_for() {
    let servers = servers();
    let index = index(&servers).await;
    let all = rank(&*index, "delete an event").await;
    let one = index.rank(&Query { limit: 1, ..query("delete an event") }).await.expect("no service");
    assert_eq!(one.matches, all[..1]);
}

#[tokio::test]
async fn the_reason_is_that_of_each_part_in_one_line() {
    let servers = servers();
    let index = index(&servers).await;
    let found = rank(&*index, "delete the calendar event").await;
    let reason = &*found[0].reasoning;
    let (by_words, by_meaning) = reason.split_once("; means ").unwrap_or_default();
    assert!(by_words.contains("name: delete") && by_meaning.contains("the same (0."), "{reason}");
    assert!(!reason.contains('\n'), "{reason}");
    // What only one part found has that part's reason.
    let found = rank(&*index, "how many euros are fifty dollars").await;
    assert!(found[0].reasoning.starts_with("means "), "{}", found[0].reasoning);
}

#[tokio::test]
async fn each_part_of_a_request_finds_its_tool() {
    let servers = servers();
    let index = index(&servers).await;
    let text = "Check the weather forecast, then delete the directory. Finally convert the currency.";
    let found = names(&servers, &rank(&*index, text).await);
    for expected in ["weather/get_forecast", "files/remove_directory", "money/convert_currency"] {
        assert!(found.iter().take(3).any(|name| name == expected), "{expected} in {found:?}");
    }
}
