//! What is learned, and what is not.

use gateway_core::{Index, Query, Router};
use router_keyword::KeywordRouter;

use crate::support::{fresh, index, names, search, tool, use_after};

const QUERY: &str = "a poster of the sales report for the board";

#[tokio::test]
async fn a_tool_that_was_preferred_comes_first_the_next_time() {
    let (router, memory) = fresh();
    let index = index(&router).await;
    let before = names(&*index, QUERY).await;
    assert_ne!(before[0], "render_report");
    use_after(&*index, &memory, "ann", QUERY, "render_report").await;
    // And for similar requests of others.
    for query in [QUERY, "poster the sales report", "I want the sales reports as posters, please"] {
        assert_eq!(names(&*index, query).await[0], "render_report", "{query}");
    }
    let first = &search(&*index, QUERY, 1).await[0];
    assert!(first.reasoning.ends_with("; chosen before for such requests"), "{}", first.reasoning);
    let others = search(&*index, QUERY, 10).await;
    assert!(others[1..].iter().all(|found| !found.reasoning.contains("chosen before")), "{others:?}");
}

#[tokio::test]
async fn other_requests_stay_as_they_were() {
    let (router, memory) = fresh();
    let (learned, alone) = (index(&router).await, index(&KeywordRouter::default()).await);
    use_after(&*learned, &memory, "ann", QUERY, "render_report").await;
    for query in ["send a mail", "put away old papers", "secretly", "nothing of that kind"] {
        assert_eq!(search(&*learned, query, 10).await, search(&*alone, query, 10).await, "{query}");
    }
}

#[tokio::test]
async fn what_stands_first_anyway_needs_nothing() {
    let (router, memory) = fresh();
    let (learned, alone) = (index(&router).await, index(&KeywordRouter::default()).await);
    let query = "draw the sales report";
    for _ in 0..3 {
        use_after(&*learned, &memory, "ann", query, "render_report").await;
    }
    assert_eq!(search(&*learned, query, 10).await, search(&*alone, query, 10).await);
}

#[tokio::test]
async fn what_was_learned_wrongly_is_unlearned() {
    let (router, memory) = fresh();
    let index = index(&router).await;
    let right = names(&*index, QUERY).await[0];
    use_after(&*index, &memory, "ann", QUERY, "archive_report").await;
    assert_eq!(names(&*index, QUERY).await[0], "archive_report");
    use_after(&*index, &memory, "bob", QUERY, right).await;
    use_after(&*index, &memory, "eve", QUERY, right).await;
    assert_eq!(names(&*index, QUERY).await[0], right);
}

#[tokio::test]
async fn it_shows_nothing_that_the_other_router_does_not_find() {
    let (router, memory) = fresh();
    let index = index(&router).await;
    // Somebody else may see it.
    let all = Query { text: QUERY, limit: 10, min_score: 0.0, visible: &|_| true };
    let found = index.rank(&all).await.expect("ranks").matches;
    let hidden = found.iter().find(|found| found.tool == tool("hidden_report")).expect("is found");
    for principal in ["ann", "bob", "eve"] {
        let used = gateway_core::ToolUse {
            principal,
            query: QUERY,
            server: "office",
            tool: "hidden_report",
            score: hidden.score,
            rival: Some(0.99),
        };
        gateway_core::Feedback::used(&*memory, &used);
    }
    let shown = search(&*index, QUERY, 10).await;
    assert!(shown.iter().all(|found| found.tool != tool("hidden_report")), "{shown:?}");
    assert!(shown.iter().all(|found| !found.reasoning.contains("chosen before")), "{shown:?}");
}

#[tokio::test]
async fn limits_hold_for_what_was_raised() {
    let (router, memory) = fresh();
    let index = index(&router).await;
    for principal in ["ann", "bob"] {
        use_after(&*index, &memory, principal, QUERY, "archive_report").await;
    }
    // Below the limit before, above it now.
    let only = search(&*index, QUERY, 1).await;
    assert_eq!(only.len(), 1);
    assert_eq!(only[0].tool, tool("archive_report"));
    let ask = async |index: &dyn Index, min_score: f32| {
        let query = Query { text: QUERY, limit: 10, min_score, visible: &|_| true };
        index.rank(&query).await.expect("ranks").matches
    };
    let score = only[0].score;
    let just_enough = ask(&*index, score).await;
    assert_eq!(just_enough.iter().map(|found| found.tool).collect::<Vec<_>>(), [tool("archive_report")]);
    assert!(ask(&*index, score + 0.01).await.is_empty());
}

#[tokio::test]
async fn its_name_is_the_other_routers() {
    assert_eq!(fresh().0.name(), KeywordRouter::default().name());
}
