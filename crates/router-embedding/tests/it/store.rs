//! Vectors that are kept.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use gateway_core::{Error, ErrorKind, Result, Router, ServerTools};
use router_embedding::{Calibration, Embedder, EmbeddingRouter, Role, StaticEmbedder, Vector, VectorStore, Words};

use crate::catalogue::{rank, server, servers, tool};

/// The shipped model, as if it took time: remembers which documents it was asked for.
#[derive(Debug)]
struct Counting {
    model: StaticEmbedder,
    id: &'static str,
    asked: Mutex<Vec<String>>,
    /// How many more requests succeed.
    left: AtomicUsize,
}

impl Counting {
    fn new(id: &'static str) -> Arc<Self> {
        let left = AtomicUsize::new(usize::MAX);
        Arc::new(Self { model: StaticEmbedder::shipped(), id, asked: Mutex::default(), left })
    }

    /// How many documents it was asked for since the last time.
    fn asked(&self) -> usize {
        std::mem::take(&mut *self.asked.lock().expect("no panic under the lock")).len()
    }
}

#[async_trait]
impl Embedder for Counting {
    fn id(&self) -> &str {
        self.id
    }

    async fn embed(&self, texts: &[&str], role: Role) -> Result<Vec<Option<Vector>>> {
        if role == Role::Document {
            if self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
                return Err(Error::new(ErrorKind::Unavailable, "out of order"));
            }
            self.asked.lock().expect("no panic under the lock").extend(texts.iter().map(|text| (*text).to_owned()));
        }
        self.model.embed(texts, role).await
    }

    fn calibration(&self) -> Calibration {
        self.model.calibration()
    }

    fn words(&self) -> Option<&dyn Words> {
        self.model.words()
    }
}

fn router(model: &Arc<Counting>, store: VectorStore) -> EmbeddingRouter {
    EmbeddingRouter::new(Arc::clone(model) as Arc<dyn Embedder>).with_store(store)
}

fn in_folder(folder: &Path) -> VectorStore {
    VectorStore::in_memory(1 << 20).with_folder(folder)
}

async fn index(router: &EmbeddingRouter, servers: &[Arc<ServerTools>]) -> Vec<gateway_core::Match> {
    rank(&*router.index(servers).await.expect("vectors"), "cancel my meeting").await
}

const TOOLS: usize = 9;

#[tokio::test]
async fn a_text_is_embedded_once() {
    let model = Counting::new("m");
    let router = router(&model, VectorStore::in_memory(1 << 20));
    let first = index(&router, &servers()).await;
    assert_eq!(model.asked(), TOOLS);
    // The indexes are gone, and with them all that they shared.
    assert_eq!(index(&router, &servers()).await, first);
    assert_eq!(model.asked(), 0);
    let mut changed = servers();
    changed[0] = server("calendar", &[tool("delete_event", "Deletes an event from the calendar"), tool("new", "New")]);
    index(&router, &changed).await;
    assert_eq!(model.asked(), 1);
}

#[tokio::test]
async fn memory_is_bounded() {
    let many: Vec<_> = (0..300).map(|place| tool(&format!("tool_{place}"), "Deletes an event")).collect();
    let servers = [server("many", &many)];
    let model = Counting::new("m");
    let router = router(&model, VectorStore::in_memory(10_000));
    index(&router, &servers).await;
    model.asked();
    index(&router, &servers).await;
    let asked = model.asked();
    assert!((200..300).contains(&asked), "{asked} of 300 were not kept in 10,000 bytes");
}

#[tokio::test]
async fn a_restart_costs_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = {
        let model = Counting::new("m");
        index(&router(&model, in_folder(folder.path())), &servers()).await
    };
    let model = Counting::new("m");
    assert_eq!(index(&router(&model, in_folder(folder.path())), &servers()).await, first);
    assert_eq!(model.asked(), 0);
    // Another model has other vectors.
    let other = Counting::new("n");
    index(&router(&other, in_folder(folder.path())), &servers()).await;
    assert_eq!(other.asked(), TOOLS);
}

#[tokio::test]
async fn one_changed_tool_costs_one_tool_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = Counting::new("m");
    index(&router(&model, in_folder(folder.path())), &servers()).await;
    model.asked();
    let mut changed = servers();
    changed[1] = server("files", &[tool("read_file", "Returns the contents of a file"), tool("new", "New")]);
    for expected in [1, 0] {
        index(&router(&model, in_folder(folder.path())), &changed).await;
        assert_eq!(model.asked(), expected);
    }
}

#[tokio::test]
async fn broken_files_are_not_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let model = Counting::new("m");
    let expected = index(&router(&model, in_folder(folder.path())), &servers()).await;
    for file in fs::read_dir(folder.path()).expect("a folder") {
        let path = file.expect("a file").path();
        let mut bytes = fs::read(&path).expect("a file");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).expect("a file");
    }
    model.asked();
    for asked in [TOOLS, 0] {
        assert_eq!(index(&router(&model, in_folder(folder.path())), &servers()).await, expected);
        assert_eq!(model.asked(), asked);
    }
}

#[tokio::test]
async fn what_came_before_a_failure_is_kept() {
    let many: Vec<_> = (0..300).map(|place| tool(&format!("tool_{place}"), "Deletes an event")).collect();
    let servers = [server("many", &many)];
    let model = Counting::new("m");
    let router = router(&model, VectorStore::in_memory(1 << 20));
    model.left.store(1, Ordering::SeqCst);
    assert_eq!(router.index(&servers).await.expect_err("it fails").kind(), ErrorKind::Unavailable);
    let before = model.asked();
    model.left.store(usize::MAX, Ordering::SeqCst);
    index(&router, &servers).await;
    assert!(before > 0 && model.asked() + before == 300);
}

/// A model that loses a text.
#[derive(Debug)]
struct Miscounting;

#[async_trait]
impl Embedder for Miscounting {
    fn id(&self) -> &str {
        "miscounting"
    }

    async fn embed(&self, texts: &[&str], _: Role) -> Result<Vec<Option<Vector>>> {
        Ok(vec![Vector::new(vec![1.0]); texts.len() - 1])
    }

    fn calibration(&self) -> Calibration {
        Calibration::ANY
    }

    fn words(&self) -> Option<&dyn Words> {
        None
    }
}

#[tokio::test]
async fn a_model_that_loses_a_text_is_an_error() {
    let router = EmbeddingRouter::new(Arc::new(Miscounting));
    assert_eq!(router.index(&servers()).await.expect_err("one is missing").kind(), ErrorKind::Internal);
}
