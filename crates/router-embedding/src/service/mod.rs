//! Embeddings from a service that speaks OpenAI's protocol.

mod api;
mod config;
mod embedder;
mod error;

pub use config::ServiceConfig;
pub use embedder::EmbeddingService;
