//! The life of one server's connection: connect, read tools, watch, reconnect.
//!
//! One task for each server that is in use; a server that nobody has called yet, or that went idle,
//! has none.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{self, Instant};

use super::connection::{Connection, Ears, Signals};
use super::listing;
use super::server::{Presence, Server};
use crate::{Connect, Era, Error, ErrorKind, RawJson, Result, ServerSpec, ServerState, UpstreamRequest};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A connection that lived so long was a good one: its loss starts a new series of attempts.
const GOOD_LIFE: Duration = Duration::from_secs(10);

/// `list_changed` often comes in bursts.
const LIST_DEBOUNCE: Duration = Duration::from_millis(50);

/// Shortest time between two readings of the tools, whatever the server says.
const LIST_REST: Duration = Duration::from_millis(250);

/// A list of tools that could not be read is tried again after this.
const LIST_AGAIN: Duration = Duration::from_secs(30);

/// After a request was given up, the server has so long to answer anything before it is asked.
const SUSPICION: Duration = Duration::from_secs(1);

/// Pings in a row without an answer before a connection is given up.
const MAX_SILENT_PINGS: u32 = 2;

/// Longest wait for the answer to a ping, and to any request of the engine's own where the server's
/// `request_timeout_ms` sets no limit.
const LONGEST_PING: Duration = Duration::from_secs(60);

/// How a connection's life ended.
enum End {
    Stopped,
    Idle,
    Lost(Arc<Error>),
}

/// What to do after an end or a failed attempt.
enum Next {
    Again,
    Rest,
}

/// Keeps one server connected while it is needed.
pub(super) async fn run(server: Arc<Server>) {
    let era = server.life().era;
    let failures = server.life().failures;
    let mut supervised = Supervised { server, era, failures };
    let mut broken = Broken(Some(Arc::clone(&supervised.server)));
    loop {
        let next = supervised.once().await;
        let mut life = supervised.server.life();
        let stopped = supervised.server.stop.is_cancelled();
        if stopped || (matches!(next, Next::Rest) && !life.wanted) {
            life.running = false;
            life.era = supervised.era;
            life.failures = supervised.failures;
            break;
        }
        life.wanted = false;
        drop(life);
        supervised.server.set_state(ServerState::Connecting);
    }
    broken.0 = None;
}

/// Speaks up where a panic drops it with the server still in it: a transport that panics must not leave
/// callers waiting for a supervisor that is no more.
struct Broken(Option<Arc<Server>>);

impl Drop for Broken {
    fn drop(&mut self) {
        // A runtime that ends drops it as well, and needs no word.
        let Some(server) = self.0.as_ref().filter(|_| std::thread::panicking()) else { return };
        server.connection.store(None);
        server.life().running = false;
        let error = Error::new(ErrorKind::Internal, "what looked after the connection broke off");
        server.set_trouble(ServerState::Failed, Arc::new(error), Instant::now());
    }
}

struct Supervised {
    server: Arc<Server>,
    era: Option<Era>,
    failures: u32,
}

impl Supervised {
    /// One connection from its attempt to its end.
    async fn once(&mut self) -> Next {
        let server = Arc::clone(&self.server);
        // Held until nothing is left of the process, whoever still holds the connection.
        let process = match server.fleet.process_permit(server.spec()) {
            Ok(process) => process,
            Err(error) => return self.failed(error).await,
        };
        let attempt = tokio::select! {
            biased;
            () = server.stop.cancelled() => return Next::Rest,
            attempt = self.attempt() => attempt,
        };
        let connection = match attempt {
            Ok(connection) => Arc::new(connection),
            Err(error) => {
                drop(process);
                self.era = None;
                return self.failed(error).await;
            }
        };
        self.era = Some(connection.upstream().info().era);
        server.connection.store(Some(Arc::clone(&connection)));
        self.clear_wish();
        // Wakes callers: they can send requests while the tools are still being read.
        server.set_state(ServerState::Connecting);
        let end = Watch::new(&server, &connection).run().await;
        server.connection.store(None);
        match end {
            End::Stopped => {
                connection.upstream().close().await;
                Next::Rest
            }
            End::Idle => {
                self.failures = 0;
                server.set_state(ServerState::Idle);
                connection.upstream().close().await;
                Next::Rest
            }
            // A program is not started a second time while the first one still ends: it may hold files
            // and ports, and its place among the processes.
            End::Lost(reason) if process.is_some() => {
                let (next, ()) = tokio::join!(self.lost(&connection, reason), connection.upstream().close());
                next
            }
            End::Lost(reason) => {
                let closing = Arc::clone(&connection);
                server.tasks.spawn(async move { closing.upstream().close().await });
                self.lost(&connection, reason).await
            }
        }
    }

