//! What is found, how well, and why.

use std::sync::Arc;

use gateway_core::{Query, RawJson, ServerTools, ToolRef};
use serde_json::json;

use crate::catalogue::{index, name, rank, server, servers, tool};

#[tokio::test]
async fn the_first_match_and_its_reason() {
    let servers = servers();
    let index = index(&servers).await;
    for (query, expected, reasoning) in [
        ("create issue", "create_issue", "name: create, issue"),
        ("please create_issue now", "create_issue", "name: create_issue"),
        ("creating an Issue on GitHub", "create_issue", "name: creating, Issue; server: GitHub"),
        ("open a ticket", "create_issue", "description: open, ticket"),
        ("get rid of a pod", "pods_delete", "name: delete (for rid), pod"),
        ("which pods are there", "pods_list", "name: list (for which), pods"),
        ("http route", "HTTPRouteGet", "name: http, route"),
        ("grace period", "pods_delete", "parameters: grace, period"),
        ("what time is it in Prague", "get_current_time", "name: get (for what), time; parameter descriptions: Prague"),
        ("key vault", "keyVaultStatus", "name: key, vault"),
        ("keyvault", "keyVaultStatus", "name: keyvault"),
        ("读取一个文件", "读取文件", "name: 读取, 文件"),
        (
            "kuberntes namesapce",
            "pods_list",
            "server: kubernetes (for kuberntes); description: namespace (for namesapce)",
        ),
        ("delte pods", "pods_delete", "name: delete (for delte), pods"),
        ("merge the PR", "merge_pull_request", "name: merge, pull_request (for PR)"),
        ("issue\n\tcreating", "create_issue", "name: issue, creating"),
    ] {
        let found = rank(&*index, query).await;
        let first = found.first().map(|found| (name(&servers, found), found.reasoning.to_string()));
        assert_eq!(first, Some((expected.to_owned(), reasoning.to_owned())), "{query}");
    }
}

#[tokio::test]
async fn a_tools_exact_name_scores_about_one() {
    let servers = servers();
    let index = index(&servers).await;
    for query in ["create_issue", "create issue", "listIssues", "HTTPRouteGet", "get_current_time", "search"] {
        let found = rank(&*index, query).await;
        assert!(found[0].score > 0.9, "{query}: {}", found[0].score);
        assert!(found.get(1).is_none_or(|second| second.score < found[0].score), "{query}");
    }
}

/// A tool that is all one clause is about goes before one that has as many words of the request, from here and there.
#[tokio::test]
async fn each_clause_finds_its_tool() {
    let tools = [
        tool("t1", "Red apple, blue river", &[]),
        tool("t2", "Red apple, wooden garden", &[]),
        tool("t3", "Blue river, stony bridge", &[]),
        tool("t4", "Wooden garden, stony bridge", &[]),
    ];
    let servers = [server("s", "", &tools)];
    let index = index(&servers).await;
    for query in [
        "Show a red apple in a wooden garden. Then draw the blue river with its stony bridge.",
        "red apple of a wooden garden and compare the blue river of a stony bridge",
    ] {
        let found = rank(&*index, query).await;
        let names: Vec<String> = found.iter().map(|found| name(&servers, found)).collect();
        assert_eq!(names, ["t2", "t3", "t1", "t4"], "{query}");
    }
    let found = rank(&*index, "red apple wooden garden blue river stony bridge").await;
    assert_eq!(name(&servers, &found[0]), "t1");
}

/// A tool that says every word gains nothing by it, nor by saying them often.
#[tokio::test]
async fn stuffing_a_description_does_not_win() {
    let mut servers = servers();
    let words = "create issue open ticket merge pull request list pods delete time zone search code kubernetes github get \
                 send email weather file read write update user ";
    let all = words.repeat(16 * 1024 / words.len());
    servers.push(server("stuffed", words, &[tool("best", &all, &[("query", words)]), tool("other", words, &[])]));
    let index = index(&servers).await;
    for (query, expected) in [
        ("create an issue", "create_issue"),
        ("list pods", "pods_list"),
        ("delete a pod", "pods_delete"),
        ("merge pull request", "merge_pull_request"),
        ("what is the time in this time zone", "get_current_time"),
    ] {
        let found = rank(&*index, query).await;
        assert_eq!(name(&servers, &found[0]), expected, "{query}: {found:?}");
    }
}

