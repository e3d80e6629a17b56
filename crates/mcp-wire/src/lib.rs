//! MCP's JSON-RPC on the wire: raw envelopes, revisions, handshake, header rules.
//!
//! No input or output happens here. A transport brings the bytes and asks this crate what they say:
//!
//! * [`Message::parse`] reads one incoming message; `params` and `result` stay raw slices of it.
//! * [`write_request`] and its sisters append outgoing messages to a buffer.
//! * [`Meta`] puts `_meta` members into raw params without building a tree; [`Object`], [`with_member`] and
//!   [`without_members`] read and change single members of any raw object.
//! * [`Pending`] is the table of requests under way on one connection.
//! * [`shake_hands`] finds out which era a server speaks and what it says of itself.
//! * [`listen_params`] asks a modern server to tell when its lists change.
//! * [`upstream_error`] turns a JSON-RPC error into the gateway's.
//! * For transports over HTTP: [`HttpTarget`] reads a server's address, [`header`] has the header rules,
//!   [`http_refusal`] and [`means_lost_session`] say what a status means, [`sse`] takes event streams apart.

mod envelope;
mod error;
mod handshake;
pub mod header;
mod meta;
mod object;
mod pending;
mod refusal;
pub mod sse;
mod subscription;
mod target;
mod version;
mod write;

pub use envelope::{Id, Message, Outcome, RpcError, cancelled_id};
pub use error::{code, upstream_error};
pub use handshake::{ClientIdentity, Exchange, shake_hands};
pub use meta::Meta;
pub use object::{Object, with_member, without_member, without_members};
pub use pending::{Pending, Ticket};
pub use refusal::{http_refusal, means_lost_session};
pub use subscription::{announces_tool_changes, listen_params};
pub use target::HttpTarget;
pub use version::Revision;
pub use write::{
    is_error_object, squeeze_newlines, write_answer, write_error, write_error_object, write_notification,
    write_request, write_result,
};
