//! A thread that owns a connection.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use gateway_core::{Error, ErrorKind, Result};
use rusqlite::Connection;
use tokio::sync::oneshot;

/// How often a worker may look about: others must hear of changes within a second.
const TICK: Duration = Duration::from_millis(250);

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// A thread that owns a connection, and does one piece of work after another. It ends after the last when its
/// owner is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    jobs: Sender<Job>,
}

impl Worker {
    /// Starts a thread that calls `tick` now and then.
    pub(crate) fn start(
        path: &Path,
        mut connection: Connection,
        mut tick: impl FnMut(&mut Connection) + Send + 'static,
    ) -> Result<Self> {
        let (jobs, waiting) = channel::<Job>();
        let work = move || {
            let mut next = Instant::now() + TICK;
            loop {
                match waiting.recv_timeout(next.saturating_duration_since(Instant::now())) {
                    Ok(job) => job(&mut connection),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                if Instant::now() >= next {
                    tick(&mut connection);
                    next = Instant::now() + TICK;
                }
            }
        };
        std::thread::Builder::new().name("sqlite".to_owned()).spawn(work).map_err(|error| {
            Error::new(ErrorKind::Unavailable, format!("cannot start a thread for {}: {error}", path.display()))
        })?;
        Ok(Self { jobs })
    }

    /// Does `work` on the thread. Dropped before the work began, it is not done; after that, it is done to its end.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<rusqlite::Result<T>>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(move |connection: &mut Connection| {
            if !reply.is_closed() {
                // Nobody may be left to hear it.
                let _ = reply.send(work(connection));
            }
        });
        let ended = || Error::new(ErrorKind::Internal, "the thread of the database has ended");
        self.jobs.send(job).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())
    }
}
