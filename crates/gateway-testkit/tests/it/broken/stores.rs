//! Session stores with one fault each.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use gateway_core::{Result, SessionStore, StoredSession};
use gateway_testkit::fakes::FakeStore;
use gateway_testkit::suites;

use super::check;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    IgnoresRevisions,
    NeverForgets,
    CreateOverwrites,
    SaveCreates,
    SaveKeepsTheRevision,
    SaveKeepsTheEnd,
    KeepsTheCallersRevision,
    DeleteSaysNothing,
    DeleteKeeps,
    ListsBackwards,
    ListsEverything,
    FoldsCase,
    ReadsUtf8,
    TearsSaves,
    FindsPatterns,
    CountsSecondsIn32Bits,
}

#[derive(Debug)]
struct Broken(Fault, FakeStore);

#[async_trait]
impl SessionStore for Broken {
    async fn create(&self, mut session: StoredSession) -> Result<()> {
        match self.0 {
            Fault::NeverForgets => session.expires_at = SystemTime::now() + Duration::from_secs(86_400),
            Fault::CreateOverwrites => drop(self.1.delete(&session.id).await?),
            Fault::FoldsCase => session.id = session.id.to_lowercase(),
            Fault::ReadsUtf8 => session.data = String::from_utf8_lossy(&session.data).into_owned().into(),
            Fault::KeepsTheCallersRevision => {
                let revision = session.revision;
                self.1.create(session.clone()).await?;
                for known in 1..revision {
                    self.1.save(StoredSession { revision: known, ..session.clone() }).await?;
                }
                return Ok(());
            }
            _ => {}
        }
        self.1.create(session).await
    }

    async fn load(&self, id: &str) -> Result<Option<StoredSession>> {
        if self.0 == Fault::FindsPatterns && id == "%" {
            let data = bytes::Bytes::new();
            return Ok(Some(StoredSession { id: id.to_owned(), revision: 1, expires_at: SystemTime::now(), data }));
        }
        let id = if self.0 == Fault::FoldsCase { id.to_lowercase() } else { id.to_owned() };
        self.1.load(&id).await
    }

    async fn save(&self, mut session: StoredSession) -> Result<u64> {
        let kept = self.1.load(&session.id).await?;
        match (self.0, kept) {
            (Fault::IgnoresRevisions, Some(kept)) => session.revision = kept.revision,
            (Fault::CountsSecondsIn32Bits, _) => {
                let latest = SystemTime::UNIX_EPOCH + Duration::from_secs(u32::MAX.into());
                session.expires_at = session.expires_at.min(latest);
            }
            (Fault::SaveKeepsTheEnd, Some(kept)) => session.expires_at = kept.expires_at,
            (Fault::SaveCreates, None) => {
                self.1.create(session).await?;
                return Ok(1);
            }
            (Fault::SaveKeepsTheRevision, Some(kept)) if kept.revision == session.revision => {
                self.1.delete(&session.id).await?;
                self.1.create(session).await?;
                return Ok(1);
            }
            (Fault::TearsSaves, Some(kept)) if kept.revision == session.revision => {
                self.1.delete(&session.id).await?;
                tokio::time::sleep(Duration::from_millis(1)).await;
                self.1.create(session.clone()).await?;
                return self.1.save(StoredSession { revision: 1, ..session }).await;
            }
            _ => {}
        }
        self.1.save(session).await
    }

    async fn delete(&self, id: &str) -> Result<bool> {
        match self.0 {
            Fault::DeleteSaysNothing => self.1.delete(id).await.map(|_| true),
            Fault::DeleteKeeps => Ok(self.1.load(id).await?.is_some()),
            _ => self.1.delete(id).await,
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<StoredSession>> {
        let prefix = if self.0 == Fault::ListsEverything { "" } else { prefix };
        let mut records = self.1.list(prefix).await?;
        if self.0 == Fault::ListsBackwards {
            records.reverse();
        }
        Ok(records)
    }
}

#[tokio::test]
async fn every_fault_is_caught() {
    let table: [(Fault, &[&str]); 16] = [
        (Fault::IgnoresRevisions, &["save_refuses_another_revision", "of_many_saves_at_once_one_wins"]),
        (Fault::NeverForgets, &["expired_records_go_missing"]),
        (Fault::CreateOverwrites, &["create_refuses_an_id_that_exists", "of_many_creates_at_once_one_wins"]),
        (Fault::SaveCreates, &["save_refuses_an_unknown_id"]),
        (Fault::SaveKeepsTheRevision, &["save_replaces_the_record_and_raises_the_revision_by_one"]),
        (Fault::SaveKeepsTheEnd, &["save_moves_the_end_of_life"]),
        (Fault::KeepsTheCallersRevision, &["create_keeps_the_record_with_revision_1"]),
        (Fault::DeleteSaysNothing, &["delete_removes_the_record_and_says_so"]),
        (Fault::DeleteKeeps, &["delete_removes_the_record_and_says_so"]),
        (Fault::ListsBackwards, &["list_has_all_records_in_order_of_their_ids"]),
        (Fault::ListsEverything, &["a_list_has_only_what_begins_with_the_prefix"]),
        (Fault::FoldsCase, &["ids_differ_by_every_character"]),
        (Fault::ReadsUtf8, &["data_is_opaque"]),
        (Fault::TearsSaves, &["a_dropped_future_leaves_the_record_whole"]),
        (Fault::CountsSecondsIn32Bits, &["an_end_of_life_may_be_far_away"]),
        (Fault::FindsPatterns, &["what_is_no_id_is_no_record"]),
    ];
    for (fault, broken) in table {
        let make = move || async move { Arc::new(Broken(fault, FakeStore::new())) as Arc<dyn SessionStore> };
        check(&format!("{fault:?}"), suites::session_store(make), broken).await;
    }
}
