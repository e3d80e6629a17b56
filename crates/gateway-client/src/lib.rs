//! Typed Rust client of the gateway's REST door.
//!
//! ```no_run
//! # async fn run() -> Result<(), gateway_client::Error> {
//! use gateway_client::{GatewayClient, SearchRequest, ToolCall};
//!
//! let gateway = GatewayClient::new("http://localhost:8000")?;
//! let found = gateway.search(&SearchRequest::new("evaluate an expression")).await?;
//! if let Some(tool) = found.result.first() {
//!     let call = ToolCall::new(&tool.qualified_name).with_arguments_text(r#"{"expression": "6 * 7"}"#)?;
//!     println!("{}", gateway.execute(&call).await?.result.content);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Results stay raw: [`ToolResult::call_tool_result`] is the text that the server sent. Dropping a future cancels
//! its call, at the server too.

mod client;
mod error;
mod event_stream;
mod health;
mod later;
mod servers;
mod sessions;
mod tools;
mod usage;

pub use client::GatewayClient;
pub use error::{Error, Problem, Result};
pub use event_stream::{CallEvent, CallEvents};
pub use health::{Health, HealthStatus, ServerHealth};
pub use later::{QueuedRequest, RequestStatus, StoredRequest};
pub use servers::{
    AddServersReply, AddedServer, FailedServer, RejectedTool, RemoveServerReply, ServerEntry, ServerList, ServerState,
};
pub use sessions::{CreatedSession, NewSession, Session, SessionConnection, SessionEntry, SessionList};
pub use tools::{FoundTool, SearchReply, SearchRequest, ToolCall, ToolEntry, ToolList, ToolReply, ToolResult};
pub use usage::{
    Latency, SearchLed, SearchUsage, UnmatchedQuery, Usage, UsageCounts, UsageGroup, UsagePoint, UsageRequest, UsageRow,
};
