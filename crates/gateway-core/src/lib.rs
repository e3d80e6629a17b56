//! The vocabulary, the contracts, and the engine that runs one call.
//!
//! This crate knows no wire: no HTTP, no broker, no child process. It says what a transport, a
//! router, a session store, an authenticator and a layer must do ([`contract`]), and joins them
//! into a [`Gateway`] that doors (REST, MCP, queue) ask.
//!
//! Start reading at [`Gateway::call`]; `docs/architecture.md` has the picture.

pub mod contract;
mod engine;
mod vocabulary;

pub use contract::auth::{Auth, Credentials, Principal};
pub use contract::clauses::{MAX_CLAUSES, clauses};
pub use contract::feedback::{Feedback, ToolSearch, ToolUse};
pub use contract::inventory::{Inventory, InventorySnapshot, KnownTool};
pub use contract::invoke::{Call, Invoke, Layer};
pub use contract::queue::{
    Begun, Claim, Job, JobAnswer, Priority, Queue, QueueDepth, QueuedRequest, RequestRecord, RequestState, Settlement,
};
pub use contract::reasoning::Reasoning;
pub use contract::request::{ClientProfile, Conversation, Listener, Notification, Question, UpstreamRequest};
pub use contract::router::{Index, Match, Query, Ranking, Router, ToolRef};
pub use contract::session_store::{RecordChange, SessionStore, StoredSession};
pub use contract::tracer::{ActiveSpan, Span, SpanKind, SpanStart, SpanValue, Tracer};
pub use contract::transport::{Connect, Era, Transport, Upstream, UpstreamEvents, UpstreamInfo};
pub use contract::usage::{
    Latency, QueryCount, SearchLed, SearchUsage, Usage, UsageChunk, UsageCounts, UsageEvent, UsageEventKind,
    UsageGroup, UsagePoint, UsageQuery, UsageReport, UsageRow, UsageStore,
};
pub use engine::*;
pub use vocabulary::*;
