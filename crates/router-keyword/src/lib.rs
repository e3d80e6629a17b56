//! Ranks tools by their words (BM25F).
//!
//! [`KeywordRouter`] needs no network and no model: it finds tools whose name, title, server, description or
//! parameters share words with the query. Each room of the crate does one thing and can be replaced alone:
//!
//! | room | what it turns into what |
//! |---|---|
//! | `pieces` | a text → its words, identifiers split |
//! | `tokenize` | a text → its terms: case and diacritics folded, English stemmed, neighbours joined |
//! | `fields`, `schema` | a tool → its texts, each with the field it stands in |
//! | `segment` | tools of one server → an inverted list with one strength per term and tool, and their words |
//! | `cut` | a list of servers → which of them stand together in one block |
//! | `block` | inverted lists of neighbours → one |
//! | `dictionary` | the blocks of an index → what is known of a term |
//! | `query`, `related`, `spelling`, `translate` | a query → weighted terms |
//! | `score` | the BM25F formulas |
//! | `gather` | weighted terms → the sums of the tools |
//! | `rank` | sums → the best tools |
//! | `calibrate` | a BM25F sum → a score in 0..=1 |
//! | `explain` | a match → the words that made it |
//!
//! ```
//! use std::sync::Arc;
//! use gateway_core::{Query, RawJson, Router, ServerTools};
//! use router_keyword::{KeywordConfig, KeywordRouter};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let tool = RawJson::parse(r#"{"name":"createIssue","description":"Opens a ticket","inputSchema":{}}"#)?;
//! let server = Arc::new(ServerTools::new("github", "", vec![tool]));
//! let index = KeywordRouter::new(KeywordConfig::default()).index(&[server]).await?;
//! let query = Query { text: "create an issue", limit: 5, min_score: 0.0, visible: &|_| true };
//! let best = &index.rank(&query).await?.matches[0];
//! assert_eq!(best.reasoning, "name: create, issue");
//! assert!(best.score > 0.9);
//! # Ok(())
//! # }
//! ```

mod block;
mod calibrate;
mod config;
mod cut;
mod dictionary;
mod explain;
mod fields;
mod gather;
mod index;
mod pieces;
mod query;
mod rank;
mod related;
mod router;
mod schema;
mod score;
mod segment;
mod spelling;
mod tokenize;
mod translate;

pub use config::{Field, FieldConfig, KeywordConfig};
pub use router::KeywordRouter;