    async fn attempt(&self) -> Result<Connection> {
        let server = &self.server;
        let spec = server.spec();
        let transport = server.fleet.transport(spec.transport())?;
        let signals = Arc::new(Signals::default());
        let events = Arc::new(Ears { server: Arc::downgrade(server), signals: Arc::clone(&signals) });
        let connect = Connect {
            spec: Arc::clone(spec),
            remembered_era: self.era,
            client_capabilities: server.fleet.client_capabilities.clone(),
            events,
        };
        let limit = spec.limits().connect_timeout();
        let upstream = time::timeout(limit, transport.connect(connect)).await.map_err(|_| {
            let limit = limit.as_millis();
            Error::new(ErrorKind::Unavailable, format!("no handshake within {limit} ms (connect_timeout_ms)"))
        })??;
        tracing::info!(
            server = spec.name(),
            protocol = upstream.info().protocol_version,
            process = upstream.info().process_id,
            "upstream connected"
        );
        Ok(Connection::new(upstream, signals))
    }

    /// A failed attempt: for ever where the spec can never work, else again after a pause.
    async fn failed(&mut self, error: Error) -> Next {
        self.clear_wish();
        if error.kind() == ErrorKind::InvalidRequest {
            self.server.set_trouble(ServerState::Failed, Arc::new(error), Instant::now());
            return Next::Rest;
        }
        self.back_off(Arc::new(error)).await
    }

    async fn lost(&mut self, connection: &Connection, reason: Arc<Error>) -> Next {
        if connection.age() >= GOOD_LIFE {
            self.failures = 0;
        }
        if self.failures == 0 {
            self.failures = 1;
            let (state, next) = match self.server.presence {
                Presence::Kept => (ServerState::Connecting, Next::Again),
                Presence::OnDemand => (ServerState::Idle, Next::Rest),
            };
            self.server.set_trouble(state, reason, Instant::now());
            return next;
        }
        self.back_off(reason).await
    }

    async fn back_off(&mut self, reason: Arc<Error>) -> Next {
        let pause = pause(self.failures, rand::random());
        self.failures = self.failures.saturating_add(1);
        self.server.set_trouble(ServerState::BackingOff, reason, Instant::now() + pause);
        tokio::select! {
            () = self.server.stop.cancelled() => Next::Rest,
            () = time::sleep(pause) => match self.server.presence {
                Presence::Kept => Next::Again,
                Presence::OnDemand => {
                    self.server.set_state(ServerState::Idle);
                    Next::Rest
                }
            },
        }
    }

    /// Who wanted a connection until now has it, or has the error.
    fn clear_wish(&self) {
        self.server.life().wanted = false;
    }
}

/// Looks after a live connection.
struct Watch<'a> {
    server: &'a Server,
    connection: &'a Connection,
    /// When the tools are to be read, and when they last were.
    list_at: Option<Instant>,
    listed_at: Option<Instant>,
    /// When the prompts and resources are to be read.
    offer_at: Option<Instant>,
    ping_at: Option<Instant>,
    /// Pings in a row that were not answered.
    silent_pings: u32,
}

/// What became of a ping.
enum Pinged {
    Answered,
    /// It could not be sent.
    Refused(Error),
    Silent(Error),
}

impl<'a> Watch<'a> {
    fn new(server: &'a Server, connection: &'a Connection) -> Self {
        let list_at = Some(Instant::now());
        Self { server, connection, list_at, listed_at: None, offer_at: None, ping_at: None, silent_pings: 0 }
    }

    /// Reads the tools, then waits for the connection's end, for changed tools, for silence.
    async fn run(mut self) -> End {
        let (server, connection) = (self.server, self.connection);
        let idle_timeout = server.fleet.idle_timeout(server.spec(), server.presence);
        let signals = connection.signals();
        loop {
            let idle_at = idle_timeout.map(|timeout| connection.idle_at(timeout));
            tokio::select! {
                biased;
                () = server.stop.cancelled() => return End::Stopped,
                reason = connection.lost() => return End::Lost(reason),
                () = signals.tools_changed.notified() => self.list_soon(),
                () = signals.offer_changed.notified() => {
                    self.offer_at.get_or_insert_with(|| Instant::now() + LIST_DEBOUNCE);
                }
                () = signals.suspected.notified() => self.ping_at = Some(Instant::now() + SUSPICION),
                // At once, but not faster than pings are repeated.
                () = signals.doubted.notified() => {
                    self.ping_at.get_or_insert_with(Instant::now);
                }
                () = until(self.list_at) => {
                    tokio::select! {
                        biased;
                        () = server.stop.cancelled() => return End::Stopped,
                        reason = connection.lost() => return End::Lost(reason),
                        () = self.read_tools() => {}
                    }
                }
                () = until(self.offer_at) => {
                    tokio::select! {
                        biased;
                        () = server.stop.cancelled() => return End::Stopped,
                        reason = connection.lost() => return End::Lost(reason),
                        () = self.read_offer() => {}
                    }
                }
                () = until(self.ping_at) => {
                    tokio::select! {
                        biased;
                        () = server.stop.cancelled() => return End::Stopped,
                        reason = connection.lost() => return End::Lost(reason),
                        () = self.look_after() => {}
                    }
                }
                () = until(idle_at) => {
                    let is_idle = idle_timeout.is_some_and(|timeout| connection.idle_at(timeout) <= Instant::now());
                    if is_idle && connection.retire() {
                        return End::Idle;
                    }
                }
            }
        }
    }

