//! Routers with one fault each.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use gateway_core::{Error, ErrorKind, Index, Match, Query, Ranking, Result, Router, ServerTools, ToolRef};
use gateway_testkit::fakes::FakeRouter;
use gateway_testkit::suites;

use super::check;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    InventsTools,
    IgnoresVisible,
    FiltersTooLate,
    RisingScores,
    ScoresAboveOne,
    IgnoresTheLimit,
    RepeatsTools,
    IgnoresMinScore,
    Random,
    AlwaysAnswers,
    WorstFirst,
    KeepsTheFirstIndex,
    SeveralLines,
    FearsLongQueries,
    FearsTheEmptySet,
    SortsServers,
}

#[derive(Debug)]
struct Broken {
    fault: Fault,
    first: Mutex<Option<Arc<dyn Index>>>,
}

#[derive(Debug)]
struct BrokenIndex {
    fault: Fault,
    inner: Arc<dyn Index>,
    turn: AtomicUsize,
}

#[async_trait]
impl Router for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    async fn index(&self, servers: &[Arc<ServerTools>]) -> Result<Arc<dyn Index>> {
        if self.fault == Fault::FearsTheEmptySet && servers.is_empty() {
            return Err(Error::new(ErrorKind::Internal, "index nothing"));
        }
        let mut servers = servers.to_vec();
        if self.fault == Fault::SortsServers {
            servers.sort_by(|a, b| a.server().cmp(b.server()));
        }
        let mut inner = FakeRouter.index(&servers).await?;
        if self.fault == Fault::KeepsTheFirstIndex {
            inner = Arc::clone(self.first.lock().expect("no panic").get_or_insert(inner));
        }
        Ok(Arc::new(BrokenIndex { fault: self.fault, inner, turn: AtomicUsize::new(0) }))
    }
}

#[async_trait]
impl Index for BrokenIndex {
    async fn rank(&self, query: &Query<'_>) -> Result<Ranking> {
        let all = |_| true;
        let wider = match self.fault {
            Fault::IgnoresVisible | Fault::FiltersTooLate => Query { visible: &all, ..*query },
            Fault::IgnoresTheLimit | Fault::WorstFirst => Query { limit: 100, ..*query },
            Fault::IgnoresMinScore => Query { min_score: 0.0, ..*query },
            Fault::FearsLongQueries if query.text.len() > 10_000 => {
                return Err(Error::new(ErrorKind::TooLarge, "read the query"));
            }
            _ => *query,
        };
        let mut matches = self.inner.rank(&wider).await?.matches;
        let invented = |score| Match { tool: ToolRef { server: 99, tool: 0 }, score, reasoning: "x".into() };
        match self.fault {
            Fault::InventsTools if !matches.is_empty() => matches.push(invented(0.0)),
            Fault::FiltersTooLate => matches.retain(|found| (query.visible)(found.tool)),
            Fault::RisingScores => {
                for (place, found) in matches.iter_mut().enumerate() {
                    found.score = (found.score / 4.0 + place as f32 / 4.0).min(1.0);
                }
            }
            Fault::ScoresAboveOne => matches.iter_mut().for_each(|found| found.score *= 7.0),
            Fault::RepeatsTools => matches = matches.iter().flat_map(|found| [found.clone(), found.clone()]).collect(),
            Fault::Random if !matches.is_empty() => {
                let turn = self.turn.fetch_add(1, Relaxed) % matches.len();
                matches.rotate_left(turn);
            }
            Fault::AlwaysAnswers if matches.is_empty() && query.limit > 0 => {
                matches.push(Match { tool: ToolRef { server: 0, tool: 0 }, ..invented(0.1) });
            }
            Fault::WorstFirst => {
                matches.reverse();
                matches.iter_mut().for_each(|found| found.score = 0.5);
                matches.truncate(query.limit);
            }
            Fault::SeveralLines => matches.iter_mut().for_each(|found| found.reasoning = "a\nb".into()),
            _ => {}
        }
        Ok(matches.into())
    }
}

#[tokio::test]
async fn every_fault_is_caught() {
    let table: [(Fault, &[&str]); 16] = [
        (Fault::InventsTools, &["matches_are_tools_of_the_set"]),
        (Fault::IgnoresVisible, &["only_visible_tools_come"]),
        (Fault::FiltersTooLate, &["what_is_hidden_makes_room"]),
        (Fault::RisingScores, &["scores_lie_in_0_to_1_and_never_rise"]),
        (Fault::ScoresAboveOne, &["scores_lie_in_0_to_1_and_never_rise"]),
        (Fault::IgnoresTheLimit, &["no_more_matches_than_the_limit"]),
        (Fault::RepeatsTools, &["each_tool_comes_once"]),
        (Fault::IgnoresMinScore, &["nothing_below_min_score_comes"]),
        (Fault::Random, &["equal_input_gives_equal_output"]),
        (Fault::AlwaysAnswers, &["nothing_relevant_gives_an_empty_list"]),
        (Fault::WorstFirst, &["the_tool_that_fits_comes_first"]),
        (Fault::KeepsTheFirstIndex, &["an_index_does_not_change_when_another_is_made"]),
        (Fault::SeveralLines, &["the_reasoning_is_one_line"]),
        (Fault::FearsLongQueries, &["any_text_is_a_query"]),
        (Fault::FearsTheEmptySet, &["an_empty_set_is_no_error"]),
        (Fault::SortsServers, &["places_follow_the_order_of_the_servers"]),
    ];
    for (fault, broken) in table {
        let make = move || async move { Arc::new(Broken { fault, first: Mutex::default() }) as Arc<dyn Router> };
        check(&format!("{fault:?}"), suites::router(make), broken).await;
    }
}
