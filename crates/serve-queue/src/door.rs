//! The door: claiming, running, stopping.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use gateway_core::{Claim, Gateway, Queue, Result, Settlement};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::envelope::{self, Reading};
use crate::held::{Held, Hold};
use crate::patience::{Backoff, Outage};
use crate::stats::Counters;
use crate::waiting::Waiting;
use crate::work::Taken;
use crate::{QueueDoorConfig, QueueDoorStats};

/// How long a claim that is under way when the gateway stops may still bring jobs, which are given back then.
const LAST_CLAIM: Duration = Duration::from_millis(100);

/// The queue door of a gateway. Clones are the same door.
#[derive(Clone, Debug)]
pub struct QueueDoor {
    core: Arc<Core>,
}

/// What every part of it has.
#[derive(Debug)]
pub(crate) struct Core {
    pub gateway: Gateway,
    pub queue: Arc<dyn Queue>,
    pub config: QueueDoorConfig,
    pub counters: Counters,
    pub outage: Outage,
    held: Held,
}

impl QueueDoor {
    /// A door from `queue` to `gateway`. Nothing happens before [`serve`](Self::serve).
    pub fn new(gateway: Gateway, queue: Arc<dyn Queue>, config: QueueDoorConfig) -> Self {
        let (counters, outage, held) = (Counters::default(), Outage::default(), Held::default());
        Self { core: Arc::new(Core { gateway, queue, config, counters, outage, held }) }
    }

    /// What it has done by now.
    pub fn stats(&self) -> QueueDoorStats {
        self.core.counters.read(self.core.held.len())
    }

    /// Works until `stop`. Then it claims no more, gives back what has not begun, and waits up to `grace` for what is under way;
    /// the rest is dropped, and claimed by somebody else when its lease ends. So is everything when this future is dropped.
    ///
    /// A queue that cannot be reached is waited for: this never fails.
    pub async fn serve(&self, stop: &CancellationToken, grace: Duration) {
        let config = &self.core.config;
        let concurrency = config.concurrency.max(1);
        let room = Arc::new(Semaphore::new(concurrency.saturating_add(config.prefetch).min(Semaphore::MAX_PERMITS)));
        let (batches, mut arrived) = mpsc::channel(1);
        let (mut helpers, mut running) = (JoinSet::new(), JoinSet::new());
        let (claimer, keeper, stopping) = (Arc::clone(&self.core), Arc::clone(&self.core), stop.clone());
        helpers.spawn(in_spite_of_panics(move || {
            Arc::clone(&claimer).claim_jobs(Arc::clone(&room), batches.clone(), stopping.clone())
        }));
        helpers.spawn(in_spite_of_panics(move || Arc::clone(&keeper).keep_leases()));
        let mut waiting = Waiting::new();
        loop {
            while running.len() < concurrency
                && let Some(job) = waiting.pop()
            {
                self.spawn(&mut running, job);
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = running.join_next(), if !running.is_empty() => note_panic(ended),
                batch = arrived.recv() => match batch {
                    Some(batch) => sort_in(&mut waiting, batch),
                    // The claimer ends with `stop` only.
                    None => break,
                },
            }
        }
        let end = Instant::now() + grace;
        let drained = timeout_at(end, async {
            while let Some(batch) = arrived.recv().await {
                sort_in(&mut waiting, batch);
            }
            self.core.release(&mut waiting).await;
            while let Some(ended) = running.join_next().await {
                note_panic(ended);
            }
        });
        if drained.await.is_err() {
            tracing::warn!(
                jobs = self.core.held.len(),
                "jobs are dropped; another gateway gets them when their leases end"
            );
        }
        running.shutdown().await;
        helpers.shutdown().await;
    }

    fn spawn(&self, running: &mut JoinSet<()>, job: Taken) {
        let deliveries = job.hold.claim.deliveries;
        let (request_id, action) = match &job.reading {
            Reading::Job(envelope) => (&*envelope.request.request_id, envelope.action.as_str()),
            Reading::Refused { request, .. } => (&*request.request_id, ""),
            Reading::Unreadable { .. } => ("", ""),
        };
        let span = tracing::debug_span!("queue", request_id, action, deliveries);
        let core = Arc::clone(&self.core);
        running.spawn(async move { core.run(job).await }.instrument(span));
    }
}

