//! Ranks tools by meaning, with a model shipped inside.
//!
//! [`EmbeddingRouter`] finds tools whose text means what a query means, whether or not they share a word. What turns
//! a text into a vector is an [`Embedder`]; [`StaticEmbedder`] needs no network and no files, and takes microseconds.
//!
//! | room | what it turns into what |
//! |---|---|
//! | `document` | a tool → the text by which it is found |
//! | `query` | a query → the texts that are looked for |
//! | `embedder`, `vector` | a text → a direction: the contract |
//! | `pieces`, `wordpiece` | a text → its words → the tokens of a vocabulary |
//! | `table`, `static_embedder` | tokens → a vector |
//! | `matrix` | many vectors → a byte per number, and cosines |
//! | `segment` | the tools of one server → a matrix, shared by indexes |
//! | `store`, `files` | a text → its vector, where it was known before |
//! | `service` | a text → a vector, asked of a service that speaks OpenAI's protocol |
//! | `minilm` | a text → a vector, by a model of 23 MB that runs in this process (feature `minilm`) |
//! | `calibrate` | a cosine → a score in 0..=1 |
//! | `explain` | a match → the words that made it |
//!
//! ```
//! use std::sync::Arc;
//! use gateway_core::{Query, RawJson, Router, ServerTools};
//! use router_embedding::EmbeddingRouter;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let tool = RawJson::parse(r#"{"name":"delete_event","description":"Delete an event","inputSchema":{}}"#)?;
//! let server = Arc::new(ServerTools::new("calendar", "", vec![tool]));
//! let index = EmbeddingRouter::default().index(&[server]).await?;
//! let query = Query { text: "cancel a meeting", limit: 5, min_score: 0.0, visible: &|_| true };
//! let best = &index.rank(&query).await?.matches[0];
//! assert!(best.reasoning.contains("cancel ~ delete"), "{}", best.reasoning);
//! # Ok(())
//! # }
//! ```

mod calibrate;
mod document;
mod embedder;
mod explain;
mod files;
mod index;
mod matrix;
#[cfg(feature = "minilm")]
mod minilm;
mod pieces;
mod query;
mod router;
mod segment;
mod service;
mod static_embedder;
mod store;
mod table;
mod vector;
mod wordpiece;

pub use calibrate::Calibration;
pub use embedder::{Embedder, Role, Word, Words};
#[cfg(feature = "minilm")]
pub use minilm::MiniLm;
pub use router::EmbeddingRouter;
pub use service::{EmbeddingService, ServiceConfig};
pub use static_embedder::StaticEmbedder;
pub use store::VectorStore;
pub use vector::Vector;
