//! Counts outlive the process, and meet those of others.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gateway_core::{ErrorKind, Usage as _, UsageChunk, UsageGroup, UsageQuery, UsageStore as _};
use gateway_testkit::fakes::{Answer, FakeServer, FakeUsageStore};
use gateway_usage::UsageConfig;

use crate::harness::{Counted, HandClock, Log, NOON, rows};

fn server() -> FakeServer {
    FakeServer::new().with_tool("echo", "repeats", Answer::echo()).with_tool("other", "", Answer::echo())
}

async fn process(server: &FakeServer, store: &Arc<FakeUsageStore>, clock: &HandClock) -> Counted {
    configured(server, store, clock, UsageConfig::default()).await
}

async fn configured(
    server: &FakeServer,
    store: &Arc<FakeUsageStore>,
    clock: &HandClock,
    config: UsageConfig,
) -> Counted {
    Counted::with(&[("a", server)], config, clock.clone(), Some(Arc::<FakeUsageStore>::clone(store))).await
}

impl Counted {
    async fn call_times(&self, tool: &str, times: usize) {
        let caller = self.caller("rest", None).await;
        for _ in 0..times {
            self.call(&caller, tool, "{}").await.expect("answered");
        }
    }
}

#[tokio::test]
async fn a_restart_loses_nothing_that_was_written() {
    let (server, store, clock) = (server(), Arc::new(FakeUsageStore::new()), HandClock::new());
    let first = process(&server, &store, &clock).await;
    first.call_times("echo", 3).await;
    clock.advance(120);
    first.call_times("other", 1).await;
    first.recorder.flush().await.expect("written");
    drop(first);

    let second = process(&server, &store, &clock).await;
    second.call_times("echo", 2).await;
    for minutes in [15, 24 * 60] {
        assert_eq!(second.calls(minutes, UsageGroup::Tool).await, rows(&[("a/echo", 5), ("a/other", 1)]), "{minutes}");
        // Once written, it is not counted twice.
        second.recorder.flush().await.expect("written");
    }
    // Two minutes later the first three calls are out of a window of a minute.
    assert_eq!(second.calls(1, UsageGroup::Tool).await, rows(&[("a/echo", 2), ("a/other", 1)]));
    assert_eq!(store.chunks().len(), 2);
    let hour = NOON - NOON % 3600;
    for chunk in store.chunks() {
        assert_eq!(chunk.begins_at, SystemTime::UNIX_EPOCH + Duration::from_secs(hour));
        assert!(
            (1..=64).contains(&chunk.source.len()) && chunk.source.bytes().all(|byte| byte.is_ascii_alphanumeric())
        );
    }
}

#[tokio::test]
async fn processes_see_each_others_counts() {
    let (server, store, clock) = (server(), Arc::new(FakeUsageStore::new()), HandClock::new());
    let one = process(&server, &store, &clock).await;
    let two = process(&server, &store, &clock).await;
    one.call_times("echo", 3).await;
    two.call_times("echo", 4).await;
    two.call_times("other", 1).await;
    // What is in another's memory only is not seen yet.
    assert_eq!(one.calls(15, UsageGroup::Tool).await, rows(&[("a/echo", 3)]));
    for process in [&one, &two] {
        process.recorder.flush().await.expect("written");
    }
    for process in [&one, &two] {
        for minutes in [15, 24 * 60] {
            let report = process.report(minutes, UsageGroup::Tool).await;
            assert_eq!((report.total.calls, report.unused_total), (8, 0));
            assert_eq!(process.calls(minutes, UsageGroup::Tool).await, rows(&[("a/echo", 7), ("a/other", 1)]));
        }
    }
}

#[tokio::test]
async fn a_store_that_is_away_gets_everything_later() {
    let (server, store, clock) = (server(), Arc::new(FakeUsageStore::new()), HandClock::new());
    let counted = process(&server, &store, &clock).await;
    store.set_unreachable(true);
    for _ in 0..3 {
        counted.call_times("echo", 1).await;
        assert_eq!(counted.recorder.flush().await.expect_err("away").kind(), ErrorKind::Unavailable);
        clock.advance(3600);
    }
    let query = UsageQuery { window: Duration::from_secs(60), group: UsageGroup::Tool, limit: 5 };
    assert_eq!(counted.recorder.report(&query, &[]).await.expect_err("away").kind(), ErrorKind::Unavailable);
    store.set_unreachable(false);
    counted.recorder.flush().await.expect("written");
    assert_eq!(store.chunks().len(), 3);
    assert_eq!(process(&server, &store, &clock).await.calls(24 * 60, UsageGroup::Tool).await, rows(&[("a/echo", 3)]));
}

