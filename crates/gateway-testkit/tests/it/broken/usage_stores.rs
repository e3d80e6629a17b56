//! Usage stores with one fault each.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use gateway_core::{Result, UsageChunk, UsageStore};
use gateway_testkit::fakes::FakeUsageStore;
use gateway_testkit::suites;

use super::check;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    KeepsTheFirst,
    AddsUp,
    MixesSources,
    FoldsCase,
    WholeSeconds,
    LoadsUntilInclusive,
    LoadsFromExclusive,
    LoadsEverything,
    LosesThePlaceInOrder,
    ForgetsNothing,
    ForgetsItsOwnBeginning,
    ForgetsEverything,
    ReadsUtf8,
    KeepsTheNewestOnly,
}

#[derive(Debug)]
struct Broken(Fault, FakeUsageStore);

const MS: Duration = Duration::from_millis(1);

#[async_trait]
impl UsageStore for Broken {
    async fn keep(&self, mut chunk: UsageChunk) -> Result<()> {
        let until = chunk.begins_at + MS;
        let before = self.1.load(chunk.begins_at, until).await?.into_iter().find(|kept| kept.source == chunk.source);
        match (self.0, before) {
            (Fault::KeepsTheFirst, Some(_)) => return Ok(()),
            (Fault::AddsUp, Some(before)) => chunk.data = [before.data, chunk.data].concat().into(),
            (Fault::MixesSources, _) => chunk.source = "one".to_owned(),
            (Fault::FoldsCase, _) => chunk.source = chunk.source.to_lowercase(),
            (Fault::WholeSeconds, _) => {
                let since = chunk.begins_at.duration_since(UNIX_EPOCH).expect("after 1970");
                chunk.begins_at = UNIX_EPOCH + Duration::from_secs(since.as_secs());
            }
            (Fault::ReadsUtf8, _) => chunk.data = String::from_utf8_lossy(&chunk.data).into_owned().into(),
            (Fault::KeepsTheNewestOnly, _) => self.1.forget(chunk.begins_at).await?,
            _ => {}
        }
        self.1.keep(chunk).await
    }

    async fn load(&self, from: SystemTime, until: SystemTime) -> Result<Vec<UsageChunk>> {
        let (from, until) = match self.0 {
            Fault::LoadsUntilInclusive => (from, until + MS),
            Fault::LoadsFromExclusive => (from + MS, until),
            Fault::LoadsEverything => (UNIX_EPOCH, until + Duration::from_secs(1 << 40)),
            _ => (from, until),
        };
        let mut chunks = self.1.load(from, until).await?;
        if self.0 == Fault::LosesThePlaceInOrder {
            chunks.sort_by(|a, b| a.source.cmp(&b.source));
        }
        Ok(chunks)
    }

    async fn forget(&self, before: SystemTime) -> Result<()> {
        match self.0 {
            Fault::ForgetsNothing => Ok(()),
            Fault::ForgetsItsOwnBeginning => self.1.forget(before + MS).await,
            Fault::ForgetsEverything => self.1.forget(before + Duration::from_secs(1 << 40)).await,
            _ => self.1.forget(before).await,
        }
    }
}

#[tokio::test]
async fn every_fault_is_caught() {
    let forgetting: &[&str] = &["forget_drops_what_begins_before_and_nothing_else"];
    let table: [(Fault, &[&str]); 14] = [
        (Fault::KeepsTheFirst, &["keep_replaces_what_was_kept_of_that_period"]),
        (Fault::AddsUp, &["keep_replaces_what_was_kept_of_that_period"]),
        (Fault::MixesSources, &["sources_and_periods_are_kept_apart", "what_is_kept_is_loaded"]),
        (Fault::FoldsCase, &["sources_and_periods_are_kept_apart"]),
        (Fault::WholeSeconds, &["beginnings_are_kept_to_the_millisecond"]),
        (Fault::LoadsUntilInclusive, &["load_begins_at_from_and_ends_before_until", "an_empty_window_holds_nothing"]),
        (Fault::LoadsFromExclusive, &["load_begins_at_from_and_ends_before_until"]),
        (Fault::LoadsEverything, &["load_begins_at_from_and_ends_before_until", "an_empty_window_holds_nothing"]),
        (Fault::LosesThePlaceInOrder, &["load_is_in_order_of_beginning_and_then_of_source"]),
        (Fault::ForgetsNothing, forgetting),
        (Fault::ForgetsItsOwnBeginning, forgetting),
        (Fault::ForgetsEverything, forgetting),
        (Fault::ReadsUtf8, &["data_is_opaque"]),
        (Fault::KeepsTheNewestOnly, &["many_keeps_at_once_are_all_kept"]),
    ];
    for (fault, broken) in table {
        let make = move || async move { Arc::new(Broken(fault, FakeUsageStore::new())) as Arc<dyn UsageStore> };
        check(&format!("{fault:?}"), suites::usage_store(make), broken).await;
    }
}