impl Core {
    /// Claims jobs as there is room for them.
    async fn claim_jobs(
        self: Arc<Self>,
        room: Arc<Semaphore>,
        batches: mpsc::Sender<Vec<Taken>>,
        stop: CancellationToken,
    ) {
        let mut backoff = Backoff::default();
        loop {
            let first = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                permit = Arc::clone(&room).acquire_owned() => permit,
            };
            let mut permits = Vec::from_iter(first);
            while let Ok(permit) = Arc::clone(&room).try_acquire_owned() {
                permits.push(permit);
            }
            let asked = Instant::now();
            let mut claim = self.queue.claim(permits.len(), self.config.claim_wait);
            let claimed = tokio::select! {
                biased;
                claimed = &mut claim => claimed,
                () = stop.cancelled() => match timeout(LAST_CLAIM, claim).await {
                    Ok(claimed) => claimed,
                    Err(_) => return,
                },
            };
            match claimed {
                Ok(claims) => {
                    self.outage.worked(self.queue.name());
                    backoff.reset();
                    self.counters.taken.add(claims.len());
                    let sure_until = asked + self.queue.lease();
                    let holds: Vec<_> = claims.into_iter().map(|claim| self.held.hold(claim, sure_until)).collect();
                    let take = |(hold, _room): (Hold, _)| {
                        let reading = envelope::read(&hold.claim, &self.config);
                        Taken { hold, reading, _room }
                    };
                    let batch: Vec<Taken> = holds.into_iter().zip(permits).map(take).collect();
                    if !batch.is_empty() && batches.send(batch).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    self.outage.failed(self.queue.name(), &error);
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = sleep(backoff.pause()) => {}
                    }
                }
            }
        }
    }

    /// Renews the leases of all that is held, and tells who has lost theirs.
    async fn keep_leases(self: Arc<Self>) {
        let period = (self.queue.lease() / 3).max(Duration::from_millis(10));
        let mut backoff = Backoff::default();
        let mut pause = period;
        loop {
            sleep(pause).await;
            pause = period;
            let claims = self.held.claims();
            if claims.is_empty() {
                continue;
            }
            match self.renew(&claims).await {
                Ok(()) => backoff.reset(),
                Err(error) => {
                    self.outage.failed(self.queue.name(), &error);
                    pause = backoff.pause().min(period);
                }
            }
        }
    }

    async fn renew(&self, claims: &[Claim]) -> Result<()> {
        let asked = Instant::now();
        let lost = self.queue.renew(claims).await?;
        self.outage.worked(self.queue.name());
        self.held.renewed(claims, &lost, asked + self.queue.lease());
        Ok(())
    }

    /// Comes back when the job is certainly still this gateway's. A process that was stopped for a while (SIGSTOP, a machine that
    /// sleeps) goes on in the middle, when somebody else may have answered the job long ago; so the clock is asked, and
    /// the queue where too much time has passed. Where the job is lost this never comes back: its [`Hold`] says so, and
    /// whoever runs it drops it.
    pub(crate) async fn make_sure(&self, hold: &Hold) {
        let mut backoff = Backoff::default();
        while !hold.is_sure() || hold.lost.is_cancelled() {
            if hold.lost.is_cancelled() {
                return pending().await;
            }
            if let Err(error) = self.renew(std::slice::from_ref(&hold.claim)).await {
                self.outage.failed(self.queue.name(), &error);
                sleep(backoff.pause()).await;
            }
        }
    }

    /// Gives back what has not begun, one after the other, the next one last.
    async fn release(&self, waiting: &mut Waiting<Taken>) {
        while let Some(job) = waiting.pop_last() {
            match self.queue.settle(&job.hold.claim, Settlement::Released).await {
                Ok(()) => self.counters.released.add(1),
                Err(error) => tracing::debug!(?error, "a job is not given back; its lease will end"),
            }
        }
    }
}

/// Runs a task to its end, again where it panics: a queue's client may be wrong once.
async fn in_spite_of_panics<F: Future<Output = ()>>(start: impl Fn() -> F) {
    while AssertUnwindSafe(start()).catch_unwind().await.is_err() {
        tracing::error!("a task of the queue door broke off, and is begun again");
        sleep(Duration::from_secs(1)).await;
    }
}

fn sort_in(waiting: &mut Waiting<Taken>, batch: Vec<Taken>) {
    for job in batch {
        let own = if let Reading::Job(envelope) = &job.reading { envelope.priority } else { None };
        waiting.push(own.or(job.hold.claim.priority).unwrap_or_default(), job);
    }
}

fn note_panic(ended: std::result::Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(?error, "a job broke off; it will be claimed again");
    }
}
