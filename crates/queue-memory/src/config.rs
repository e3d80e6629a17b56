//! How much a queue keeps, and how long.

use std::time::Duration;

/// How much a queue keeps, and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryQueueConfig {
    /// How long a claim is good without being renewed.
    pub lease: Duration,
    /// Jobs that wait or are claimed, at most; a push beyond is refused.
    pub max_jobs: usize,
    /// Bytes of their payloads, at most; a push beyond is refused.
    pub max_job_bytes: usize,
    /// Bytes of one payload, at most.
    pub max_payload_bytes: usize,
    /// How long an answered request is known.
    pub record_ttl: Duration,
    /// Answered requests that are known, at most; likewise answers that nobody has taken, and dead letters.
    pub max_records: usize,
    /// Bytes of answered requests, at most; likewise of answers that nobody has taken, and of dead letters.
    pub max_record_bytes: usize,
}

impl Default for MemoryQueueConfig {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            max_jobs: 10_000,
            max_job_bytes: 64 << 20,
            max_payload_bytes: 4 << 20,
            record_ttl: Duration::from_secs(3600),
            max_records: 10_000,
            max_record_bytes: 64 << 20,
        }
    }
}
