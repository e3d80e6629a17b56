//! The bodies of requests and answers: what the handlers read and write, and OpenAPI shows.
//!
//! Three answers are written by hand, [`ExecuteAnswer`], [`ToolsAnswer`] and [`ProblemBody`], for speed and
//! because raw JSON goes through them unchanged; tests hold them to these types.

mod by_uuid;
mod health;
mod servers;
mod sessions;
mod tools;
mod usage;

pub(crate) use by_uuid::ByUuid;
pub(crate) use health::*;
pub(crate) use servers::*;
pub(crate) use sessions::*;
pub(crate) use tools::*;
pub(crate) use usage::*;