#[tokio::test]
async fn unknown_words_lower_the_score_but_not_to_nothing() {
    let servers = servers();
    let index = index(&servers).await;
    let mut last = 1.0;
    for query in [
        "merge pull request",
        "merge pull request zyx",
        "merge pull request zyx wvu tsr",
        "merge pull request zyx wvu tsr qpo nml kji hgf",
    ] {
        let found = rank(&*index, query).await;
        assert_eq!(found.first().map(|found| name(&servers, found)).as_deref(), Some("merge_pull_request"), "{query}");
        assert!(found[0].score < last && found[0].score > 0.2, "{query}: {} after {last}", found[0].score);
        last = found[0].score;
    }
}

#[tokio::test]
async fn nothing_relevant_gives_nothing() {
    let servers = servers();
    let index = index(&servers).await;
    for query in ["", " \n", "asdf qwer", "the of and", "what is love", "¿?", "🎉", "to be or not to be", "天气预报"]
    {
        assert_eq!(rank(&*index, query).await, [], "{query}");
    }
}

#[tokio::test]
async fn ties_are_in_the_order_of_the_catalogue() {
    let twins = |count: usize| server(&format!("s{count}"), "", &vec![tool("a_b", "", &[]); 1]);
    let servers: Vec<_> = (0..20).map(twins).collect();
    let index = index(&servers).await;
    for limit in [1, 7, 20] {
        let query = Query { text: "b", limit, min_score: 0.0, visible: &|tool| tool.server != 3 };
        let found = index.rank(&query).await.expect("it needs no service").matches;
        let expected: Vec<u32> = (0..20).filter(|server| *server != 3).take(limit).collect();
        assert_eq!(found.iter().map(|found| found.tool.server).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn hiding_tools_changes_nothing_about_the_others() {
    let servers = servers();
    let index = index(&servers).await;
    for text in ["create an issue", "list pods", "issue pods time", "delete"] {
        let all = rank(&*index, text).await;
        for hidden in 0..4 {
            let visible = move |tool: ToolRef| tool.server != hidden;
            let query = Query { text, limit: 10, min_score: 0.0, visible: &visible };
            let expected: Vec<_> = all.iter().filter(|found| found.tool.server != hidden).cloned().collect();
            assert_eq!(
                index.rank(&query).await.expect("it needs no service").matches,
                expected,
                "{text} without {hidden}"
            );
        }
    }
}

#[tokio::test]
async fn min_score_that_is_no_number_hides_nothing() {
    let servers = servers();
    let index = index(&servers).await;
    let query = Query { text: "create issue", limit: 10, min_score: f32::NAN, visible: &|_| true };
    let found = index.rank(&query).await.expect("it needs no service").matches;
    assert_eq!(found, rank(&*index, "create issue").await);
}

#[tokio::test]
async fn hostile_declarations_do_no_harm() {
    let deep = format!("{}1{}", r#"{"properties":{"p":"#.repeat(5_000), "}}".repeat(5_000));
    let mut declared: Vec<RawJson> = [
        tool("long", &"word ".repeat(1_000_000), &[]),
        tool("wide", &"x".repeat(3_000_000), &[]),
        json!({ "name": "odd", "title": 5, "description": "needle", "inputSchema": { "properties": [1, null] } }),
        json!({ "name": "\u{202e}\u{301}", "inputSchema": {} }),
    ]
    .iter()
    .map(|tool| RawJson::from_value(tool).expect("JSON"))
    .collect();
    let deep = format!(r#"{{"name":"deep","description":"haystack","inputSchema":{deep}}}"#);
    declared.push(RawJson::parse(deep).expect("JSON"));
    let servers = [Arc::new(ServerTools::new("s".repeat(100_000), "about ".repeat(100_000), declared))];
    let index = index(&servers).await;
    for (query, expected) in [("needle", "odd"), ("haystack", "deep"), ("long word", "long")] {
        let found = rank(&*index, query).await;
        assert_eq!(found.first().map(|found| name(&servers, found)).as_deref(), Some(expected), "{query}");
    }
}

#[tokio::test]
async fn a_long_query_is_read_in_part() {
    let servers = servers();
    let index = index(&servers).await;
    let text = format!("create issue {}", "lorem ipsum dolor ".repeat(10_000));
    let found = rank(&*index, &text).await;
    assert_eq!(found.first().map(|found| name(&servers, found)).as_deref(), Some("create_issue"));
    let reasoning = &rank(&*index, &"create issue pods time vault ".repeat(5_000)).await[0].reasoning;
    assert!(reasoning.len() < 200, "{reasoning}");
}