    /// The tools have changed. What comes while a reading is due is read with it, so that a server that
    /// never stops talking does not put it off for ever.
    fn list_soon(&mut self) {
        let rested = self.listed_at.map(|listed_at| listed_at + LIST_REST);
        let soon = rested.into_iter().fold(Instant::now() + LIST_DEBOUNCE, Instant::max);
        self.list_at = Some(self.list_at.map_or(soon, |due| due.min(soon)));
    }

    async fn read_offer(&mut self) {
        self.offer_at = None;
        let offer = listing::read_offer(self.server.spec(), self.connection).await;
        self.server.set_offer(offer);
    }

    async fn read_tools(&mut self) {
        let server = self.server;
        let read = listing::read(server.spec(), self.connection).await;
        let is_first = self.listed_at.replace(Instant::now()).is_none();
        match read {
            Ok(tools) => {
                self.list_at = None;
                server.set_tools(tools, self.connection.upstream().info().era);
                if is_first {
                    tell_log_level(server, self.connection).await;
                    self.read_offer().await;
                }
                server.set_ready();
            }
            Err(error) => {
                self.list_at = Some(Instant::now() + LIST_AGAIN);
                let error = Error::new(error.kind(), format!("its tools cannot be read: {error}")).with_source(error);
                server.set_trouble(ServerState::Degraded, Arc::new(error), Instant::now());
            }
        }
    }

    /// Asks a server whether it is there that left a request unanswered, or did not take one.
    async fn look_after(&mut self) {
        let pinged = if self.connection.is_suspect() { self.ping().await } else { Pinged::Answered };
        let (error, is_gone) = match pinged {
            Pinged::Answered => {
                let was_silent = std::mem::take(&mut self.silent_pings) > 0;
                self.ping_at = None;
                if was_silent && self.list_at.is_none() && self.server.is_listed() {
                    self.server.set_ready();
                }
                return;
            }
            Pinged::Silent(error) => {
                self.ping_at = Some(Instant::now());
                (error, true)
            }
            // It may have too much to do; what it is doing is not broken off for that.
            Pinged::Refused(error) => {
                self.ping_at = Some(Instant::now() + SUSPICION);
                (error, !self.connection.is_busy())
            }
        };
        self.silent_pings = self.silent_pings.saturating_add(1);
        if self.silent_pings >= MAX_SILENT_PINGS && is_gone {
            self.connection.lose(error);
        } else if self.silent_pings == 1 {
            self.server.set_trouble(ServerState::Degraded, Arc::new(error), Instant::now());
        }
    }

    async fn ping(&self) -> Pinged {
        let method = match self.connection.upstream().info().era {
            Era::Legacy => "ping",
            Era::Modern => "server/discover",
        };
        let request = UpstreamRequest::new(method, RawJson::empty_object());
        let limit = own_limit(self.server.spec()).min(LONGEST_PING);
        match time::timeout(limit, self.connection.request(request)).await {
            Ok(Err(error)) if error.kind() == ErrorKind::Unavailable => Pinged::Refused(error),
            // Any other error is an answer as well.
            Ok(_) => Pinged::Answered,
            Err(_) => Pinged::Silent(Error::new(
                ErrorKind::UpstreamTimeout,
                format!("it answers nothing, not even `{method}` within {} ms", limit.as_millis()),
            )),
        }
    }
}

/// How long the engine waits for an answer to a request of its own.
pub(super) fn own_limit(spec: &ServerSpec) -> Duration {
    let limit = spec.limits().request_timeout();
    if limit.is_zero() { LONGEST_PING } else { limit }
}

/// Waits for an instant, or for ever.
async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Asks a server for the log messages that somebody wants. A modern server hears it with each request.
pub(super) async fn tell_log_level(server: &Server, connection: &Connection) {
    let info = connection.upstream().info();
    let Some(level) = server.log_level().filter(|_| info.era == Era::Legacy && info.declares("logging")) else {
        return;
    };
    let params =
        RawJson::from_value(&serde_json::json!({ "level": level })).unwrap_or_else(|_| RawJson::empty_object());
    let telling = connection.request(UpstreamRequest::new("logging/setLevel", params));
    if !matches!(time::timeout(own_limit(server.spec()), telling).await, Ok(Ok(_))) {
        tracing::debug!(server = server.spec().name(), "the log level was not taken");
    }
}

/// Exponential back-off with "equal jitter": half of the pause is fixed, half is random, so that
/// many gateways do not return at once (M. Brooker, "Exponential Backoff And Jitter", 2015).
pub(super) fn pause(failures: u32, random: f32) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE);
    whole.mul_f32(0.5 + random.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_vary() {
        assert_eq!(pause(0, 1.0), FIRST_PAUSE);
        assert_eq!(pause(0, 0.0), FIRST_PAUSE / 2);
        assert_eq!(pause(3, 1.0), FIRST_PAUSE * 8);
        assert_eq!(pause(1000, 1.0), LONGEST_PAUSE);
    }
}
