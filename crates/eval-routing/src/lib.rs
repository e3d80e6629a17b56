//! Measures how well and how fast routers find tools, on requests of which the right tools are known.
//!
//! `cargo xtask eval-routing` builds and runs this crate's program; `docs/CONTRIBUTING.md` tells how to use it.
//! The rooms, in the order in which a run goes through them:
//!
//! | room | what it does |
//! |---|---|
//! | `options` | the command line |
//! | `lines` | a file of JSON lines, packed or not → values, each with its place for messages |
//! | `data` | a folder → sets of requests, each with its catalogue of tools |
//! | `registry` | the routers that can be measured: **add yours here** |
//! | `bm25` | the floors: plain BM25 |
//! | `measure` | asks a router every request of a set |
//! | `quality` | an answer → how good it is |
//! | `calibration` | answers → whether their scores can be believed |
//! | `report` | figures → tables and JSON |
//! | `recorded` | figures → whether they have become worse |
//! | `replay`, `users` | what learning from use is worth round a router |
//! | `run` | all of it |

mod bm25;
mod calibration;
mod data;
mod error;
mod lines;
mod measure;
mod options;
mod quality;
mod recorded;
mod registry;
mod replay;
mod report;
mod run;
mod users;

pub use bm25::{Bm25Router, Reading};
pub use calibration::{Calibration, First, calibrate};
pub use data::{Catalogue, Data, Request, Set};
pub use error::{Error, Result};
pub use measure::{Measured, Memory, Timing, measure_set};
pub use options::Options;
pub use quality::{Quality, judge};
pub use recorded::{Recorded, Score, TOLERANCE};
pub use registry::{ENTRIES, Entry, Settings};
pub use run::run;
