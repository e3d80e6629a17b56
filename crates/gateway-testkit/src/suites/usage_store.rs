//! What every usage store must do.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::try_join_all;
use gateway_core::{Error, UsageChunk, UsageStore};
use uuid::Uuid;

use crate::Suite;
use crate::suite::{Verdict, ensure, ensure_eq, suite};

/// Where the periods of all behaviours begin, but those that are forgotten: 2033.
const EPOCH_MS: u64 = 2_000_000_000_000;

type Store = Arc<dyn UsageStore>;

/// The behaviours of [`UsageStore`]. `make` opens a store that nobody else uses, because what is forgotten is
/// forgotten for all; it may be one and the same each time.
pub fn usage_store<F>(make: impl Fn() -> F + Send + Sync + 'static) -> Suite
where
    F: Future<Output = Store> + Send + 'static,
{
    suite!(
        "usage store",
        make,
        [
            what_is_kept_is_loaded,
            keep_replaces_what_was_kept_of_that_period,
            sources_and_periods_are_kept_apart,
            many_keeps_at_once_are_all_kept,
            load_begins_at_from_and_ends_before_until,
            load_is_in_order_of_beginning_and_then_of_source,
            an_empty_window_holds_nothing,
            beginnings_are_kept_to_the_millisecond,
            forget_drops_what_begins_before_and_nothing_else,
            data_is_opaque,
        ]
    )
}

async fn what_is_kept_is_loaded(store: Store) -> Verdict {
    let hour = hour();
    ensure_eq!(load(&store, hour, 3_600_000).await?, Vec::new(), "a window of which nothing was kept");
    let chunk = kept(&store, chunk(hour, &source(), "counts")).await?;
    ensure_eq!(load(&store, hour, 3_600_000).await?, vec![chunk], "what was kept");
    Ok(())
}

async fn keep_replaces_what_was_kept_of_that_period(store: Store) -> Verdict {
    let (hour, source) = (hour(), source());
    for data in ["first, and longer", "second", "second", ""] {
        let chunk = kept(&store, chunk(hour, &source, data)).await?;
        ensure_eq!(load(&store, hour, 1).await?, vec![chunk], "what was kept last");
    }
    Ok(())
}

async fn sources_and_periods_are_kept_apart(store: Store) -> Verdict {
    let hour = hour();
    let base = source();
    let mut chunks = Vec::new();
    for at in [hour, hour + 60_000] {
        for source in [format!("{base}-"), format!("{base}A"), format!("{base}_"), format!("{base}a")] {
            chunks.push(kept(&store, chunk(at, &source, &format!("{at} {source}"))).await?);
        }
    }
    ensure_eq!(load(&store, hour, 3_600_000).await?, chunks, "two periods of four sources");
    Ok(())
}

async fn many_keeps_at_once_are_all_kept(store: Store) -> Verdict {
    let (hour, source) = (hour(), source());
    let chunks: Vec<_> = (0..32).map(|minute| chunk(hour + minute * 60_000, &source, &minute.to_string())).collect();
    try_join_all(chunks.iter().map(|chunk| store.keep(chunk.clone()))).await.map_err(unexpected("keep"))?;
    ensure_eq!(load(&store, hour, 3_600_000).await?, chunks, "what 32 keeps at once kept");
    Ok(())
}

async fn load_begins_at_from_and_ends_before_until(store: Store) -> Verdict {
    let (hour, source) = (hour(), source());
    let mut chunks = Vec::new();
    for at in [hour, hour + 1, hour + 59_999, hour + 60_000] {
        chunks.push(kept(&store, chunk(at, &source, "x")).await?);
    }
    ensure_eq!(load(&store, hour + 1, 59_999).await?, chunks[1..3].to_vec(), "a window in the middle");
    ensure_eq!(load(&store, hour, 60_001).await?, chunks, "a window round all");
    Ok(())
}

async fn load_is_in_order_of_beginning_and_then_of_source(store: Store) -> Verdict {
    let hour = hour();
    let base = source();
    for at in [hour + 999, hour + 60_000, hour, hour + 1_000] {
        for tail in ["b", "Z", "10", "9", "_", "-", "a"] {
            kept(&store, chunk(at, &format!("{base}{tail}"), "x")).await?;
        }
    }
    let loaded = load(&store, hour, 3_600_000).await?;
    ensure_eq!(loaded.len(), 28, "the number of chunks");
    let in_order = loaded.is_sorted_by(|a, b| (a.begins_at, &a.source) < (b.begins_at, &b.source));
    ensure!(in_order, "not in order of beginning and then of source: {loaded:?}");
    Ok(())
}

async fn an_empty_window_holds_nothing(store: Store) -> Verdict {
    let hour = hour();
    kept(&store, chunk(hour, &source(), "x")).await?;
    for (from, until) in [(hour, hour), (hour + 60_000, hour)] {
        let loaded = store.load(time(from), time(until)).await.map_err(unexpected("load"))?;
        ensure_eq!(loaded, Vec::new(), "a window without length");
    }
    Ok(())
}

async fn beginnings_are_kept_to_the_millisecond(store: Store) -> Verdict {
    let (hour, source) = (hour(), source());
    let chunk = kept(&store, chunk(hour + 123, &source, "x")).await?;
    ensure_eq!(load(&store, hour, 3_600_000).await?, vec![chunk], "a period that begins between seconds");
    Ok(())
}

/// The only behaviour that forgets, and of a time before that of all others.
async fn forget_drops_what_begins_before_and_nothing_else(store: Store) -> Verdict {
    let hour = EPOCH_MS / 2;
    let (one, other) = (format!("a{}", source()), format!("b{}", source()));
    for at in [hour - 86_400_000, hour - 1, hour, hour + 1] {
        for source in [&one, &other] {
            kept(&store, chunk(at, source, "x")).await?;
        }
    }
    for _ in 0..2 {
        store.forget(time(hour)).await.map_err(unexpected("forget"))?;
        let left = store.load(time(hour - 86_400_000), time(hour + 60_000)).await.map_err(unexpected("load"))?;
        let left: Vec<_> = left.into_iter().map(|chunk| (chunk.begins_at, chunk.source)).collect();
        let expected = [(hour, &one), (hour, &other), (hour + 1, &one), (hour + 1, &other)];
        ensure_eq!(left, expected.map(|(at, source)| (time(at), source.clone())).to_vec(), "what is left");
    }
    Ok(())
}

async fn data_is_opaque(store: Store) -> Verdict {
    let hour = hour();
    let every_byte: Vec<u8> = (0..=255).collect();
    let contents = [Vec::new(), every_byte, b"not\xff utf-8 \0".to_vec(), vec![b'x'; 1 << 20]];
    for (minute, data) in (0..).zip(contents) {
        let at = hour + minute * 60_000;
        kept(&store, UsageChunk { data: Bytes::from(data.clone()), ..chunk(at, &source(), "") }).await?;
        let loaded = load(&store, at, 1).await?;
        let same = loaded.len() == 1 && loaded[0].data == data;
        ensure!(same, "{} bytes of data came back changed", data.len());
    }
    Ok(())
}

/// The beginning of an hour that no other behaviour uses.
fn hour() -> u64 {
    let random = Uuid::new_v4().as_u64_pair().0;
    EPOCH_MS + random % 1_000_000 * 86_400_000
}

fn source() -> String {
    Uuid::new_v4().simple().to_string()
}

fn time(ms: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
}

fn chunk(begins_at: u64, source: &str, data: &str) -> UsageChunk {
    let data = Bytes::copy_from_slice(data.as_bytes());
    UsageChunk { source: source.to_owned(), begins_at: time(begins_at), data }
}

async fn kept(store: &Store, chunk: UsageChunk) -> Result<UsageChunk, String> {
    store.keep(chunk.clone()).await.map_err(unexpected("keep"))?;
    Ok(chunk)
}

async fn load(store: &Store, from: u64, length: u64) -> Result<Vec<UsageChunk>, String> {
    store.load(time(from), time(from + length)).await.map_err(unexpected("load"))
}

fn unexpected(what: &str) -> impl Fn(Error) -> String + '_ {
    move |error| format!("{what} failed: {error:?}")
}
