//! The words that every crate of the gateway speaks.

mod error;
mod log_level;
pub mod mcp_servers;
mod nesting;
mod offer;
mod param_headers;
mod raw_json;
mod secret;
mod server;
mod tool;
mod trace;

pub use error::{Error, ErrorKind, Result, Retry};
pub use log_level::LogLevel;
pub use nesting::nests_deeper;
pub use offer::{Declaration, OfferKind, ServerOffer};
pub use param_headers::ParamHeader;
pub use raw_json::RawJson;
pub use secret::Secret;
pub use server::{Command, Endpoint, ServerLimits, ServerSpec, Url};
pub use tool::{Annotations, RejectedTool, ServerTools, Tool};
pub use trace::TraceContext;
