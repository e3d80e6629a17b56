//! Which stores a key opens.

use std::sync::Arc;

use gateway_core::{ErrorKind, SessionStore, StoredSession};
use session_store_sealed::SealedStore;

use crate::{A, B, inner, keys, record};

/// Opening must fail with these words, and change nothing.
async fn check_refused(inner: &Arc<dyn SessionStore>, current: &str, words: &[&str]) {
    let before = inner.list("").await.expect("listed");
    let error = SealedStore::open(Arc::clone(inner), keys(current, &[])).await.expect_err("it must be refused");
    assert_eq!(error.kind(), ErrorKind::Conflict);
    for word in words.iter().chain(&["nothing was overwritten", "storage.encryption_key"]) {
        assert!(error.message().contains(word), "{word:?} is not in {:?}", error.message());
    }
    assert_eq!(inner.list("").await.expect("listed"), before, "the records after a refused opening");
}

async fn open(inner: &Arc<dyn SessionStore>, current: &str, previous: &[&str]) -> SealedStore {
    SealedStore::open(Arc::clone(inner), keys(current, previous)).await.expect("opened")
}

#[tokio::test]
async fn nothing_can_be_read_in_the_store_below() {
    let inner = inner();
    let store = open(&inner, A, &[]).await;
    store.create(record("sess_1", "hunter2hunter2")).await.expect("created");
    let below = inner.load("sess_1").await.expect("loaded").expect("there");
    assert!(!below.data.windows(7).any(|window| window == b"hunter2"));
    assert!(store.keeps_secrets());
    assert_eq!(store.load("sess_1").await.expect("loaded").expect("there").data, "hunter2hunter2");
}

#[tokio::test]
async fn the_record_that_marks_the_store_is_not_shown_and_cannot_be_changed() {
    let inner = inner();
    let store = open(&inner, A, &[]).await;
    let before = inner.load("seal").await.expect("loaded").expect("marked");
    assert_eq!(store.load("seal").await.expect("loaded"), None);
    assert_eq!(store.list("").await.expect("listed"), []);
    assert!(!store.delete("seal").await.expect("not deleted"));
    assert_eq!(store.create(record("seal", "x")).await.expect_err("kept").kind(), ErrorKind::Conflict);
    assert_eq!(store.save(record("seal", "x")).await.expect_err("kept").kind(), ErrorKind::NotFound);
    assert_eq!(inner.load("seal").await.expect("loaded"), Some(before));
}

#[tokio::test]
async fn another_key_does_not_open_the_store() {
    let inner = inner();
    open(&inner, A, &[]).await.create(record("sess_1", "x")).await.expect("created");
    check_refused(&inner, B, &["sealed with another key"]).await;
    assert!(open(&inner, A, &[]).await.load("sess_1").await.expect("loaded").is_some());
}

#[tokio::test]
async fn another_key_does_not_open_a_store_without_records_either() {
    let inner = inner();
    open(&inner, A, &[]).await;
    check_refused(&inner, B, &["sealed with another key"]).await;
}

#[tokio::test]
async fn a_store_with_unsealed_records_is_not_opened() {
    let inner = inner();
    inner.create(record("sess_1", "plain")).await.expect("created");
    check_refused(&inner, A, &["\"sess_1\"", "is not sealed"]).await;
}

#[tokio::test]
async fn a_store_that_lost_its_mark_is_opened_with_the_right_key_only() {
    let inner = inner();
    open(&inner, A, &[]).await.create(record("sess_1", "x")).await.expect("created");
    inner.delete("seal").await.expect("deleted");
    check_refused(&inner, B, &["\"sess_1\"", "sealed with another key"]).await;
    assert!(open(&inner, A, &[]).await.load("sess_1").await.expect("loaded").is_some());
}

#[tokio::test]
async fn an_unsealed_record_among_sealed_ones_is_never_accepted() {
    let inner = inner();
    let store = open(&inner, A, &[]).await;
    inner.create(record("sess_forged", "{}")).await.expect("created");
    let error = store.load("sess_forged").await.expect_err("not accepted");
    assert!(error.message().contains("is not sealed"), "{error}");
    assert_eq!(store.list("sess_").await.expect("listed"), []);
}

#[tokio::test]
async fn a_record_that_cannot_be_opened_hides_no_other_from_a_list() {
    let inner = inner();
    let store = open(&inner, A, &[]).await;
    store.create(record("sess_2", "mine")).await.expect("created");
    let copy = inner.load("sess_2").await.expect("loaded").expect("there");
    for (id, data) in [("sess_1", "plain".into()), ("sess_3", copy.data), ("sess_4", "".into())] {
        inner.create(StoredSession { data, ..record(id, "") }).await.expect("created");
    }
    let listed = store.list("sess_").await.expect("one record must not hide the others");
    assert_eq!(
        listed.iter().map(|record| (&*record.id, &*record.data)).collect::<Vec<_>>(),
        [("sess_2", &b"mine"[..])]
    );
    for id in ["sess_1", "sess_3", "sess_4"] {
        assert_eq!(store.load(id).await.expect_err("not accepted").kind(), ErrorKind::Conflict, "{id}");
    }
}

#[tokio::test]
async fn a_record_does_not_pass_for_another() {
    let inner = inner();
    let store = open(&inner, A, &[]).await;
    store.create(record("sess_mine", "x")).await.expect("created");
    let mine = inner.load("sess_mine").await.expect("loaded").expect("there");
    inner.create(StoredSession { id: "sess_theirs".to_owned(), ..mine }).await.expect("created");
    let error = store.load("sess_theirs").await.expect_err("not accepted");
    assert!(error.message().contains("\"sess_theirs\""), "{error}");
}

#[tokio::test]
async fn a_key_is_replaced_step_by_step() {
    let inner = inner();
    let old = open(&inner, A, &[]).await;
    old.create(record("sess_1", "old")).await.expect("created");
    // All replicas know the new key before one uses it.
    let between = open(&inner, A, &[B]).await;
    let new = open(&inner, B, &[A]).await;
    new.create(record("sess_2", "new")).await.expect("created");
    assert_eq!(between.list("sess_").await.expect("listed").len(), 2);
    let mut kept = new.load("sess_1").await.expect("loaded").expect("there");
    kept.data = "renewed".into();
    new.save(kept).await.expect("saved");
    drop((old, between, new));
    let last = open(&inner, B, &[]).await;
    let data: Vec<_> = last.list("sess_").await.expect("listed").into_iter().map(|record| record.data).collect();
    assert_eq!(data, ["renewed", "new"]);
    check_refused(&inner, A, &["sealed with another key"]).await;
}

#[tokio::test]
async fn replicas_may_open_a_new_store_at_once() {
    let inner = inner();
    let (one, two) = tokio::join!(open(&inner, A, &[]), open(&inner, A, &[]));
    one.create(record("sess_1", "x")).await.expect("created");
    assert!(two.load("sess_1").await.expect("loaded").is_some());
    let (right, wrong) = tokio::join!(
        SealedStore::open(Arc::clone(&inner), keys(A, &[])),
        SealedStore::open(Arc::clone(&inner), keys(B, &[])),
    );
    assert!(right.is_ok());
    assert_eq!(wrong.expect_err("another key").kind(), ErrorKind::Conflict);
}