#[tokio::test(start_paused = true)]
async fn tending_writes_again_and_again_and_says_once_that_it_cannot() {
    let (server, store, clock) = (server(), Arc::new(FakeUsageStore::new()), HandClock::new());
    let (log, counted) = (Log::default(), process(&server, &store, &clock).await);
    let _listening = log.listen();
    let mut tending = Box::pin(counted.recorder.tend());
    let mut tend_for = async |seconds| {
        let patience = Duration::from_secs(seconds);
        assert!(tokio::time::timeout(patience, &mut tending).await.is_err(), "it never ends");
    };
    counted.call_times("echo", 1).await;
    tend_for(1).await;
    let first = store.chunks();
    assert_eq!(first.len(), 1);
    counted.call_times("echo", 1).await;
    tend_for(10).await;
    assert_eq!(store.chunks(), first);
    tend_for(20).await;
    assert_ne!(store.chunks(), first);

    store.set_unreachable(true);
    counted.call_times("echo", 1).await;
    let before = store.chunks();
    tend_for(300).await;
    assert_eq!(log.text().matches("cannot be written").count(), 1, "{}", log.text());
    store.set_unreachable(false);
    tend_for(31).await;
    assert_ne!(store.chunks(), before);
    assert_eq!(log.text().matches("reach their store again").count(), 1, "{}", log.text());
}

#[tokio::test]
async fn old_hours_lose_their_minutes_and_are_forgotten_at_last() {
    let (server, store, clock) = (server(), Arc::new(FakeUsageStore::new()), HandClock::new());
    let counted = process(&server, &store, &clock).await;
    for _ in 0..30 {
        counted.call_times("echo", 1).await;
        clock.advance(60);
    }
    counted.recorder.flush().await.expect("written");
    let with_minutes = store.chunks().iter().map(|chunk| chunk.data.len()).sum::<usize>();
    clock.advance(5 * 3600);
    counted.recorder.flush().await.expect("written");
    let without = store.chunks().iter().map(|chunk| chunk.data.len()).sum::<usize>();
    assert!(without * 5 < with_minutes, "{with_minutes} bytes became {without}");
    clock.advance(29 * 24 * 3600);
    counted.recorder.flush().await.expect("written");
    assert_eq!(store.chunks().len(), 1);
    clock.advance(24 * 3600);
    counted.recorder.flush().await.expect("written");
    assert_eq!(store.chunks(), []);
}

#[tokio::test]
async fn a_chunk_that_cannot_be_read_is_left_out_with_one_warning() {
    let (server, store, clock) = (server(), Arc::new(FakeUsageStore::new()), HandClock::new());
    let other = process(&server, &store, &clock).await;
    other.call_times("echo", 2).await;
    other.recorder.flush().await.expect("written");
    let good = store.chunks().remove(0);
    for (source, data) in [
        ("newer", Bytes::from_static(b"mgu\x02\0\0\0")),
        ("garbage", Bytes::from_static(b"\xff\xff\xff\xff")),
        ("empty", Bytes::new()),
        ("cut", good.data.slice(..good.data.len() - 1)),
    ] {
        let chunk = UsageChunk { source: source.to_owned(), begins_at: good.begins_at, data };
        store.keep(chunk).await.expect("kept");
    }
    let (log, counted) = (Log::default(), process(&server, &store, &clock).await);
    let _listening = log.listen();
    counted.call_times("echo", 1).await;
    for minutes in [15, 24 * 60] {
        assert_eq!(counted.calls(minutes, UsageGroup::Tool).await[0].0, "a/echo");
    }
    assert_eq!(counted.calls(15, UsageGroup::Tool).await, rows(&[("a/echo", 3)]));
    assert_eq!(log.text().matches("WARN").count(), 1, "{}", log.text());
    assert!(log.text().contains("left out of reports"), "{}", log.text());
}

#[tokio::test]
async fn words_of_searches_go_into_the_store_only_where_that_is_wanted() {
    for (queries, store_queries, here, there) in [(true, false, 1, 0), (true, true, 1, 1), (false, true, 0, 0)] {
        let (server, store, clock) = (server(), Arc::new(FakeUsageStore::new()), HandClock::new());
        let config = UsageConfig { queries, store_queries, ..UsageConfig::default() };
        let counted = configured(&server, &store, &clock, config.clone()).await;
        let caller = counted.caller("rest", None).await;
        counted.search(&caller, "hushhush").await;
        counted.search(&caller, "repeats hushhush").await;
        counted.call(&caller, "echo", "{}").await.expect("answered");
        counted.recorder.flush().await.expect("written");
        let written = store.chunks().iter().any(|chunk| String::from_utf8_lossy(&chunk.data).contains("hushhush"));
        assert_eq!(written, there == 1, "{config:?}");
        let next = configured(&server, &store, &clock, config).await;
        for (process, expected) in [(&counted, here), (&next, there)] {
            let searches = process.report(15, UsageGroup::Tool).await.searches;
            assert_eq!((searches.total, searches.without_match), (2, 1));
            assert_eq!(searches.unmatched_queries.len(), expected);
            let led = &searches.led_to[0];
            assert_eq!((led.tool.as_str(), led.count, led.query.is_empty()), ("a/echo", 1, expected == 0));
        }
        assert!(!format!("{:?}", counted.recorder).contains("hushhush"));
    }
}
