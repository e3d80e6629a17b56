//! Indexes over changing sets of servers.

use std::sync::Arc;

use gateway_core::{Router, ServerTools};
use router_keyword::KeywordRouter;

use crate::catalogue::{index, name, rank, server, servers, tool};

const QUERIES: [&str; 4] = ["create issue", "list pods", "time in Prague", "brew coffee"];

/// What a router that already knows the other servers finds equals what a new one finds.
#[tokio::test]
async fn what_was_indexed_before_makes_no_difference() {
    let router = KeywordRouter::default();
    let mut sets: Vec<Vec<Arc<ServerTools>>> = vec![servers(), servers().into_iter().rev().collect(), Vec::new()];
    let mut changed = servers();
    changed[1] = server("kubernetes", "", &[tool("brew_coffee", "Brews coffee", &[])]);
    sets.push(changed);
    let twice = servers().into_iter().chain(servers()).collect();
    sets.push(twice);
    let mut kept = Vec::new();
    for servers in &sets {
        kept.push(router.index(servers).await.expect("it needs no service"));
    }
    for (servers, shared) in sets.iter().zip(&kept) {
        let fresh = index(servers).await;
        for query in QUERIES {
            assert_eq!(rank(&**shared, query).await, rank(&*fresh, query).await, "{query}");
        }
    }
    let coffee = rank(&*kept[3], "brew coffee").await;
    assert_eq!(name(&sets[3], &coffee[0]), "brew_coffee");
}

/// A word for each place below a thousand or two.
fn topic(place: usize) -> String {
    let letter = |number: usize| char::from(b'a' + (number % 13) as u8);
    ["topic".chars().collect(), String::from_iter([place / 169, place / 13, place].map(letter))].concat()
}

/// The same with so many tools that they stand in several blocks, each set following from the one before.
#[tokio::test]
async fn changes_among_thousands_of_tools_make_no_difference() {
    let declare = |place: usize, edition: usize| {
        let tools: Vec<_> = (0..20)
            .map(|number| {
                let seed = (place * 20 + number) * 31 + edition;
                let name = format!("get_w{}_w{}", seed % 97, seed % 1_009);
                // What the first edition has more of than one, the others have one of.
                let topic = format!("{}{}", topic(place), if edition == 0 { "s" } else { "" });
                let about = format!("Finds w{} of w{} for {topic}", seed % 211, seed % 53);
                tool(&format!("{name}_{number}"), &about, &[])
            })
            .collect();
        server(&format!("server-{place}"), "", &tools)
    };
    let mut servers: Vec<_> = (0..300).map(|place| declare(place, 0)).collect();
    let router = KeywordRouter::default();
    let mut living = router.index(&servers).await.expect("it needs no service");
    let mut corrected = 0;
    for step in 0..6 {
        let place = step * 53 % servers.len();
        match step % 3 {
            0 => servers[place] = declare(place, step + 1),
            1 => servers.insert(place, declare(1_000 + step, 0)),
            _ => drop(servers.remove(place)),
        }
        living = router.index(&servers).await.expect("it needs no service");
        let fresh = index(&servers).await;
        let misspelt = format!("finds w7 for {}s", topic(place).replacen("topic", "tpoic", 1));
        corrected += usize::from(rank(&*fresh, &misspelt).await.iter().any(|one| one.reasoning.contains("(for tpoic")));
        for query in ["get w7", "finds w100 of w20", "w1008 w5 w6", "server 17", "nothing", &misspelt] {
            assert_eq!(rank(&*living, query).await, rank(&*fresh, query).await, "{step} {query}");
        }
    }
    assert!(corrected >= 4, "{corrected}");
    assert!(!rank(&*living, "finds w100 of w20").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_ask_at_once_and_each_gets_its_answer() {
    let servers = servers();
    let index = index(&servers).await;
    let mut expected = Vec::new();
    for query in QUERIES {
        expected.push(rank(&*index, query).await);
    }
    let mut tasks = tokio::task::JoinSet::new();
    for place in 0..200 {
        let (index, expected) = (Arc::clone(&index), expected[place % 4].clone());
        tasks.spawn(async move { assert_eq!(rank(&*index, QUERIES[place % 4]).await, expected) });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("equal answers");
    }
}
