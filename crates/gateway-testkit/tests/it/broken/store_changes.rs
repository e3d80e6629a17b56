//! Session stores that tell of changes, with one fault each.

use std::sync::Arc;

use async_trait::async_trait;
use gateway_core::{RecordChange, Result, SessionStore, StoredSession};
use gateway_testkit::fakes::FakeStore;
use gateway_testkit::suites;
use tokio::sync::broadcast;

use super::check;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    TellsNothing,
    HasNoReceiver,
    ClosesAtOnce,
    TellsOfOwnOnly,
    TellsOfOthersOnly,
    ForgetsCreates,
    ForgetsSaves,
    ForgetsDeletes,
    TellsTheWrongId,
    TellsTooSoon,
}

/// What two handles share.
#[derive(Debug)]
struct Shared {
    records: FakeStore,
    changes: [broadcast::Sender<RecordChange>; 2],
}

/// One handle.
#[derive(Debug)]
struct Telling {
    fault: Fault,
    shared: Arc<Shared>,
    handle: usize,
}

fn pair(fault: Fault) -> (Arc<dyn SessionStore>, Arc<dyn SessionStore>) {
    let changes = [broadcast::channel(64).0, broadcast::channel(64).0];
    let shared = Arc::new(Shared { records: FakeStore::new(), changes });
    let handle = |handle| Arc::new(Telling { fault, shared: Arc::clone(&shared), handle });
    (handle(0), handle(1))
}

impl Telling {
    fn tell(&self, id: &str) {
        let id = if self.fault == Fault::TellsTheWrongId { "another" } else { id };
        for (handle, changes) in self.shared.changes.iter().enumerate() {
            let own = handle == self.handle;
            let told = match self.fault {
                Fault::TellsNothing => false,
                Fault::TellsOfOwnOnly => own,
                Fault::TellsOfOthersOnly => !own,
                _ => true,
            };
            if told {
                let _ = changes.send(RecordChange::One(id.into()));
            }
        }
    }
}

#[async_trait]
impl SessionStore for Telling {
    async fn create(&self, session: StoredSession) -> Result<()> {
        let id = session.id.clone();
        self.shared.records.create(session).await?;
        if self.fault != Fault::ForgetsCreates {
            self.tell(&id);
        }
        Ok(())
    }

    async fn load(&self, id: &str) -> Result<Option<StoredSession>> {
        self.shared.records.load(id).await
    }

    async fn save(&self, session: StoredSession) -> Result<u64> {
        let id = session.id.clone();
        if self.fault == Fault::TellsTooSoon {
            self.tell(&id);
            tokio::task::yield_now().await;
            return self.shared.records.save(session).await;
        }
        let revision = self.shared.records.save(session).await?;
        if self.fault != Fault::ForgetsSaves {
            self.tell(&id);
        }
        Ok(revision)
    }

    async fn delete(&self, id: &str) -> Result<bool> {
        let deleted = self.shared.records.delete(id).await?;
        if self.fault != Fault::ForgetsDeletes {
            self.tell(id);
        }
        Ok(deleted)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<StoredSession>> {
        self.shared.records.list(prefix).await
    }

    fn changes(&self) -> Option<broadcast::Receiver<RecordChange>> {
        match self.fault {
            Fault::HasNoReceiver => None,
            Fault::ClosesAtOnce => Some(broadcast::channel(1).1),
            _ => Some(self.shared.changes[self.handle].subscribe()),
        }
    }
}

#[tokio::test]
async fn a_correct_one_passes() {
    suites::session_store_changes(|| async { pair(Fault::None) }).run().await.assert_passed();
}

#[tokio::test(start_paused = true)]
async fn every_fault_is_caught() {
    let (create, save, delete) = (
        "a_create_through_another_handle_is_told",
        "a_save_through_another_handle_is_told",
        "a_delete_through_another_handle_is_told",
    );
    let table: [(Fault, &[&str]); 10] = [
        (Fault::TellsNothing, &[create, save, delete, "own_changes_are_told"]),
        (Fault::HasNoReceiver, &[create, "own_changes_are_told"]),
        (Fault::ClosesAtOnce, &[create, "own_changes_are_told"]),
        (Fault::TellsOfOwnOnly, &[create, "every_receiver_is_told"]),
        (Fault::TellsOfOthersOnly, &["own_changes_are_told", "every_receiver_is_told"]),
        (Fault::ForgetsCreates, &[create]),
        (Fault::ForgetsSaves, &[save]),
        (Fault::ForgetsDeletes, &[delete]),
        (Fault::TellsTheWrongId, &[create]),
        (Fault::TellsTooSoon, &["what_is_told_can_be_read"]),
    ];
    for (fault, broken) in table {
        check(&format!("{fault:?}"), suites::session_store_changes(move || async move { pair(fault) }), broken).await;
    }
}
