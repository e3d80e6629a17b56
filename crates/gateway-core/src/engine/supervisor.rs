//! The life of one server's connection: connect, read tools, watch, reconnect.
//!
//! One task for each server that is in use; a server that nobody has called yet, or that went idle,
//! has none.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::{self, Instant};

use super::connection::{Connection, Ears, Signals};
use super::listing;
use super::server::{Presence, Server};
use crate::{Connect, Era, Error, ErrorKind, RawJson, Result, ServerState, UpstreamRequest};

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A connection that lived so long was a good one: its loss starts a new series of attempts.
const GOOD_LIFE: Duration = Duration::from_secs(10);

/// `list_changed` often comes in bursts.
const LIST_DEBOUNCE: Duration = Duration::from_millis(50);

/// A list of tools that could not be read is tried again after this.
const LIST_AGAIN: Duration = Duration::from_secs(30);

/// After a request was given up, the server has so long to answer anything before it is asked.
const SUSPICION: Duration = Duration::from_secs(1);

/// Pings in a row without an answer before a connection is given up.
const MAX_SILENT_PINGS: u32 = 2;

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
    let mut life = Supervised { server, era: None, failures: 0 };
    loop {
        let next = life.once().await;
        let mut state = life.server.life.lock().unwrap_or_else(PoisonError::into_inner);
        let stopped = life.server.stop.is_cancelled();
        if stopped || (matches!(next, Next::Rest) && !state.wanted) {
            state.running = false;
            return;
        }
        state.wanted = false;
        drop(state);
        life.server.set_state(ServerState::Connecting);
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
        let attempt = tokio::select! {
            () = server.stop.cancelled() => return Next::Rest,
            attempt = self.attempt() => attempt,
        };
        let connection = match attempt {
            Ok(connection) => Arc::new(connection),
            Err(error) => return self.failed(error).await,
        };
        self.era = Some(connection.upstream().info().era);
        server.connection.store(Some(Arc::clone(&connection)));
        self.clear_wish();
        // Wakes callers: they can send requests while the tools are still being read.
        server.set_state(ServerState::Connecting);
        let end = self.watch(&connection).await;
        server.connection.store(None);
        match end {
            End::Stopped => {
                connection.upstream().close().await;
                Next::Rest
            }
            End::Idle => {
                server.set_state(ServerState::Idle);
                connection.upstream().close().await;
                Next::Rest
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
        let process = server.fleet.process_permit(spec)?;
        let signals = Arc::new(Signals::default());
        let events = Arc::new(Ears { server: spec.name().to_owned(), signals: Arc::clone(&signals) });
        let connect = Connect { spec: Arc::clone(spec), remembered_era: self.era, events };
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
        Ok(Connection::new(upstream, signals, process))
    }

    /// A failed attempt: for ever where the spec can never work, else again after a pause.
    async fn failed(&mut self, error: Error) -> Next {
        self.era = None;
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
        if self.server.presence == Presence::OnDemand {
            self.server.set_trouble(ServerState::Idle, reason, Instant::now());
            return Next::Rest;
        }
        if self.failures == 0 {
            self.failures = 1;
            self.server.set_trouble(ServerState::Connecting, reason, Instant::now());
            return Next::Again;
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

    /// Reads the tools, then waits for the connection's end, for changed tools, for silence.
    async fn watch(&self, connection: &Arc<Connection>) -> End {
        let server = &self.server;
        let idle_timeout = server.fleet.idle_timeout(server.spec(), server.presence);
        let signals = connection.signals();
        let mut list_at = Some(Instant::now());
        let mut ping_at = None;
        let mut silent_pings = 0;
        loop {
            let idle_at = idle_timeout.map(|timeout| connection.idle_at(timeout));
            tokio::select! {
                biased;
                () = server.stop.cancelled() => return End::Stopped,
                reason = connection.lost() => return End::Lost(reason),
                () = signals.tools_changed.notified() => {
                    list_at = Some(Instant::now() + LIST_DEBOUNCE);
                }
                () = signals.suspected.notified() => {
                    ping_at = Some(Instant::now() + SUSPICION);
                }
                () = until(list_at) => {
                    tokio::select! {
                        () = server.stop.cancelled() => return End::Stopped,
                        reason = connection.lost() => return End::Lost(reason),
                        again = self.read_tools(connection) => list_at = again,
                    }
                }
                () = until(ping_at) => {
                    ping_at = None;
                    if !connection.is_suspect() {
                        continue;
                    }
                    tokio::select! {
                        () = server.stop.cancelled() => return End::Stopped,
                        reason = connection.lost() => return End::Lost(reason),
                        answered = ping(server, connection) => if answered {
                            silent_pings = 0;
                        } else {
                            silent_pings += 1;
                            ping_at = Some(Instant::now());
                        },
                    }
                    if silent_pings >= MAX_SILENT_PINGS {
                        connection.lose(Error::new(ErrorKind::Unavailable, "it has stopped answering"));
                    }
                }
                () = until(idle_at) => {
                    if idle_timeout.is_some_and(|timeout| connection.idle_at(timeout) <= Instant::now()) {
                        return End::Idle;
                    }
                }
            }
        }
    }

    /// Reads the tools and returns when to read them again, where that failed.
    async fn read_tools(&self, connection: &Connection) -> Option<Instant> {
        let server = &self.server;
        match listing::read(server.spec(), connection).await {
            Ok(tools) => {
                server.set_tools(tools);
                server.set_ready();
                None
            }
            Err(error) => {
                let again = Instant::now() + LIST_AGAIN;
                let error = Error::new(error.kind(), format!("its tools cannot be read: {error}")).with_source(error);
                server.set_trouble(ServerState::Degraded, Arc::new(error), Instant::now());
                Some(again)
            }
        }
    }

    /// Who wanted a connection until now has it, or has the error.
    fn clear_wish(&self) {
        self.server.life.lock().unwrap_or_else(PoisonError::into_inner).wanted = false;
    }
}

/// Asks a server that has left a request unanswered whether it is there at all.
async fn ping(server: &Server, connection: &Connection) -> bool {
    let method = match connection.upstream().info().era {
        Era::Legacy => "ping",
        Era::Modern => "server/discover",
    };
    let request = UpstreamRequest::new(method, RawJson::empty_object());
    let limit = server.spec().limits().request_timeout();
    // An error is an answer as well.
    if time::timeout(limit, connection.request(request)).await.is_ok() {
        if server.state() == ServerState::Degraded && server.is_listed() {
            server.set_ready();
        }
        return true;
    }
    let silent = Error::new(ErrorKind::UpstreamTimeout, format!("it answers nothing, not even `{method}`"));
    server.set_trouble(ServerState::Degraded, Arc::new(silent), Instant::now());
    false
}

/// Waits for an instant, or for ever.
async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Exponential back-off with "equal jitter": half of the pause is fixed, half is random, so that
/// many gateways do not return at once (M. Brooker, "Exponential Backoff And Jitter", 2015).
fn pause(failures: u32, random: f32) -> Duration {
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
