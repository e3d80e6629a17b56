//! The queue.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gateway_core::{Begun, Claim, Job, Queue, QueueDepth, QueuedRequest, RequestRecord, Result, Settlement};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::MemoryQueueConfig;
use crate::state::State;

/// Keeps jobs in lists by priority, in this process's memory.
///
/// Share it by an `Arc`: every door that works on it and every door that pushes to it must have the same one.
pub struct MemoryQueue {
    state: Mutex<State>,
    lease: Duration,
    /// A permit for whoever waits: there may be something to claim.
    came: Notify,
}

/// A job that was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// What was pushed.
    pub payload: Bytes,
    /// Why it is here.
    pub reason: String,
}

impl MemoryQueue {
    /// An empty queue.
    pub fn new(config: MemoryQueueConfig) -> Self {
        Self { lease: config.lease, state: Mutex::new(State::new(config)), came: Notify::new() }
    }

    /// Takes the answers out of a list, the oldest first; `None` is the list of requests that named none. What nobody
    /// takes is dropped when it becomes too much; [`request`](Queue::request) tells answers as well.
    pub fn take_answers(&self, list: Option<&str>) -> Vec<Bytes> {
        self.state().take_answers(list)
    }

    /// The dead letters, the oldest first.
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.state().dead_letters()
    }

    /// What it holds now: what has had its time is gone.
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two changes, so a poisoned lock holds a whole state.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.advance(Instant::now());
        state
    }
}

#[async_trait]
impl Queue for MemoryQueue {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn push(&self, job: Job) -> Result<()> {
        self.state().push(job)?;
        self.came.notify_one();
        Ok(())
    }

    async fn claim(&self, max: usize, wait: Duration) -> Result<Vec<Claim>> {
        let deadline = Instant::now() + wait;
        loop {
            let (claims, more, lease_end) = {
                let mut state = self.state();
                let claims = state.claim(max, Instant::now());
                (claims, state.has_waiting(), state.next_lease_end())
            };
            if more {
                // For another waiter: permits do not add up.
                self.came.notify_one();
            }
            if !claims.is_empty() || max == 0 || Instant::now() >= deadline {
                return Ok(claims);
            }
            let until = lease_end.map_or(deadline, |end| end.min(deadline));
            // Either way the state is looked at again. A permit that was given since then ends the wait at once.
            let _ = timeout_at(until, self.came.notified()).await;
        }
    }

    async fn begin(&self, claim: &Claim, request: &QueuedRequest) -> Result<Begun> {
        self.state().begin(claim, request)
    }

    async fn renew(&self, claims: &[Claim]) -> Result<Vec<String>> {
        Ok(self.state().renew(claims, Instant::now()))
    }

    fn lease(&self) -> Duration {
        self.lease
    }

    async fn settle(&self, claim: &Claim, settlement: Settlement) -> Result<()> {
        let released = settlement == Settlement::Released;
        self.state().settle(claim, settlement, Instant::now())?;
        if released {
            self.came.notify_one();
        }
        Ok(())
    }

    async fn request(&self, request_id: &str) -> Result<Option<RequestRecord>> {
        Ok(self.state().request(request_id))
    }

    async fn depth(&self) -> Result<QueueDepth> {
        Ok(self.state().depth())
    }
}

impl fmt::Debug for MemoryQueue {
    /// Shows numbers only: what jobs say may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryQueue").field("depth", &self.state().depth()).finish_non_exhaustive()
    }
}
