//! Time, money and patience. The clock stands still but for what is waited for.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Error, ErrorKind, Index};
use router_openai::{ChatReply, OpenAiRouterConfig, Usage};
use tokio::task::JoinSet;
use tokio::time::{Instant, advance};

use crate::catalogue::{ask, assert_beneath_answered, index};
use crate::fake_model::{FakeModel, busy, reply};

const EMPTY: &str = r#"{"matches":[]}"#;

/// Nothing is kept, nothing is limited.
fn config() -> OpenAiRouterConfig {
    OpenAiRouterConfig {
        cache_entries: 0,
        max_calls_per_minute: 0,
        max_tokens_per_day: 0,
        failures_to_open: 0,
        ..OpenAiRouterConfig::default()
    }
}

async fn is_judged(index: &dyn Index) -> bool {
    ask(index, "file").await.answered_by.is_none()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn a_silent_model_costs_the_time_that_is_set_and_no_more() {
    let model = FakeModel::silent();
    let index = index(&model, OpenAiRouterConfig { timeout: seconds(3), ..config() }).await;
    let start = Instant::now();
    assert_beneath_answered(&ask(&*index, "file").await, "file").await;
    let took = start.elapsed();
    assert!(took >= seconds(3) && took < seconds(4), "{took:?}");
    assert_eq!(model.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn trouble_that_passes_is_waited_out() {
    let model = FakeModel::new(|count, _| std::future::ready(if count < 2 { Err(busy()) } else { Ok(reply(EMPTY)) }));
    let index = index(&model, config()).await;
    assert!(is_judged(&*index).await);
    assert_eq!(model.count(), 3);
}

#[tokio::test(start_paused = true)]
async fn attempts_have_an_end() {
    let model = FakeModel::new(|_, _| std::future::ready(Err(busy())));
    let index = index(&model, OpenAiRouterConfig { max_retries: 4, timeout: seconds(3_600), ..config() }).await;
    let start = Instant::now();
    assert_beneath_answered(&ask(&*index, "file").await, "file").await;
    assert_eq!(model.count(), 5);
    let took = start.elapsed();
    // 250 + 500 + 1000 + 2000 milliseconds, of each up to a half less.
    assert!(took >= Duration::from_millis(1_875) && took <= Duration::from_millis(3_760), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_retry_cannot_mend_is_not_tried_again() {
    for kind in [ErrorKind::Unauthenticated, ErrorKind::InvalidRequest, ErrorKind::InvalidArguments] {
        let model = FakeModel::failing(kind);
        assert!(!is_judged(&*index(&model, config()).await).await);
        assert_eq!(model.count(), 1, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_that_the_provider_asks_for_is_kept_where_there_is_so_much() {
    let model = FakeModel::new(|count, _| {
        std::future::ready(if count == 0 { Err(busy().with_retry_after_ms(4_000)) } else { Ok(reply(EMPTY)) })
    });
    let patient = index(&model, OpenAiRouterConfig { timeout: seconds(5), ..config() }).await;
    let start = Instant::now();
    assert!(is_judged(&*patient).await);
    assert!(start.elapsed() >= seconds(4));
    let model = FakeModel::new(|_, _| std::future::ready(Err(busy().with_retry_after_ms(4_000))));
    let hasty = index(&model, OpenAiRouterConfig { timeout: seconds(3), ..config() }).await;
    let start = Instant::now();
    assert!(!is_judged(&*hasty).await);
    assert_eq!((model.count(), start.elapsed()), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_model_that_fails_again_and_again_is_left_alone() {
    let model = FakeModel::new(|count, _| {
        let failed = Error::new(ErrorKind::UpstreamFailed, "fail");
        std::future::ready(if count < 4 { Err(failed) } else { Ok(reply(EMPTY)) })
    });
    let index = index(&model, OpenAiRouterConfig { failures_to_open: 3, cool_down: seconds(10), ..config() }).await;
    for _ in 0..20 {
        assert_beneath_answered(&ask(&*index, "file").await, "file").await;
    }
    assert_eq!(model.count(), 3);
    advance(seconds(10)).await;
    for _ in 0..5 {
        assert!(!is_judged(&*index).await);
    }
    assert_eq!(model.count(), 4, "one tries after the cool-down");
    advance(seconds(10)).await;
    for _ in 0..5 {
        assert!(is_judged(&*index).await);
    }
    assert_eq!(model.count(), 9);
}

#[tokio::test(start_paused = true)]
async fn silence_counts_as_failure() {
    let model = FakeModel::silent();
    let index = index(&model, OpenAiRouterConfig { failures_to_open: 2, cool_down: seconds(60), ..config() }).await;
    let start = Instant::now();
    for _ in 0..5 {
        assert!(!is_judged(&*index).await);
    }
    assert_eq!(model.count(), 2);
    assert!(start.elapsed() < seconds(21), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_search_that_goes_away_counts_as_nothing() {
    let model = FakeModel::silent();
    let index = index(&model, OpenAiRouterConfig { failures_to_open: 1, ..config() }).await;
    for count in 1..=5 {
        let left = tokio::time::timeout(seconds(1), ask(&*index, "file")).await;
        assert!(left.is_err());
        assert_eq!(model.count(), count);
    }
}

#[tokio::test(start_paused = true)]
async fn no_minute_has_more_requests_than_allowed() {
    let model = FakeModel::new(|count, _| std::future::ready(if count == 0 { Err(busy()) } else { Ok(reply(EMPTY)) }));
    let index = index(&model, OpenAiRouterConfig { max_calls_per_minute: 3, ..config() }).await;
    // The first search takes two.
    let judged = [is_judged(&*index).await, is_judged(&*index).await, is_judged(&*index).await];
    assert_eq!((judged, model.count()), ([true, true, false], 3));
    assert_beneath_answered(&ask(&*index, "file").await, "file").await;
    advance(seconds(60)).await;
    assert!(is_judged(&*index).await);
}

#[tokio::test(start_paused = true)]
async fn no_day_has_more_tokens_than_allowed() {
    let model = FakeModel::new(|_, _| {
        let usage = Usage { input_tokens: 4_000, output_tokens: 1_000 };
        std::future::ready(Ok(ChatReply { text: EMPTY.to_owned(), usage: Some(usage) }))
    });
    let index = index(&model, OpenAiRouterConfig { max_tokens_per_day: 20_000, ..config() }).await;
    let mut judged = 0;
    while is_judged(&*index).await {
        judged += 1;
    }
    // A request is estimated at about 3,000 tokens, so that a fourth one fits in, and a fifth does not.
    assert_eq!((judged, model.count()), (4, 4));
    advance(seconds(24 * 3_600)).await;
    assert!(is_judged(&*index).await);
}

#[tokio::test(start_paused = true)]
async fn what_was_turned_away_costs_no_tokens_and_what_may_have_been_read_does() {
    let limited = || OpenAiRouterConfig { max_tokens_per_day: 10_000, ..config() };
    for (kind, is_judged_later) in [
        (ErrorKind::RateLimited, true),
        (ErrorKind::Unavailable, true),
        (ErrorKind::Unauthenticated, true),
        (ErrorKind::UpstreamFailed, false),
        (ErrorKind::TooLarge, false),
    ] {
        let model = FakeModel::new(move |count, _| {
            let failed = Error::new(kind, "fail");
            std::future::ready(if count < 4 { Err(failed) } else { Ok(reply(EMPTY)) })
        });
        let index = index(&model, limited()).await;
        for _ in 0..4 {
            assert!(!is_judged(&*index).await);
        }
        assert_eq!(is_judged(&*index).await, is_judged_later, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_does_not_say_what_it_cost_is_estimated() {
    let model = FakeModel::new(|_, _| std::future::ready(Ok(ChatReply { text: EMPTY.to_owned(), usage: None })));
    let index = index(&model, OpenAiRouterConfig { max_tokens_per_day: 10_000, ..config() }).await;
    let mut judged = 0;
    while is_judged(&*index).await {
        judged += 1;
    }
    assert!((2..=4).contains(&judged), "{judged}");
}

#[tokio::test(start_paused = true)]
async fn no_more_are_under_way_than_allowed() {
    let model = FakeModel::new(|_, _| async {
        tokio::time::sleep(seconds(2)).await;
        Ok(reply(EMPTY))
    });
    let index = index(&model, OpenAiRouterConfig { max_concurrency: 2, timeout: seconds(5), ..config() }).await;
    let mut searches = JoinSet::new();
    for number in 0..6 {
        let index = Arc::clone(&index);
        searches.spawn(async move { ask(&*index, &format!("file {number}")).await.answered_by.is_none() });
    }
    for (pause_ms, begun) in [(1_000, 2), (2_000, 4), (1_500, 6)] {
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        assert_eq!(model.count(), begun);
    }
    let judged = searches.join_all().await.into_iter().filter(|judged| *judged).count();
    assert_eq!(judged, 4, "the last two had a second left");
}

#[tokio::test]
async fn times_without_end_are_taken() {
    let model = FakeModel::sensible();
    let forever = Duration::MAX;
    let index = index(
        &model,
        OpenAiRouterConfig {
            timeout: forever,
            cool_down: forever,
            cache_ttl: forever,
            max_concurrency: usize::MAX,
            ..config()
        },
    )
    .await;
    assert!(is_judged(&*index).await);
}
