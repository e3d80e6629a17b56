//! The task that watches over one server from its start to its end.

use std::convert::Infallible;
use std::process::Command as Program;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gateway_core::{Command, Error, ErrorKind, Result, ServerSpec, UpstreamEvents};
use tokio::net::unix::pipe;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::StdioConfig;
use crate::connection::Connection;
use crate::error::{End, not_started};
use crate::process::{self, Group};
use crate::reader::read_output;
use crate::stderr::Tail;

/// How long the other signs of a server's end are waited for after the first: its exit status, its
/// last answers, its last words.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Holds a server: when this is dropped, its supervisor ends it.
#[derive(Debug)]
pub(crate) struct Leash {
    held: Mutex<Option<oneshot::Sender<Infallible>>>,
    ended: watch::Receiver<()>,
}

impl Leash {
    /// Lets go and waits until nothing is left of the server. May be called again.
    pub(crate) async fn release(&self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The supervisor never sends; its end is the end of the channel.
        while self.ended.clone().changed().await.is_ok() {}
    }
}

/// What it takes to start a server.
#[derive(Debug)]
pub(crate) struct Start {
    /// What is started.
    pub(crate) spec: Arc<ServerSpec>,
    /// Its command.
    pub(crate) command: Command,
    /// Who hears it.
    pub(crate) events: Arc<dyn UpstreamEvents>,
    /// Times and limits.
    pub(crate) config: Arc<StdioConfig>,
    /// Who owns the tasks.
    pub(crate) tracker: TaskTracker,
}

impl Start {
    /// Starts the server. Its supervisor is a task from the first moment, so that dropping this future
    /// ends what has begun.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] where there is no such program, [`ErrorKind::Unavailable`] where
    /// the system refuses.
    pub(crate) async fn start(self) -> Result<(Arc<Connection>, Leash)> {
        let program = crate::command::program(&self.command)?;
        let (held, leash) = oneshot::channel();
        let (alive, ended) = watch::channel(());
        let (started, answer) = oneshot::channel();
        let tracker = self.tracker.clone();
        let hold = Leash { held: Mutex::new(Some(held)), ended };
        tracker.spawn(async move {
            match self.launch(program).await {
                Ok((supervisor, connection)) => {
                    let _closing = Closing(Arc::clone(&connection));
                    // Where nobody waits any more the leash is gone too.
                    let _ = started.send(Ok(connection));
                    supervisor.supervise(leash).await;
                }
                Err(error) => drop(started.send(Err(error))),
            }
            drop(alive);
        });
        let connection = answer.await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Unavailable, "cannot start the server: the gateway stops"))
        })?;
        Ok((connection, hold))
    }

    async fn launch(self, program: Program) -> Result<(Supervisor, Arc<Connection>)> {
        let mut group = process::spawn(program).await.map_err(|error| not_started(&self.command, error))?;
        let unusable = |error| {
            Error::new(ErrorKind::Unavailable, "cannot start the server: its pipes cannot be used").with_source(error)
        };
        let (stdin, stdout, stderr) = group.take_pipes().expect("all three streams are pipes");
        let input = pipe::Sender::from_owned_fd(stdin.into()).map_err(unusable)?;
        let output = pipe::Receiver::from_owned_fd(stdout.into()).map_err(unusable)?;
        let errors = pipe::Receiver::from_owned_fd(stderr.into()).map_err(unusable)?;

        let tail = Arc::new(Tail::new(&self.command));
        let connection = Arc::new(Connection::new(
            self.spec.name(),
            group.id(),
            input,
            self.config.max_outbox_bytes,
            self.events,
            Arc::clone(&tail),
        ));
        let tracker = &self.tracker;
        let limit = self.spec.limits().max_message_bytes;
        let reading = read_output(Arc::clone(&connection), output, limit, tracker.clone());
        let output = Watched::new(tracker.spawn(reading));
        let errors = Watched::new(tracker.spawn({
            let connection = Arc::clone(&connection);
            async move {
                let told = |line: &str| connection.events.wrote(line);
                connection.tail.read(&connection.server, errors, told).await;
            }
        }));
        let input = Watched::new(tracker.spawn({
            let outbox = Arc::clone(&connection.outbox);
            async move { outbox.run().await.is_ok() }
        }));
        let streams = Streams { input, output, errors };
        let config = self.config;
        let supervisor = Supervisor { group, streams, config, connection: Arc::clone(&connection) };
        Ok((supervisor, connection))
    }
}

