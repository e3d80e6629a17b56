//! The router: keeps the segments of the indexes that live, and makes new ones.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_trait::async_trait;
use gateway_core::{Error, ErrorKind, Index, Result, Router, ServerTools};
use rustc_hash::FxHashMap;

use crate::document::document;
use crate::embedder::{Embedder, Role};
use crate::index::EmbeddingIndex;
use crate::matrix::{Matrix, Row};
use crate::segment::{Catalogue, Segment};
use crate::static_embedder::StaticEmbedder;
use crate::store::{Key, VectorStore};

/// How many texts are embedded at a time. What one batch brought is kept even where the next one fails.
const BATCH: usize = 256;

/// Ranks tools by how near their texts are to a query in meaning.
///
/// Each server's tools are embedded once, however many indexes use them. What no index uses any more is dropped.
pub struct EmbeddingRouter {
    embedder: Arc<dyn Embedder>,
    store: Option<VectorStore>,
    floor: f32,
    segments: Mutex<FxHashMap<u64, Weak<Segment>>>,
}

/// The texts of a server that has no segment yet, and what is known of them.
struct Unread<'s> {
    server: &'s ServerTools,
    texts: Vec<String>,
    keys: Vec<Key>,
    rows: Vec<Option<Arc<Row>>>,
    /// Whether rows are known now that no file has.
    changed: bool,
}

impl Unread<'_> {
    /// The tools without a row, each with `place`.
    fn missing((place, server): (usize, &Self)) -> impl Iterator<Item = (usize, usize)> {
        let missing = server.rows.iter().enumerate().filter(|(_, row)| row.is_none());
        missing.map(move |(tool, _)| (place, tool))
    }

    /// The segment, once no row is missing.
    fn segment(&self) -> Arc<Segment> {
        Arc::new(Segment(Matrix::new(self.rows.iter().flatten().map(|row| &**row))))
    }
}

impl EmbeddingRouter {
    /// A router with this model.
    pub fn new(embedder: Arc<dyn Embedder>) -> Self {
        let floor = embedder.calibration().floor;
        Self { embedder, store: None, floor, segments: Mutex::default() }
    }

    /// Keeps the vectors of tools' texts in `store`, for a model that takes time or money.
    #[must_use]
    pub fn with_store(mut self, store: VectorStore) -> Self {
        self.store = Some(store);
        self
    }

    /// Leaves out matches whose score is below `floor`, 0..=1, in place of the model's own
    /// [floor](crate::Calibration::floor). 0 is for those who judge further, such as a router that fuses several.
    #[must_use]
    pub fn with_floor(mut self, floor: f32) -> Self {
        self.floor = floor;
        self
    }

