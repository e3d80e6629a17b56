//! What all requests of a door share.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use gateway_core::{DoorRecords, Gateway, Listener, RawJson, Secret};
use mcp_wire::Object;
use tokio::sync::{Semaphore, watch};
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use crate::client::{Client, Meta, Sender};
use crate::config::McpConfig;
use crate::parking::Parking;
use crate::session::Session;
use crate::sessions::Sessions;

/// Changes of lists come in bursts, as when servers start: they are told together after this time.
const CHANGE_DEBOUNCE: Duration = Duration::from_millis(100);

/// Records that are read or written side by side.
const RECORDS_AT_ONCE: usize = 16;

/// What the ids of the door's sessions and of their records begin with.
pub(crate) const SESSION: &str = "mcp_";

/// The parts of a door.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) gateway: Gateway,
    pub(crate) config: McpConfig,
    pub(crate) sessions: Sessions,
    pub(crate) parking: Parking,
    /// Where sessions are kept for other replicas, and after a restart.
    pub(crate) records: DoorRecords,
    pub(crate) at_once: Semaphore,
    pulse: watch::Sender<Pulse>,
    /// Makes numbers that nobody outside can choose.
    hashes: RandomState,
}

/// What all open streams wait for, in one place, so that none needs a timer or a task of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pulse {
    /// Rises when a silent stream should say that it is there.
    pub(crate) beats: u64,
    /// Rises when some list may have changed.
    pub(crate) changes: u64,
}

/// What became of changing lists.
enum Heard {
    /// Some may have changed.
    Changed,
    /// It is time to tell.
    Told,
}

/// One request of a client.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) core: Arc<Core>,
    pub(crate) client: Arc<Client>,
    pub(crate) sender: Sender,
    /// The legacy session that it came in.
    pub(crate) session: Option<Arc<Session>>,
    pub(crate) method: String,
    pub(crate) params: Object,
    pub(crate) meta: Meta,
    /// The `Mcp-Param-` headers of a modern request over HTTP.
    pub(crate) param_headers: Option<Vec<(String, String)>>,
    /// Its caller's end, where progress, log messages and questions can reach the client.
    pub(crate) listener: Option<Listener>,
}

impl Core {
    pub(crate) fn new(gateway: Gateway, config: McpConfig) -> Self {
        let sessions = Sessions::new(&config);
        let parking = Parking::new(config.input_window());
        let records = gateway.door_records(SESSION);
        Self {
            gateway,
            config,
            sessions,
            parking,
            records,
            at_once: Semaphore::new(RECORDS_AT_ONCE),
            pulse: watch::Sender::default(),
            hashes: RandomState::new(),
        }
    }

    /// Who all modern requests with this session of the gateway come from: a session that a client names is
    /// nobody else's. Without one, nothing says which requests belong together.
    pub(crate) fn identity_of(&self, sender: &Sender) -> Option<u64> {
        let session = sender.session_id.as_ref()?;
        let token = sender.credentials.token.as_ref().map(Secret::expose);
        Some(self.hashes.hash_one((session, token)))
    }

    pub(crate) fn pulse(&self) -> watch::Receiver<Pulse> {
        self.pulse.subscribe()
    }

    /// Looks after everything that waits, until `stop` is cancelled: one task for all sessions.
    pub(crate) async fn tend(&self, stop: &CancellationToken) {
        tokio::join!(self.beat(stop), self.keep_sessions(stop));
    }

    /// Tells all streams when to say that they are there, and when lists may have changed.
    async fn beat(&self, stop: &CancellationToken) {
        let mut changes = self.gateway.changes();
        let keep_alive = self.config.keep_alive();
        let mut next_beat = Instant::now() + keep_alive;
        let mut tell_at: Option<Instant> = None;
        loop {
            let changed = async {
                match tell_at {
                    Some(tell_at) => {
                        time::sleep_until(tell_at).await;
                        Ok(Heard::Told)
                    }
                    None => changes.changed().await.map(|()| Heard::Changed),
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                changed = changed => match changed {
                    Ok(Heard::Changed) => tell_at = Some(Instant::now() + CHANGE_DEBOUNCE),
                    Ok(Heard::Told) => {
                        tell_at = None;
                        self.pulse.send_modify(|pulse| pulse.changes += 1);
                    }
                    // The gateway is gone.
                    Err(_) => break,
                },
                () = time::sleep_until(next_beat) => {
                    next_beat = Instant::now() + keep_alive;
                    self.pulse.send_modify(|pulse| pulse.beats += 1);
                }
            }
        }
    }
}

impl Request {
    /// What a server gets in a request's params beside what names it: everything but `names` and `_meta`, which
    /// is the server's part of it.
    pub(crate) fn extra(&self, names: &[&str]) -> RawJson {
        let left_out: Vec<&str> = names.iter().copied().chain(["_meta"]).collect();
        let rest = self.params.without(&left_out).unwrap_or_else(RawJson::empty_object);
        match self.meta.for_server(&self.client) {
            Some(meta) => mcp_wire::with_member(&rest, "_meta", meta.as_str()),
            None => rest,
        }
    }
}
