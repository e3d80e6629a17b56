//! Carries jobs and answers over NATS JetStream.
//!
//! Producers publish to the subject `mcp_requests`; answers go to `mcp_responses`, or to the subject that a job's
//! `reply_to` names, in the envelope or in the header `Reply-To`. (The reply subject of NATS itself cannot be used for that:
//! JetStream answers it with its own confirmation and does not keep it.) Streams are called after their subjects, with `_` for
//! what a stream's name may not have, and are made where there are none; those that exist are taken as they are:
//!
//! | subject | stream | kept |
//! |---|---|---|
//! | `mcp_requests` | `mcp_requests` | as a work queue: until acknowledged |
//! | `mcp_responses` | `mcp_responses` | an hour |
//! | `mcp_requests:dead` | `mcp_requests_dead` | until somebody takes them away; the header `Reason` says why they are there |
//! | (a bucket) | `KV_mcp_requests_records` | records of requests, a day after their last change |
//!
//! All replicas share one durable pull consumer, `mcp_gateway`, whose `ack_wait` is the lease and which delivers without
//! end: judging what ends everybody who takes it is the door's business. A lease is renewed by `+WPI`. The server counts deliveries of a
//! message, so that of two claims the newer one is known; a record is changed only where its revision is the one that was
//! read, so that an old claim cannot begin or answer any more. Since a message keeps its place in the stream, a second message with the same
//! request id is always told from the first one's second delivery.
//!
//! **Answers** have the headers `Request-Id`, `Correlation-Id` (the job's, else its request id) and `Content-Type`. To the common
//! stream they are published with a confirm and an id, by which a second time is none. To any other subject they go
//! like every message of NATS: to who listens then. Where nobody does, the server says so, and the answer goes to the common
//! subject. An answer larger than the server's `max_payload` (a megabyte where nothing else is set) is replaced by an error
//! that says so.
//!
//! A `reply_to` with wildcards, white space, more than 255 bytes, `$` at its beginning (what is the server's own), or that is the
//! queue of jobs or the dead letters is not followed: the answer goes to the common subject. Who may publish jobs can
//! have answers sent to any other subject of the account; give the gateway an account of its own where that matters.
//!
//! **What cannot be promised.** An answer is kept, published, and then its message acknowledged: a gateway that dies between those steps leaves an
//! answer that may go out again to a `reply_to` of its own, with the same ids. Priorities are not kept apart (a header `Priority` is set).

mod config;
mod error;
mod held;
mod link;
mod nats_queue;
mod publish;
mod record;
mod records;
mod reply;
mod settle;
mod start;

pub use config::{NatsLogin, NatsQueueConfig};
pub use nats_queue::NatsQueue;
