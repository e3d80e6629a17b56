//! Jobs that wait or are claimed.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use gateway_core::{Claim, Error, ErrorKind, Job, Priority, Result};
use tokio::time::Instant;

/// The number of a job: younger ones have greater numbers.
pub(crate) type JobNumber = u64;

/// Jobs, each of which either waits for its turn or has a lease.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    last: u64,
    by_number: HashMap<JobNumber, Entry>,
    bytes: usize,
    waiting: BTreeSet<(Turn, JobNumber)>,
    leases: BTreeSet<(Instant, JobNumber)>,
}

#[derive(Debug)]
struct Entry {
    job: Job,
    deliveries: u32,
    lease: Option<Lease>,
}

#[derive(Debug)]
struct Lease {
    token: String,
    until: Instant,
}

/// When a job's turn is: before that of greater ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// Its lease has ended.
    Lost,
    Ranked(Reverse<Priority>),
}

impl Jobs {
    pub(crate) fn push(&mut self, job: Job) -> JobNumber {
        let number = self.number();
        self.bytes += job.payload.len();
        self.waiting.insert((Turn::Ranked(Reverse(job.priority)), number));
        self.by_number.insert(number, Entry { job, deliveries: 0, lease: None });
        number
    }

    /// Gives the job whose turn it is a lease.
    pub(crate) fn claim(&mut self, until: Instant) -> Option<Claim> {
        let (_, number) = self.waiting.pop_first()?;
        let token = self.number().to_string();
        let entry = self.by_number.get_mut(&number)?;
        entry.deliveries = entry.deliveries.saturating_add(1);
        entry.lease = Some(Lease { token: token.clone(), until });
        self.leases.insert((until, number));
        Some(Claim {
            id: format!("{number}.{token}"),
            payload: entry.job.payload.clone(),
            deliveries: entry.deliveries,
            priority: Some(entry.job.priority),
            reply_to: None,
            token,
        })
    }

    /// Lets the jobs wait again whose leases are over.
    pub(crate) fn expire(&mut self, now: Instant) {
        while let Some((until, number)) = self.leases.first().copied().filter(|(until, _)| *until <= now) {
            self.leases.remove(&(until, number));
            if let Some(entry) = self.by_number.get_mut(&number) {
                entry.lease = None;
                self.waiting.insert((Turn::Lost, number));
            }
        }
    }

    /// The job that a claim holds.
    pub(crate) fn held(&self, claim: &Claim) -> Result<JobNumber> {
        let number = claim.id.split('.').next().and_then(|number| number.parse().ok());
        let entry = number.and_then(|number| Some((number, self.by_number.get(&number)?)));
        match entry {
            Some((number, Entry { lease: Some(lease), .. })) if lease.token == claim.token => Ok(number),
            _ => Err(Error::new(ErrorKind::Conflict, format!("the claim {} of a job is over", claim.id))),
        }
    }

    /// Prolongs a lease.
    pub(crate) fn extend(&mut self, number: JobNumber, until: Instant) {
        if let Some(lease) = self.by_number.get_mut(&number).and_then(|entry| entry.lease.as_mut()) {
            self.leases.remove(&(lease.until, number));
            lease.until = until;
            self.leases.insert((until, number));
        }
    }

    /// Lets a claimed job wait again. It is older than all others of its priority, so it is the next one.
    pub(crate) fn release(&mut self, number: JobNumber) {
        let Some(entry) = self.by_number.get_mut(&number) else { return };
        if let Some(lease) = entry.lease.take() {
            self.leases.remove(&(lease.until, number));
        }
        self.waiting.insert((Turn::Ranked(Reverse(entry.job.priority)), number));
    }

    /// Takes a claimed job out.
    pub(crate) fn remove(&mut self, number: JobNumber) -> Option<Job> {
        let Entry { job, lease, .. } = self.by_number.remove(&number)?;
        self.bytes -= job.payload.len();
        if let Some(lease) = lease {
            self.leases.remove(&(lease.until, number));
        }
        Some(job)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// Bytes of all payloads.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn claimed(&self) -> usize {
        self.leases.len()
    }

    /// When the next lease ends, unless it is renewed.
    pub(crate) fn next_lease_end(&self) -> Option<Instant> {
        self.leases.first().map(|(until, _)| *until)
    }

    pub(crate) fn payload(&self, number: JobNumber) -> Bytes {
        self.by_number.get(&number).map(|entry| entry.job.payload.clone()).unwrap_or_default()
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}
