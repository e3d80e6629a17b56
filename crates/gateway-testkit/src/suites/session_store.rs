//! What every session store must do.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::join_all;
use gateway_core::{Error, ErrorKind, SessionStore, StoredSession};
use uuid::Uuid;

use crate::Suite;
use crate::suite::{Verdict, ensure, ensure_eq, suite};

/// How long a store may go on answering with an expired record.
const FORGETTING: Duration = Duration::from_secs(5);

pub(super) type Store = Arc<dyn SessionStore>;

/// The behaviours of [`SessionStore`]. `make` opens a store; it may be one and the same each time,
/// and it may hold records of others: every behaviour uses ids of its own.
pub fn session_store<F>(make: impl Fn() -> F + Send + Sync + 'static) -> Suite
where
    F: Future<Output = Store> + Send + 'static,
{
    suite!(
        "session store",
        make,
        [
            create_keeps_the_record_with_revision_1,
            create_refuses_an_id_that_exists,
            of_many_creates_at_once_one_wins,
            load_answers_none_for_an_unknown_id,
            save_replaces_the_record_and_raises_the_revision_by_one,
            save_refuses_another_revision,
            save_refuses_an_unknown_id,
            of_many_saves_at_once_one_wins,
            save_moves_the_end_of_life,
            an_end_of_life_may_be_far_away,
            delete_removes_the_record_and_says_so,
            list_has_all_records_in_order_of_their_ids,
            a_list_has_only_what_begins_with_the_prefix,
            expired_records_go_missing,
            an_id_is_free_again_when_its_record_has_expired,
            data_is_opaque,
            ids_differ_by_every_character,
            what_is_no_id_is_no_record,
            a_dropped_future_leaves_the_record_whole,
        ]
    )
}

async fn create_keeps_the_record_with_revision_1(store: Store) -> Verdict {
    let record = StoredSession { revision: 77, ..record("data") };
    store.create(record.clone()).await.map_err(unexpected("create"))?;
    let loaded = store.load(&record.id).await.map_err(unexpected("load"))?;
    ensure_eq!(loaded, Some(StoredSession { revision: 1, ..record }), "the record after create");
    Ok(())
}

async fn create_refuses_an_id_that_exists(store: Store) -> Verdict {
    let record = created(&store, "first").await?;
    let second = StoredSession { data: Bytes::from_static(b"second"), ..record.clone() };
    expect(ErrorKind::Conflict, "a second create", store.create(second).await)?;
    ensure_eq!(load(&store, &record.id).await?, Some(record), "the record after a refused create");
    Ok(())
}

async fn of_many_creates_at_once_one_wins(store: Store) -> Verdict {
    let record = record("");
    let creates = (0..16_u8)
        .map(|number| store.create(StoredSession { data: Bytes::copy_from_slice(&[number]), ..record.clone() }));
    let answers = join_all(creates).await;
    let winners: Vec<u8> = (0..).zip(&answers).filter(|(_, answer)| answer.is_ok()).map(|(number, _)| number).collect();
    ensure_eq!(winners.len(), 1, "creates of one id that succeeded");
    for answer in answers.into_iter().filter(Result::is_err) {
        expect(ErrorKind::Conflict, "a create that lost", answer)?;
    }
    let kept = load(&store, &record.id).await?.ok_or("the winner's record is missing")?;
    ensure_eq!(kept.data.as_ref(), winners.as_slice(), "the data that was kept");
    Ok(())
}

async fn load_answers_none_for_an_unknown_id(store: Store) -> Verdict {
    ensure_eq!(load(&store, &record("").id).await?, None, "an unknown id");
    Ok(())
}

async fn save_replaces_the_record_and_raises_the_revision_by_one(store: Store) -> Verdict {
    let mut record = created(&store, "1").await?;
    for revision in 2..5 {
        record.data = Bytes::from(revision.to_string());
        let new = store.save(record.clone()).await.map_err(unexpected("save"))?;
        ensure_eq!(new, revision, "the revision that save returned");
        record.revision = revision;
        ensure_eq!(load(&store, &record.id).await?, Some(record.clone()), "the record after save");
    }
    Ok(())
}

async fn save_refuses_another_revision(store: Store) -> Verdict {
    let mut record = created(&store, "1").await?;
    record.revision = store.save(record.clone()).await.map_err(unexpected("save"))?;
    for revision in [1, 3, 0, u64::MAX] {
        let other = StoredSession { revision, data: Bytes::from_static(b"lost"), ..record.clone() };
        expect(ErrorKind::Conflict, &format!("save with revision {revision} of 2"), store.save(other).await)?;
    }
    ensure_eq!(load(&store, &record.id).await?, Some(record), "the record after refused saves");
    Ok(())
}

async fn save_refuses_an_unknown_id(store: Store) -> Verdict {
    let unknown = StoredSession { revision: 1, ..record("x") };
    expect(ErrorKind::NotFound, "save of an unknown id", store.save(unknown.clone()).await)?;
    ensure_eq!(load(&store, &unknown.id).await?, None, "the record after a refused save");
    let deleted = created(&store, "x").await?;
    store.delete(&deleted.id).await.map_err(unexpected("delete"))?;
    expect(ErrorKind::NotFound, "save of a deleted id", store.save(deleted.clone()).await)?;
    ensure_eq!(load(&store, &deleted.id).await?, None, "a deleted record after a refused save");
    Ok(())
}

async fn of_many_saves_at_once_one_wins(store: Store) -> Verdict {
    let record = created(&store, "").await?;
    let saves = (0..16_u8)
        .map(|number| store.save(StoredSession { data: Bytes::copy_from_slice(&[number]), ..record.clone() }));
    let answers = join_all(saves).await;
    let winners: Vec<u8> = (0..).zip(&answers).filter(|(_, answer)| answer.is_ok()).map(|(number, _)| number).collect();
    ensure_eq!(winners.len(), 1, "saves of one revision that succeeded");
    for answer in answers.into_iter().filter(Result::is_err) {
        expect(ErrorKind::Conflict, "a save that lost", answer)?;
    }
    let kept = load(&store, &record.id).await?.ok_or("the record is missing")?;
    ensure_eq!((kept.revision, kept.data.as_ref()), (2, winners.as_slice()), "what was kept");
    Ok(())
}

async fn save_moves_the_end_of_life(store: Store) -> Verdict {
    let soon = SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms() + 300);
    let mut record = StoredSession { expires_at: soon, ..record("x") };
    store.create(record.clone()).await.map_err(unexpected("create"))?;
    record.expires_at = soon + Duration::from_secs(3600);
    record.revision = 1;
    record.revision = store.save(record.clone()).await.map_err(unexpected("save"))?;
    while SystemTime::now() <= soon {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ensure_eq!(load(&store, &record.id).await?, Some(record), "the record after its first end of life");
    Ok(())
}

async fn an_end_of_life_may_be_far_away(store: Store) -> Verdict {
    // The year 9999, in which whoever wants a record for ever lets it end.
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    let mut record = StoredSession { expires_at: far, ..created(&store, "x").await? };
    record.revision = store.save(record.clone()).await.map_err(unexpected("save"))?;
    ensure_eq!(load(&store, &record.id).await?, Some(record.clone()), "a record that ends in 9999");
    store.delete(&record.id).await.map_err(unexpected("delete"))?;
    Ok(())
}

async fn delete_removes_the_record_and_says_so(store: Store) -> Verdict {
    let record = created(&store, "x").await?;
    for (expected, which) in [(true, "first"), (false, "second")] {
        let deleted = store.delete(&record.id).await.map_err(unexpected("delete"))?;
        ensure_eq!(deleted, expected, "the {which} delete");
        ensure_eq!(load(&store, &record.id).await?, None, "the record after the {which} delete");
    }
    store.create(record).await.map_err(unexpected("create of a deleted id"))?;
    Ok(())
}

async fn list_has_all_records_in_order_of_their_ids(store: Store) -> Verdict {
    let prefix = record("").id;
    // Not in order, and with characters on both sides of digits and letters in ASCII.
    let mut records = Vec::new();
    for tail in ["b", "Z", "10", "9", "_", "-", "a"] {
        let wanted = StoredSession { id: format!("{prefix}{tail}"), ..record(tail) };
        store.create(wanted.clone()).await.map_err(unexpected("create"))?;
        records.push(StoredSession { revision: 1, ..wanted });
    }
    records.sort_by(|a, b| a.id.cmp(&b.id));
    let mut listed = store.list("").await.map_err(unexpected("list"))?;
    ensure!(listed.is_sorted_by(|a, b| a.id < b.id), "the list is not in order of ids, or repeats one");
    listed.retain(|record| record.id.starts_with(&prefix));
    ensure_eq!(listed, records, "the list of all");
    ensure_eq!(store.list(&prefix).await.map_err(unexpected("list"))?, records, "the list of a prefix");
    Ok(())
}

async fn a_list_has_only_what_begins_with_the_prefix(store: Store) -> Verdict {
    // Characters that mean something in patterns.
    let prefix = format!("{}_", record("").id);
    let inside = StoredSession { id: format!("{prefix}x"), ..record("inside") };
    store.create(inside.clone()).await.map_err(unexpected("create"))?;
    let beside = prefix.replace('_', "-");
    for id in [format!("{beside}x"), format!("x{prefix}x"), prefix[..prefix.len() - 1].to_owned()] {
        store.create(StoredSession { id, ..record("beside") }).await.map_err(unexpected("create"))?;
    }
    let listed = store.list(&prefix).await.map_err(unexpected("list"))?;
    ensure_eq!(listed, vec![StoredSession { revision: 1, ..inside }], "the list");
    Ok(())
}

async fn expired_records_go_missing(store: Store) -> Verdict {
    let record = StoredSession { expires_at: SystemTime::now() + Duration::from_millis(200), ..record("x") };
    store.create(record.clone()).await.map_err(unexpected("create"))?;
    let patience = SystemTime::now() + FORGETTING;
    loop {
        let loaded = load(&store, &record.id).await?.is_some();
        let listed = store.list("").await.map_err(unexpected("list"))?.iter().any(|other| other.id == record.id);
        if !loaded && !listed {
            return Ok(());
        }
        ensure!(
            SystemTime::now() < patience,
            "{FORGETTING:?} after it was made to live 200 ms it is still there (load: {loaded}, list: {listed})"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn an_id_is_free_again_when_its_record_has_expired(store: Store) -> Verdict {
    let short = StoredSession { expires_at: SystemTime::now() + Duration::from_millis(100), ..record("old") };
    store.create(short.clone()).await.map_err(unexpected("create"))?;
    let patience = SystemTime::now() + FORGETTING;
    while load(&store, &short.id).await?.is_some() {
        ensure!(SystemTime::now() < patience, "it does not expire");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let stale = StoredSession { revision: 1, ..short.clone() };
    expect(ErrorKind::NotFound, "save of an expired record", store.save(stale).await)?;
    let again = StoredSession { id: short.id, revision: 1, ..record("new") };
    store.create(again.clone()).await.map_err(unexpected("create of an expired id"))?;
    ensure_eq!(load(&store, &again.id).await?, Some(again), "the new record");
    Ok(())
}

async fn data_is_opaque(store: Store) -> Verdict {
    let every_byte: Vec<u8> = (0..=255).collect();
    for data in [Vec::new(), every_byte, b"not\xff utf-8 \0".to_vec(), vec![b'x'; 1 << 20]] {
        let record = StoredSession { data: data.clone().into(), revision: 1, ..record("") };
        store.create(record.clone()).await.map_err(unexpected("create"))?;
        let kept = load(&store, &record.id).await?.ok_or("the record is missing")?;
        ensure!(kept.data == data, "{} bytes of data came back changed", data.len());
        store.delete(&record.id).await.map_err(unexpected("delete"))?;
    }
    Ok(())
}

async fn ids_differ_by_every_character(store: Store) -> Verdict {
    let mut long = record("").id;
    long.extend(std::iter::repeat_n('x', 127 - long.len()));
    let ids = [format!("{long}a"), format!("{long}A"), format!("{long}_"), long.clone()];
    for id in &ids {
        let record = StoredSession { id: id.clone(), ..record(id) };
        store.create(record).await.map_err(unexpected("create"))?;
    }
    for id in &ids {
        let kept = load(&store, id).await?.ok_or_else(|| format!("{id} is missing"))?;
        ensure_eq!(kept.data.as_ref(), id.as_bytes(), "the data of {id}");
    }
    Ok(())
}

async fn what_is_no_id_is_no_record(store: Store) -> Verdict {
    let long = "x".repeat(129);
    for text in ["", " ", "%", "a b", "a\0b", "ä", "'", "a*", long.as_str()] {
        ensure_eq!(load(&store, text).await?, None, "load of {text:?}");
        let deleted = store.delete(text).await.map_err(unexpected("delete"))?;
        ensure!(!deleted, "delete of {text:?} found something");
        if !text.is_empty() {
            let listed = store.list(text).await.map_err(unexpected("list"))?;
            ensure_eq!(listed, Vec::new(), "the list of {text:?}");
        }
    }
    Ok(())
}

async fn a_dropped_future_leaves_the_record_whole(store: Store) -> Verdict {
    for attempt in 0..20 {
        let old = created(&store, "old").await?;
        let new = StoredSession { data: Bytes::from_static(b"new"), ..old.clone() };
        {
            let save = store.save(new.clone());
            // Polled once or twice, then dropped in the middle where there is one.
            let _ = tokio::time::timeout(Duration::from_micros(attempt * 50), save).await;
        }
        let kept = load(&store, &old.id).await?;
        let whole = [Some(old.clone()), Some(StoredSession { revision: 2, ..new })];
        ensure!(whole.contains(&kept), "after a dropped save the record is {kept:?}");
    }
    Ok(())
}

pub(super) fn record(data: &str) -> StoredSession {
    StoredSession {
        id: format!("testkit_{}", Uuid::new_v4().simple()),
        revision: 0,
        // Stores may keep whole milliseconds.
        expires_at: SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms() + 3_600_000),
        data: Bytes::copy_from_slice(data.as_bytes()),
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

pub(super) async fn created(store: &Store, data: &str) -> Result<StoredSession, String> {
    let record = record(data);
    store.create(record.clone()).await.map_err(unexpected("create"))?;
    Ok(StoredSession { revision: 1, ..record })
}

pub(super) async fn load(store: &Store, id: &str) -> Result<Option<StoredSession>, String> {
    store.load(id).await.map_err(unexpected("load"))
}

pub(super) fn unexpected(what: &str) -> impl Fn(Error) -> String + '_ {
    move |error| format!("{what} failed: {error:?}")
}

fn expect<T: std::fmt::Debug>(kind: ErrorKind, what: &str, answer: Result<T, Error>) -> Verdict {
    match answer {
        Err(error) if error.kind() == kind => Ok(()),
        other => Err(format!("{what} must fail with {kind:?}, saw {other:?}")),
    }
}
