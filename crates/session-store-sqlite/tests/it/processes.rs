//! Two processes on one file, as two stores, which share nothing but the file.

use std::sync::Arc;

use gateway_core::{ErrorKind, SessionStore};
use session_store_sqlite::{SqliteConfig, SqliteStore};
use tokio::task::JoinSet;

use crate::{open, record};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_save_of_two_processes_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.db");
    let stores = [open(&path), open(&path)];
    stores[0].create(record("sess_1", "0")).await.expect("created");
    let mut tasks = JoinSet::new();
    for number in 0..8 {
        let store = Arc::clone(&stores[number % 2]);
        tasks.spawn(async move {
            for _ in 0..10 {
                loop {
                    let mut kept = store.load("sess_1").await.expect("loaded").expect("there");
                    let count: u32 = std::str::from_utf8(&kept.data).expect("digits").parse().expect("a number");
                    kept.data = (count + 1).to_string().into();
                    match store.save(kept).await {
                        Ok(_) => break,
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}"),
                    }
                }
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("no panic");
    }
    let kept = stores[1].load("sess_1").await.expect("loaded").expect("there");
    assert_eq!((kept.revision, kept.data.as_ref()), (81, b"80".as_slice()));
}

#[test]
fn many_processes_may_create_one_file_at_once() {
    for _ in 0..5 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deeper/gateway.db");
        let start = Arc::new(std::sync::Barrier::new(6));
        let openings: Vec<_> = (0..6)
            .map(|_| {
                let (path, start) = (path.clone(), Arc::clone(&start));
                std::thread::spawn(move || {
                    start.wait();
                    SqliteStore::open(SqliteConfig::new(path)).map(drop)
                })
            })
            .collect();
        for opening in openings {
            opening.join().expect("no panic").expect("opened");
        }
    }
}
