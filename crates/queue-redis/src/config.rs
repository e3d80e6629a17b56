//! What a queue on Redis is told.

use std::collections::BTreeSet;
use std::time::Duration;

use gateway_core::{Error, ErrorKind, Priority, Result, Secret};

/// Settings of a [`RedisQueue`](crate::RedisQueue).
#[derive(Clone, Debug)]
pub struct RedisQueueConfig {
    /// `redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS, or `unix:///path`.
    pub url: Secret,
    /// The certificate, PEM, of who signs for the server, where that is none of the public authorities.
    pub root_certificate: Option<String>,
    /// What everything is called.
    pub names: RedisQueueNames,
    /// Whether the lists `agent_queue:*` are read too, and written to by priority.
    pub agent_queues: bool,
    /// How long a lease is; from 50 ms to a day.
    pub lease: Duration,
    /// How long the record of a request is kept after its answer.
    pub record_ttl: Duration,
    /// How long a list that a requester has named lives after the last answer in it, where it has no life of its own; zero:
    /// for ever. A requester that has gone away leaves its answers behind.
    pub reply_ttl: Duration,
    /// How many jobs may wait before a push is refused. What other programs push is not counted before it is there.
    pub max_depth: u64,
    /// The largest job, in bytes. A larger one is not pushed, and goes to the dead letters where another program has pushed it.
    pub max_payload_bytes: usize,
    /// How many answers the common list keeps: the newest. Nobody may be there to read them.
    pub max_responses: u64,
    /// What the name of a reply list has to begin with; empty: anything, but for the queue's own names. A producer that may
    /// write to one list only could else have answers written to others.
    pub reply_prefixes: Vec<String>,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long an answer of Redis may take.
    pub response_timeout: Duration,
}

impl RedisQueueConfig {
    /// The queue of the Redis at `url`, under the names that all clients know.
    pub fn new(url: Secret) -> Self {
        Self {
            url,
            root_certificate: None,
            names: RedisQueueNames::default(),
            agent_queues: false,
            lease: Duration::from_secs(30),
            record_ttl: Duration::from_secs(3_600),
            reply_ttl: Duration::from_secs(86_400),
            max_depth: 100_000,
            max_payload_bytes: 16 << 20,
            max_responses: 100_000,
            reply_prefixes: Vec::new(),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
        }
    }

    /// What is wrong with these settings.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |message: String| Err(Error::new(ErrorKind::InvalidRequest, message));
        let day = Duration::from_secs(86_400);
        if self.lease < Duration::from_millis(50) || self.lease > day {
            return wrong(format!("the lease of the queue is {:?}: it must be from 50 ms to a day", self.lease));
        }
        let year = 365 * day;
        for (name, value) in [
            ("record_ttl", self.record_ttl),
            ("connect_timeout", self.connect_timeout),
            ("response_timeout", self.response_timeout),
        ] {
            if value < Duration::from_millis(1) || value > year {
                return wrong(format!("{name} of the queue is {value:?}: it must be from 1 ms to a year"));
            }
        }
        if self.reply_ttl > year {
            return wrong(format!(
                "reply_ttl of the queue is {:?}: a year is the most; 0 means for ever",
                self.reply_ttl
            ));
        }
        for (name, value) in [
            ("max_depth", self.max_depth),
            ("max_responses", self.max_responses),
            ("max_payload_bytes", self.max_payload_bytes as u64),
        ] {
            if value == 0 {
                return wrong(format!("{name} of the queue is 0: it must be 1 at least"));
            }
        }
        self.names.check()
    }

    /// The lists with jobs in the order in which they are read. What comes by the common list is as urgent as what is normal.
    pub(crate) fn lists(&self) -> Vec<String> {
        let requests = self.names.requests.clone();
        if !self.agent_queues {
            return vec![requests];
        }
        let mut lists = Vec::from(PRIORITIES.map(|priority| self.names.agent_queue(priority)));
        lists.insert(NORMAL + 1, requests);
        lists
    }
}

/// From the first to the last.
pub(crate) const PRIORITIES: [Priority; 4] = [Priority::Urgent, Priority::High, Priority::Normal, Priority::Low];

/// The place of what is normal among them.
pub(crate) const NORMAL: usize = 2;

/// What the lists and keys of a queue are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisQueueNames {
    /// The list of jobs: `mcp_requests`.
    pub requests: String,
    /// The list of answers: `mcp_responses`.
    pub responses: String,
    /// Before the word of a priority, the list of its jobs: `agent_queue:`.
    pub agent_queue_prefix: String,
    /// The list of dead letters: `mcp_requests:dead`. One that is too large to be one is kept under this name, a colon and an id.
    pub dead: String,
    /// Before the id of a request, the hash that says what is known of it: `request:`.
    pub record_prefix: String,
    /// The sorted set of leases and their ends: `mcp_requests:processing`.
    pub processing: String,
    /// Before the id of a claim, the hash with its job: `mcp_requests:claim:`.
    pub claim_prefix: String,
}

impl Default for RedisQueueNames {
    fn default() -> Self {
        Self::with_prefix("")
    }
}

impl RedisQueueNames {
    /// The usual names behind a prefix, for several queues in one Redis.
    pub fn with_prefix(prefix: &str) -> Self {
        let name = |name: &str| format!("{prefix}{name}");
        Self {
            requests: name("mcp_requests"),
            responses: name("mcp_responses"),
            agent_queue_prefix: name("agent_queue:"),
            dead: name("mcp_requests:dead"),
            record_prefix: name("request:"),
            processing: name("mcp_requests:processing"),
            claim_prefix: name("mcp_requests:claim:"),
        }
    }

    /// The list of jobs of a priority.
    pub fn agent_queue(&self, priority: Priority) -> String {
        format!("{}{}", self.agent_queue_prefix, priority.as_str())
    }

    /// The hash that says what is known of a request.
    pub fn record(&self, request_id: &str) -> String {
        format!("{}{request_id}", self.record_prefix)
    }

    /// Before an id, the key of a payload that is too large.
    pub(crate) fn dead_payload_prefix(&self) -> String {
        format!("{}:", self.dead)
    }

    /// Whether a name is one of ours, so that no answer may be written there.
    pub(crate) fn is_own(&self, name: &str) -> bool {
        let keys = [&self.requests, &self.dead, &self.processing];
        let prefixes = [&self.agent_queue_prefix, &self.record_prefix, &self.claim_prefix, &self.dead_payload_prefix()];
        keys.into_iter().any(|key| key == name) || prefixes.into_iter().any(|prefix| name.starts_with(prefix.as_str()))
    }

    fn check(&self) -> Result<()> {
        let names = [
            &self.requests,
            &self.responses,
            &self.agent_queue_prefix,
            &self.dead,
            &self.record_prefix,
            &self.processing,
            &self.claim_prefix,
        ];
        let wrong = |message: String| Err(Error::new(ErrorKind::InvalidRequest, message));
        if let Some(name) = names.iter().find(|name| name.is_empty() || name.chars().any(char::is_control)) {
            return wrong(format!("a name of the queue is {name:?}: it must be printable and not empty"));
        }
        if names.iter().collect::<BTreeSet<_>>().len() < names.len() || self.is_own(&self.responses) {
            return wrong(format!("names of the queue are the same or within each other: {names:?}"));
        }
        Ok(())
    }
}
