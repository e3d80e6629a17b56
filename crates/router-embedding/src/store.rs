//! Vectors of tools' texts, kept for models that take time or money: in memory, and in files where there is a folder.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use moka::future::Cache;
use sha2::{Digest, Sha256};

use crate::files::Files;
use crate::matrix::Row;

/// What a text's row is found by: the beginning of a hash of the model and the text.
pub(crate) type Key = [u8; 16];

/// Keeps the vectors of tools' texts by the hash of the text, so that a server that comes back, or of which one tool
/// has changed, costs nothing, or one tool's work.
///
/// Needless with [`StaticEmbedder`](crate::StaticEmbedder), which is about as fast.
pub struct VectorStore {
    memory: Cache<Key, Arc<Row>>,
    files: Option<Files>,
}

impl VectorStore {
    /// Keeps at most `max_bytes` of vectors in memory; a vector has a byte per dimension.
    pub fn in_memory(max_bytes: u64) -> Self {
        let weigh = |_: &Key, row: &Arc<Row>| u32::try_from(row.values.len() + size_of::<Row>()).unwrap_or(u32::MAX);
        Self { memory: Cache::builder().max_capacity(max_bytes).weigher(weigh).build(), files: None }
    }

    /// Keeps them in files in `folder` too, so that a restart costs nothing either. One file per server and model;
    /// the oldest go when there are thousands. A file that is broken or cannot be written costs a warning in the log,
    /// never a search. The folder is made when it is needed.
    #[must_use]
    pub fn with_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.files = Some(Files::new(folder.into()));
        self
    }

    /// The key of `text` for the model `id`.
    pub(crate) fn key(id: &str, text: &str) -> Key {
        hash(id, text)
    }

    /// The row of `key`, where it is known.
    pub(crate) async fn get(&self, key: &Key) -> Option<Arc<Row>> {
        self.memory.get(key).await
    }

    /// Keeps `row` in memory.
    pub(crate) async fn insert(&self, key: Key, row: Arc<Row>) {
        self.memory.insert(key, row).await;
    }

    /// Reads what the files know of `server` into memory.
    pub(crate) async fn load(&self, id: &str, server: &str) {
        let Some(files) = self.files.clone() else { return };
        let name = hash(id, server);
        let read = tokio::task::spawn_blocking(move || files.read(name)).await;
        for (key, row) in read.unwrap_or_default() {
            self.insert(key, Arc::new(row)).await;
        }
    }

    /// Drops what is too much. (The cache would, in its own time.)
    pub(crate) async fn settle(&self) {
        self.memory.run_pending_tasks().await;
    }

    /// Writes all that is known of `server` to its file.
    pub(crate) async fn save(&self, id: &str, server: &str, rows: Vec<(Key, Arc<Row>)>) {
        let Some(files) = self.files.clone() else { return };
        let name = hash(id, server);
        // Were the task to panic, there is no file, and the next start does the work again.
        let _: Result<(), _> = tokio::task::spawn_blocking(move || files.write(name, &rows)).await;
    }
}

fn hash(id: &str, text: &str) -> Key {
    let digest = Sha256::new().chain_update(id.len().to_le_bytes()).chain_update(id).chain_update(text).finalize();
    *digest.first_chunk().expect("SHA-256 has 32 bytes")
}

impl fmt::Debug for VectorStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VectorStore")
            .field("in_memory", &self.memory.entry_count())
            .field("files", &self.files)
            .finish()
    }
}
