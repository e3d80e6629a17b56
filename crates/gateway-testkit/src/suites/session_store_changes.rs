//! What a session store must tell of.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use gateway_core::{RecordChange, StoredSession};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::session_store::{Store, created, load, record, unexpected};
use crate::Suite;
use crate::suite::{Verdict, ensure, ensure_eq, suite};

/// How long a store may take to tell: a second, and as much again for a machine that is busy with tests.
const TELLING: Duration = Duration::from_secs(2);

/// Two handles on one store, as two processes would have them.
type Pair = (Store, Store);

/// The behaviours of a [`SessionStore`](gateway_core::SessionStore) whose
/// [`changes`](gateway_core::SessionStore::changes) are `Some`. `make` opens the same records twice, each handle with
/// connections of its own, as two replicas would.
pub fn session_store_changes<F>(make: impl Fn() -> F + Send + Sync + 'static) -> Suite
where
    F: Future<Output = Pair> + Send + 'static,
{
    suite!(
        "changes of a session store",
        make,
        [
            a_create_through_another_handle_is_told,
            a_save_through_another_handle_is_told,
            a_delete_through_another_handle_is_told,
            own_changes_are_told,
            every_receiver_is_told,
            what_is_told_can_be_read,
        ]
    )
}

async fn a_create_through_another_handle_is_told((here, there): Pair) -> Verdict {
    let mut changes = subscribed(&here)?;
    let record = created(&there, "x").await?;
    told(&mut changes, &record.id, "a create through another handle").await
}

async fn a_save_through_another_handle_is_told((here, there): Pair) -> Verdict {
    let record = created(&there, "x").await?;
    let mut changes = settled(&here, &there).await?;
    there.save(record.clone()).await.map_err(unexpected("save"))?;
    told(&mut changes, &record.id, "a save through another handle").await
}

async fn a_delete_through_another_handle_is_told((here, there): Pair) -> Verdict {
    let record = created(&there, "x").await?;
    let mut changes = settled(&here, &there).await?;
    there.delete(&record.id).await.map_err(unexpected("delete"))?;
    told(&mut changes, &record.id, "a delete through another handle").await
}

async fn own_changes_are_told((here, _there): Pair) -> Verdict {
    let mut changes = subscribed(&here)?;
    let record = created(&here, "x").await?;
    told(&mut changes, &record.id, "an own create").await?;
    let mut changes = settled(&here, &here).await?;
    here.save(record.clone()).await.map_err(unexpected("save"))?;
    told(&mut changes, &record.id, "an own save").await?;
    let mut changes = settled(&here, &here).await?;
    here.delete(&record.id).await.map_err(unexpected("delete"))?;
    told(&mut changes, &record.id, "an own delete").await
}

async fn every_receiver_is_told((here, there): Pair) -> Verdict {
    let mut receivers = [subscribed(&here)?, subscribed(&here)?, subscribed(&there)?];
    let record = created(&there, "x").await?;
    for changes in &mut receivers {
        told(changes, &record.id, "a create").await?;
    }
    Ok(())
}

async fn what_is_told_can_be_read((here, there): Pair) -> Verdict {
    for _ in 0..5 {
        let mut record = created(&there, "old").await?;
        let mut changes = settled(&here, &there).await?;
        record.data = Bytes::from_static(b"new");
        let saved = StoredSession { revision: 2, ..record.clone() };
        let (saving, heard) = tokio::join!(there.save(record), async {
            told(&mut changes, &saved.id, "a save").await?;
            load(&here, &saved.id).await
        });
        saving.map_err(unexpected("save"))?;
        ensure_eq!(heard?, Some(saved), "the record when its change had been told");
    }
    Ok(())
}

fn subscribed(store: &Store) -> Result<broadcast::Receiver<RecordChange>, String> {
    store.changes().ok_or_else(|| "the store does not tell of changes".to_owned())
}

/// A receiver that has heard of all changes that were made before, so that what it hears next is new.
async fn settled(here: &Store, there: &Store) -> Result<broadcast::Receiver<RecordChange>, String> {
    let mut changes = subscribed(here)?;
    let last = record("last");
    there.create(last.clone()).await.map_err(unexpected("create"))?;
    told(&mut changes, &last.id, "a create").await?;
    Ok(changes)
}

/// Waits for word of the record.
async fn told(changes: &mut broadcast::Receiver<RecordChange>, id: &str, what: &str) -> Verdict {
    let word = async {
        loop {
            match changes.recv().await {
                Ok(RecordChange::One(other)) if *other != *id => {}
                Ok(RecordChange::One(_) | RecordChange::Any) | Err(RecvError::Lagged(_)) => return true,
                Err(RecvError::Closed) => return false,
            }
        }
    };
    let heard = tokio::time::timeout(TELLING, word).await.map_err(|_| format!("{what} is not told in {TELLING:?}"))?;
    ensure!(heard, "the receiver was closed while the store is there");
    Ok(())
}