    /// The segment of each of `servers`: the one in use where there is one, else a new one. Embeds without holding
    /// the lock; where two callers embed the same server at once, the second one's segment is kept.
    async fn segments(&self, servers: &[Arc<ServerTools>]) -> Result<Vec<Arc<Segment>>> {
        let known: Vec<Option<Arc<Segment>>> = {
            let kept = self.lock();
            let find = |server: &Arc<ServerTools>| {
                let segment = kept.get(&server.content_hash())?.upgrade()?;
                // Were two hashes ever equal, no match may point past the end of a server's tools.
                (segment.0.rows() == server.tools().len()).then_some(segment)
            };
            servers.iter().map(find).collect()
        };
        let unknown = servers.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(server, _)| &**server);
        let mut made = self.embed(unknown).await?.into_iter();
        let segments: Vec<Arc<Segment>> = known.into_iter().filter_map(|known| known.or_else(|| made.next())).collect();
        let mut kept = self.lock();
        kept.retain(|_, segment| segment.strong_count() > 0);
        for (server, segment) in servers.iter().zip(&segments) {
            kept.insert(server.content_hash(), Arc::downgrade(segment));
        }
        drop(kept);
        Ok(segments)
    }

    /// New segments, one for each of `servers`.
    async fn embed(&self, servers: impl Iterator<Item = &ServerTools>) -> Result<Vec<Arc<Segment>>> {
        let mut unread = Vec::new();
        for server in servers {
            unread.push(self.prepare(server).await);
        }
        let missing: Vec<(usize, usize)> = unread.iter().enumerate().flat_map(Unread::missing).collect();
        // Across servers, since most of them have fewer tools than a model takes at a time.
        for batch in missing.chunks(BATCH) {
            self.embed_batch(&mut unread, batch).await?;
        }
        if let Some(store) = self.store.as_ref().filter(|_| !missing.is_empty()) {
            for server in unread.iter().filter(|server| server.changed) {
                let rows = server.keys.iter().copied().zip(server.rows.iter().flatten().cloned()).collect();
                store.save(self.embedder.id(), server.server.server(), rows).await;
            }
            store.settle().await;
        }
        Ok(unread.iter().map(Unread::segment).collect())
    }

    /// Embeds the texts of the tools in `batch`, pairs of a place in `unread` and a tool's place there.
    async fn embed_batch(&self, unread: &mut [Unread<'_>], batch: &[(usize, usize)]) -> Result<()> {
        let texts: Vec<&str> = batch.iter().map(|(server, tool)| unread[*server].texts[*tool].as_str()).collect();
        let vectors = self.embedder.embed(&texts, Role::Document).await?;
        if vectors.len() != texts.len() {
            let message = "embed the tools: there are more or fewer vectors than texts";
            return Err(Error::new(ErrorKind::Internal, message));
        }
        for ((server, tool), vector) in batch.iter().zip(&vectors) {
            let (server, row) = (&mut unread[*server], Arc::new(Row::new(vector.as_ref())));
            if let Some(store) = &self.store {
                store.insert(server.keys[*tool], Arc::clone(&row)).await;
            }
            server.rows[*tool] = Some(row);
            server.changed = true;
        }
        Ok(())
    }

    /// The texts of `server`, with the rows that the store has.
    async fn prepare<'s>(&self, server: &'s ServerTools) -> Unread<'s> {
        let texts: Vec<String> = server.tools().iter().map(|tool| document(server, tool)).collect();
        let mut unread = Unread { server, rows: vec![None; texts.len()], keys: Vec::new(), changed: false, texts };
        if let Some(store) = &self.store {
            unread.keys = unread.texts.iter().map(|text| VectorStore::key(self.embedder.id(), text)).collect();
            find(store, &mut unread).await;
            if unread.rows.iter().any(Option::is_none) {
                store.load(self.embedder.id(), server.server()).await;
                find(store, &mut unread).await;
            }
        }
        unread
    }

    fn lock(&self) -> MutexGuard<'_, FxHashMap<u64, Weak<Segment>>> {
        // The map is whole whenever the lock is free, even after a panic elsewhere.
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks up the rows that are still missing.
async fn find(store: &VectorStore, unread: &mut Unread<'_>) {
    for (key, row) in unread.keys.iter().zip(&mut unread.rows) {
        if row.is_none() {
            *row = store.get(key).await;
        }
    }
}

#[async_trait]
impl Router for EmbeddingRouter {
    fn name(&self) -> &str {
        "embedding"
    }

    async fn index(&self, servers: &[Arc<ServerTools>]) -> Result<Arc<dyn Index>> {
        let catalogue = Catalogue::new(self.segments(servers).await?);
        Ok(Arc::new(EmbeddingIndex::new(Arc::clone(&self.embedder), self.floor, servers, catalogue)))
    }
}

/// With the model that comes with this crate.
impl Default for EmbeddingRouter {
    fn default() -> Self {
        Self::new(Arc::new(StaticEmbedder::shipped()))
    }
}

impl fmt::Debug for EmbeddingRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddingRouter")
            .field("embedder", &self.embedder)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
