//! Carries jobs and answers over RabbitMQ.
//!
//! Producers publish to the durable queue `mcp_requests`, answers go to `mcp_responses` or to the queue that a job's
//! `reply_to` names, in the envelope or as the property of the message. Queues are declared durable and without
//! arguments, so that a producer that does the same meets no conflict; one that exists is taken as it is. Everything is
//! published persistent and with confirms; what is taken is acknowledged by hand and last.
//!
//! **What AMQP has not, this crate adds.** *Leases*: a message that is not acknowledged comes back when its connection
//! ends, and not before; so a gateway gives back by itself what is not renewed. *Records* (what has been begun, by
//! whom, until when, and what was answered): they are kept in the [`SessionStore`](gateway_core::SessionStore) that the queue is given, under `req_…`, and
//! replicas must share one. A claim whose work has begun outlives its connection: as long as its record is renewed, the
//! message that the broker hands out a second time waits unacknowledged at whoever got it. Clocks of replicas should agree to within a
//! part of the lease. *Counts of deliveries*: AMQP only says "again", so they are kept under `dlv_…`, from the second on.
//!
//! **Dead letters** go through the durable exchange `mcp_requests.dlx` to `mcp_requests:dead`, with the header `reason`. They are published
//! by the gateway, since a letter that the broker lays aside has no room for a reason; the body is unchanged, of the
//! properties those stay that cannot do harm: `user_id`, `expiration` and the headers are left away, by which a letter could be
//! refused, vanish, or be sent elsewhere too (`CC`, `BCC`).
//!
//! **Answers** have `correlation_id` (the job's, else its request id), `message_id` (the request id) and `content_type`
//! `application/json`. A `reply_to` may be any queue, those that the broker names (`amq.gen-…`) and direct reply-to included;
//! not the queue of jobs, the dead letters, other names of the broker, or a name that AMQP cannot carry. Then, and
//! where there is no such queue, the answer goes to the common one. (Whether a client with direct reply-to is there still, brokers
//! do not say reliably: what is sent to one that is gone is kept in the record only.) Who may publish jobs can have answers
//! sent to any queue of the virtual host; give the gateway a virtual host of its own where that matters.
//!
//! **What cannot be promised.** An answer is stored, published, and then its message acknowledged: a gateway that dies, or
//! loses its store, between those steps leaves an answer that goes out again, with the same ids. Priorities are not kept apart (the
//! property `priority` is set, which a queue that an operator has declared with `x-max-priority` heeds).
//! [`QueueDepth::claimed`](gateway_core::QueueDepth::claimed) knows this gateway's claims only. RabbitMQ closes a channel with a message that is not acknowledged for half an
//! hour (`consumer_timeout`): a longer job goes on, but its message is handed round meanwhile. A quorum queue with a delivery
//! limit counts that, too.

mod config;
mod error;
mod held;
mod link;
mod message;
mod pull;
mod rabbit_queue;
mod record;
mod records;
mod reply;
mod settle;
mod start;

pub use config::RabbitQueueConfig;
pub use rabbit_queue::RabbitQueue;