/// Lets nobody wait for ever where the runtime is dropped with the supervisor.
struct Closing(Arc<Connection>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// One server that runs.
struct Supervisor {
    group: Group,
    streams: Streams,
    connection: Arc<Connection>,
    config: Arc<StdioConfig>,
}

/// The tasks at the three pipes.
struct Streams {
    /// `true` where all was written, `false` where the server closed its input.
    input: Watched<bool>,
    output: Watched<Result<()>>,
    errors: Watched<()>,
}

impl Supervisor {
    async fn supervise(mut self, leash: oneshot::Receiver<Infallible>) {
        tokio::select! {
            biased;
            _ = leash => self.connection.close(),
            () = first_sign(&self.group, &mut self.streams) => {
                let end = self.end().await;
                let last_words = self.connection.tail.last_words();
                self.connection.died(end.into_error(last_words.as_deref()));
            }
        }
        self.wind_up().await;
    }

    /// Finds out why the server ended.
    async fn end(&mut self) -> End {
        if !matches!(self.streams.output.outcome, Some(Some(Err(_)))) {
            let _ = timeout(LAST_WORDS, quiet(&self.group, &mut self.streams)).await;
        }
        if let Some(Some(Err(error))) = &self.streams.output.outcome {
            return End::Broken(error.duplicate());
        }
        match self.group.exit() {
            Some(exit) => End::Exited(exit),
            None if self.streams.output.outcome.is_some() => End::OutputClosed,
            None => End::InputClosed,
        }
    }

    /// Ends the group in order: by its standard input, by SIGTERM, by SIGKILL.
    async fn wind_up(mut self) {
        let Self { group, streams, connection, config } = &mut self;
        connection.outbox.close();
        if timeout(config.stdin_grace, quiet(group, streams)).await.is_err() {
            streams.input.stop().await;
            connection.outbox.abandon();
            group.terminate();
            if timeout(config.term_grace, quiet(group, streams)).await.is_err() {
                let server = &connection.server;
                tracing::debug!(server, "a server does not end when asked; it is killed");
            }
        }
        self.group.finish().await;
        self.streams.stop().await;
        self.connection.outbox.abandon();
    }
}

impl Streams {
    async fn stop(&mut self) {
        self.input.stop().await;
        self.output.stop().await;
        self.errors.stop().await;
    }
}

/// Waits for the first sign that a server is ending.
async fn first_sign(group: &Group, streams: &mut Streams) {
    tokio::select! {
        () = streams.output.ended() => {}
        () = streams.input.ended() => {}
        _ = group.exited() => {}
    }
}

/// Waits until the leader has ended and nobody holds its output. A helper that still works usually
/// holds it, and gets the rest of the leader's time.
async fn quiet(group: &Group, streams: &mut Streams) {
    group.exited().await;
    streams.output.ended().await;
    streams.errors.ended().await;
}

/// A task and what became of it.
struct Watched<T> {
    task: Option<JoinHandle<T>>,
    /// `Some(None)` where it panicked or was stopped.
    outcome: Option<Option<T>>,
}

impl<T> Watched<T> {
    fn new(task: JoinHandle<T>) -> Self {
        Self { task: Some(task), outcome: None }
    }

    /// Waits for its end. Dropping the future changes nothing.
    async fn ended(&mut self) {
        if let Some(task) = &mut self.task {
            self.outcome = Some(task.await.ok());
            self.task = None;
        }
    }

    /// Stops it where it still runs, and waits.
    async fn stop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        self.ended().await;
    }
}
