//! Callers who mean no good.

use gateway_core::{Feedback as _, Router, ToolUse};
use router_keyword::KeywordRouter;
use router_learned::{Memory, MemoryConfig};

use crate::support::{around, fresh, index, names, search, tool, use_after};

const QUERY: &str = "a poster of the sales report for the board";

/// One caller pushes a tool, by the worst that the engine could ever tell of it, with a thousand different requests.
fn push(memory: &Memory, name: &str) {
    for n in 0..1_000 {
        for query in [QUERY.to_owned(), format!("{QUERY} number{n}a"), format!("poster sales report board word{n}")] {
            let (server, score, rival) = ("office", 0.001, Some(0.999));
            memory.used(&ToolUse { principal: "mallory", query: &query, server, tool: name, score, rival });
        }
    }
}

#[tokio::test]
async fn thousands_of_uses_by_one_caller_do_not_outweigh_three_others() {
    let (router, memory) = fresh();
    let index = index(&router).await;
    let right = names(&*index, QUERY).await[0];
    for principal in ["ann", "bob", "eve"] {
        use_after(&*index, &memory, principal, QUERY, right).await;
    }
    push(&memory, "archive_report");
    assert_eq!(names(&*index, QUERY).await[0], right);
    // Nor does it matter who came first.
    let (router, memory) = fresh();
    let index = crate::support::index(&router).await;
    push(&memory, "archive_report");
    for principal in ["ann", "bob", "eve"] {
        use_after(&*index, &memory, principal, QUERY, right).await;
    }
    assert_eq!(names(&*index, QUERY).await[0], right);
}

#[tokio::test]
async fn whatever_happens_a_tool_rises_by_one_unit_of_log_odds_at_most() {
    let (router, memory) = fresh();
    let (learned, alone) = (index(&router).await, index(&KeywordRouter::default()).await);
    push(&memory, "archive_report");
    let score = async |index: &dyn gateway_core::Index| {
        let found = search(index, QUERY, 10).await;
        found.iter().find(|found| found.tool == tool("archive_report")).expect("is found").score
    };
    let odds = |score: f32| (score / (1.0 - score)).ln();
    let rise = odds(score(&*learned).await) - odds(score(&*alone).await);
    assert!(rise > 0.5 && rise < 1.001, "{rise}");
    // A request that has little to do with it is out of reach.
    assert_eq!(names(&*learned, "send a mail").await[0], "send_mail");
}

#[tokio::test]
async fn a_flood_of_tools_displaces_only_what_its_room_holds() {
    let config = MemoryConfig { max_tools: 128, ..MemoryConfig::default() };
    let (router, memory) = around(Memory::new(config));
    let index = index(&router).await;
    for n in 0..10_000 {
        let tool = format!("tool{n}");
        let (query, server) = (QUERY, "flood");
        memory.used(&ToolUse { principal: "mallory", query, server, tool: &tool, score: 0.1, rival: Some(0.9) });
    }
    assert!(memory.tools() <= 128, "{}", memory.tools());
    // It still learns.
    use_after(&*index, &memory, "ann", QUERY, "archive_report").await;
    assert_eq!(names(&*index, QUERY).await[0], "archive_report");
    assert_eq!(router.name(), "keyword");
}
