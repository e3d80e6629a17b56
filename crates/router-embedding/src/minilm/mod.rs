//! all-MiniLM-L6-v2, run in this process.

mod bert;
mod embedder;
mod folder;

pub use embedder::MiniLm;
