//! The bodies of requests and answers: what the handlers read and write, and OpenAPI shows.
//!
//! Answers that raw JSON goes through unchanged are written by hand ([`ExecuteAnswer`], [`ToolsAnswer`], [`RequestAnswer`],
//! [`ProblemBody`] and what `answer_json` writes); tests hold them to these types.

mod by_uuid;
mod health;
mod requests;
mod servers;
mod sessions;
mod tools;
mod usage;

pub(crate) use by_uuid::ByUuid;
pub(crate) use health::*;
pub(crate) use requests::*;
pub(crate) use servers::*;
pub(crate) use sessions::*;
pub(crate) use tools::*;
pub(crate) use usage::*;
