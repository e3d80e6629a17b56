//! What is answered while a part is missing.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use gateway_core::{Error, ErrorKind, Index, Query, Ranking, Result, Router, ServerTools};
use router_hybrid::{HybridRouter, Part};
use tokio::time::{sleep, timeout};

use crate::catalogue::{meaning, names, query, servers, words};

/// A router whose service comes and goes.
#[derive(Debug, Default)]
struct Flaky {
    name: &'static str,
    /// How many indexes fail before one is made.
    failing: usize,
    /// Whether queries are answered at all.
    answers: bool,
    /// How many indexes were asked for.
    asked: AtomicUsize,
    /// Points to as many values as indexes are being made.
    making: Arc<()>,
}

#[async_trait]
impl Router for Flaky {
    fn name(&self) -> &str {
        self.name
    }

    async fn index(&self, servers: &[Arc<ServerTools>]) -> Result<Arc<dyn Index>> {
        let _making = Arc::clone(&self.making);
        if self.failing == usize::MAX {
            pending::<()>().await;
        }
        if self.asked.fetch_add(1, Ordering::Relaxed) < self.failing {
            return Err(unavailable(self.name));
        }
        let index = HybridRouter::new(vec![meaning()]).index(servers).await?;
        Ok(if self.answers { index } else { Arc::new(Silent(self.name)) })
    }
}

#[derive(Debug)]
struct Silent(&'static str);

#[async_trait]
impl Index for Silent {
    async fn rank(&self, _query: &Query<'_>) -> Result<Ranking> {
        Err(unavailable(self.0))
    }
}

fn unavailable(name: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("ask {name}: nobody answers"))
}

/// A part by meaning whose queries all fail.
fn silent(name: &'static str) -> Part {
    Part::by_meaning(Arc::new(Flaky { name, ..Flaky::default() }))
}

/// Which tool is first, and who answered.
async fn first(index: &dyn Index, text: &str) -> (Option<String>, Option<String>) {
    let ranking = index.rank(&query(text)).await.expect("a part is left");
    let first = names(&servers(), &ranking.matches).into_iter().next();
    (first, ranking.answered_by.map(Into::into))
}

#[tokio::test]
async fn a_part_that_fails_is_done_without() {
    let cases = [
        (vec![words(), silent("remote")], "hybrid (remote unavailable)"),
        (vec![silent("remote"), words()], "hybrid (remote unavailable)"),
        (vec![silent("a"), words(), silent("b")], "hybrid (a, b unavailable)"),
    ];
    for (parts, answered_by) in cases {
        let index = HybridRouter::new(parts).index(&servers()).await.expect("only queries fail");
        let (found, who) = first(&*index, "delete event").await;
        assert_eq!((found.as_deref(), who.as_deref()), (Some("calendar/delete_event"), Some(answered_by)));
    }
}

#[tokio::test]
async fn the_router_itself_answers_where_all_parts_do() {
    let index = HybridRouter::new(vec![words(), meaning()]).index(&servers()).await.expect("it needs no service");
    assert_eq!(first(&*index, "delete event").await, (Some("calendar/delete_event".to_owned()), None));
}

#[tokio::test]
async fn where_all_parts_fail_the_first_error_comes_back() {
    let index = HybridRouter::new(vec![silent("one"), silent("two")]).index(&servers()).await.expect("queries fail");
    let error = index.rank(&query("delete event")).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("ask one")), (ErrorKind::Unavailable, true), "{error}");
}

#[tokio::test]
async fn no_index_is_made_where_a_part_that_is_waited_for_has_none() {
    let part = Part::by_meaning(Arc::new(Flaky { name: "remote", failing: 1, ..Flaky::default() }));
    let error = HybridRouter::new(vec![words(), part]).index(&servers()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_part_in_the_background_joins_when_its_index_is_there() {
    let flaky = Arc::new(Flaky { name: "slow", failing: 2, answers: true, ..Flaky::default() });
    let part = Part::by_meaning(Arc::clone(&flaky) as Arc<dyn Router>).in_background();
    let index = HybridRouter::new(vec![words(), part]).index(&servers()).await.expect("nobody waits for the slow part");
    let without = Some("hybrid (slow unavailable)".to_owned());
    // Words alone know nothing of euros.
    assert_eq!(first(&*index, "how many euros are fifty dollars").await, (None, without.clone()));
    assert_eq!(first(&*index, "delete event").await, (Some("calendar/delete_event".to_owned()), without.clone()));
    // It fails at once and after a second, and is there after two more.
    sleep(Duration::from_millis(2_900)).await;
    assert_eq!(
        (flaky.asked.load(Ordering::Relaxed), first(&*index, "how many euros are fifty dollars").await),
        (2, (None, without))
    );
    sleep(Duration::from_millis(200)).await;
    assert_eq!(flaky.asked.load(Ordering::Relaxed), 3);
    assert_eq!(
        first(&*index, "how many euros are fifty dollars").await,
        (Some("money/convert_currency".to_owned()), None)
    );
    // Then it is made, and not again.
    sleep(Duration::from_secs(600)).await;
    assert_eq!(flaky.asked.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn attempts_become_rarer_and_never_stop() {
    let flaky = Arc::new(Flaky { name: "gone", failing: 1_000, ..Flaky::default() });
    let part = Part::by_meaning(Arc::clone(&flaky) as Arc<dyn Router>).in_background();
    let _index = HybridRouter::new(vec![words(), part]).index(&servers()).await.expect("nobody waits for it");
    // At 0, 1, 3, 7, 15, 31, 63 seconds, and each minute from then on.
    sleep(Duration::from_millis(63_500)).await;
    assert_eq!(flaky.asked.load(Ordering::Relaxed), 7);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(flaky.asked.load(Ordering::Relaxed), 17);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_index_ends_the_making() {
    for failing in [usize::MAX, 1_000] {
        let flaky = Arc::new(Flaky { name: "slow", failing, ..Flaky::default() });
        let part = Part::by_meaning(Arc::clone(&flaky) as Arc<dyn Router>).in_background();
        let index = HybridRouter::new(vec![words(), part]).index(&servers()).await.expect("nobody waits for it");
        sleep(Duration::from_millis(500)).await;
        let (asked, making) = (flaky.asked.load(Ordering::Relaxed), Arc::strong_count(&flaky.making));
        assert_eq!((asked, making), if failing == usize::MAX { (0, 2) } else { (1, 1) });
        drop(index);
        let ended = async {
            // This test and nobody else: the task has let go of the router, too.
            while Arc::strong_count(&flaky) > 1 {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(1), ended).await.expect("the making has ended");
        sleep(Duration::from_secs(600)).await;
        assert_eq!((flaky.asked.load(Ordering::Relaxed), Arc::strong_count(&flaky.making)), (asked, 1));
    }
}
