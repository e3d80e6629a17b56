//! Fuses routers: the words and the meaning of a request.
//!
//! A router by words finds what is named; one by meaning finds what is meant by other words. [`HybridRouter`] asks
//! both and makes one list of it. It needs no network and no key where its parts need none.
//!
//! | room | what it turns into what |
//! |---|---|
//! | `part` | a router → an index of its own, now or in the background |
//! | `fuse` | several lists → one |
//! | `similar` | a list with five times the same tool → a list with five tools |
//! | `calibrate` | a place in the list → a score in 0..=1 |
//! | `index` | all of that, for one query |
//!
//! ```
//! use std::sync::Arc;
//! use gateway_core::{Query, RawJson, Router, ServerTools};
//! use router_embedding::EmbeddingRouter;
//! use router_hybrid::{HybridRouter, Part};
//! use router_keyword::{KeywordConfig, KeywordRouter};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let words = KeywordRouter::new(KeywordConfig { floor: 0.0, ..KeywordConfig::default() });
//! let meaning = EmbeddingRouter::default().with_floor(0.0);
//! let router = HybridRouter::new(vec![Part::by_words(Arc::new(words)), Part::by_meaning(Arc::new(meaning))]);
//! let tool = RawJson::parse(r#"{"name":"delete_event","description":"Deletes an event","inputSchema":{}}"#)?;
//! let index = router.index(&[Arc::new(ServerTools::new("calendar", "", vec![tool]))]).await?;
//! let query = Query { text: "cancel my meeting", limit: 5, min_score: 0.0, visible: &|_| true };
//! let best = &index.rank(&query).await?.matches[0];
//! println!("{:.2} {}", best.score, best.reasoning);
//! # Ok(())
//! # }
//! ```
//!
//! `examples/rank.rs` is that as a program: `cargo run -p router-hybrid --example rank -- cancel my meeting`.

mod calibrate;
mod config;
mod fuse;
mod index;
mod part;
mod router;
mod similar;

pub use config::HybridConfig;
pub use part::{Fall, Part};
pub use router::HybridRouter;
