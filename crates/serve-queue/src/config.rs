//! Settings of the door.

use std::time::Duration;

use gateway_core::Credentials;

/// Settings of the queue door.
#[derive(Clone, Debug)]
pub struct QueueDoorConfig {
    /// What jobs show to be admitted: who may write to the queue has the rights of these.
    pub credentials: Credentials,
    /// Jobs that run at once, at most.
    pub concurrency: usize,
    /// Jobs that are claimed beyond that and wait here, the most urgent first.
    pub prefetch: usize,
    /// Bytes of one job, at most; a longer one is a dead letter.
    pub max_payload_bytes: usize,
    /// Deepest nesting of arrays and objects in the payload of a job.
    pub max_nesting: usize,
    /// A job that has begun before and has been claimed more often than this is a dead letter: it ends the gateways that take it.
    pub max_deliveries: u32,
    /// Longest time limit that a job may set for its call, in milliseconds.
    pub max_timeout_ms: u64,
    /// How long one claim waits for a job.
    pub claim_wait: Duration,
}

impl Default for QueueDoorConfig {
    fn default() -> Self {
        Self {
            credentials: Credentials::default(),
            concurrency: 32,
            prefetch: 32,
            max_payload_bytes: 4 << 20,
            max_nesting: 128,
            max_deliveries: 10,
            max_timeout_ms: 60 * 60 * 1000,
            claim_wait: Duration::from_secs(5),
        }
    }
}
