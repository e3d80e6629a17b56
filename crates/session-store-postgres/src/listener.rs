//! Hears of changes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use gateway_core::{Error, RecordChange, Result};
use tokio::sync::{broadcast, oneshot};
use tokio_postgres::AsyncMessage;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{translate, unavailable};

/// How long to wait before another attempt to connect: first, and at most.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How often a connection that nothing comes over is asked whether it is there, and how long it may take to answer.
const ASKED: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));

/// Listens on a connection of its own, and connects again when that is lost.
pub(crate) struct Listener {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) tls: MakeRustlsConnect,
    pub(crate) channel: String,
    pub(crate) changes: broadcast::Sender<RecordChange>,
    pub(crate) patience: Duration,
}

impl Listener {
    /// Listens until it is dropped. `first` is told how the first attempt went: only after that are changes heard.
    pub(crate) async fn run(self, first: oneshot::Sender<Result<()>>) {
        let mut first = Some(first);
        let mut wait = WAITS.0;
        loop {
            let mut listening = || {
                wait = WAITS.0;
                match first.take() {
                    // Whoever waited for it may have gone.
                    Some(first) => drop(first.send(Ok(()))),
                    // What happened in the meantime was told to nobody.
                    None => drop(self.changes.send(RecordChange::Any)),
                }
            };
            let Err(error) = self.listen(&mut listening).await;
            if let Some(first) = first.take() {
                drop(first.send(Err(error)));
                return;
            }
            tracing::warn!(%error, "no word of changes in PostgreSQL; connecting again");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(WAITS.1);
        }
    }

    async fn listen(&self, listening: &mut (dyn FnMut() + Send)) -> Result<std::convert::Infallible> {
        let connecting = self.config.connect(self.tls.clone());
        let connected = tokio::time::timeout(self.patience, connecting).await;
        let (client, mut connection) =
            connected.map_err(|_| unavailable("connecting to PostgreSQL took too long"))?.map_err(translate)?;
        let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
        let ask = async {
            let listen = client.batch_execute(&self.channel);
            let listened = tokio::time::timeout(self.patience, listen).await;
            listened.map_err(|_| unavailable("PostgreSQL did not answer"))?.map_err(translate)?;
            listening();
            loop {
                tokio::time::sleep(ASKED.0).await;
                let answer = tokio::time::timeout(ASKED.1, client.batch_execute("")).await;
                answer.map_err(|_| unavailable("PostgreSQL does not answer any more"))?.map_err(translate)?;
            }
        };
        let hear = async {
            while let Some(message) = messages.next().await {
                if let AsyncMessage::Notification(word) = message.map_err(translate)? {
                    // Nobody may be listening.
                    let _ = self.changes.send(RecordChange::One(Arc::from(word.payload())));
                }
            }
            Err::<std::convert::Infallible, Error>(unavailable("PostgreSQL closed the connection"))
        };
        tokio::select! {
            ended = ask => ended,
            ended = hear => ended,
        }
    }
}
