//! Hears of changes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use gateway_core::{Error, RecordChange, Result};
use tokio::sync::broadcast;
use tokio::time::{sleep, timeout};

use crate::error::{unavailable, unavailable_because};
use crate::link::Link;

/// How long to wait before another attempt to connect: first, and at most.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How often a connection that nothing comes over is asked whether it is there, and how long it may take to answer.
const ASKED: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));

/// Listens on a connection of its own until it is dropped, and connects again when that is lost.
pub(crate) async fn run(link: Arc<Link>, channel: String, changes: broadcast::Sender<RecordChange>) {
    let mut wait = WAITS.0;
    loop {
        let listening = || {
            wait = WAITS.0;
            // What happened in the meantime was told to nobody. Nobody may be listening here, either.
            let _ = changes.send(RecordChange::Any);
        };
        let Err(error) = listen(&link, &channel, &changes, listening).await;
        tracing::debug!(%error, "no word of changes in Redis; connecting again");
        sleep(wait).await;
        wait = (wait * 2).min(WAITS.1);
    }
}

async fn listen(
    link: &Link,
    channel: &str,
    changes: &broadcast::Sender<RecordChange>,
    listening: impl FnOnce(),
) -> Result<Infallible> {
    let (mut asking, mut messages) = link.listening().await?.split();
    let ask = async {
        let subscribed = timeout(ASKED.1, asking.subscribe(channel)).await;
        subscribed.map_err(|_| unavailable_because("it does not answer"))?.map_err(unavailable)?;
        listening();
        loop {
            sleep(ASKED.0).await;
            let answer = timeout(ASKED.1, asking.ping::<redis::Value>()).await;
            answer.map_err(|_| unavailable_because("it does not answer any more"))?.map_err(unavailable)?;
        }
    };
    let hear = async {
        while let Some(message) = messages.next().await {
            let id = String::from_utf8_lossy(message.get_payload_bytes());
            let _ = changes.send(RecordChange::One(Arc::from(id.as_ref())));
        }
        Err::<Infallible, Error>(unavailable_because("it closed the connection"))
    };
    tokio::select! {
        ended = ask => ended,
        ended = hear => ended,
    }
}
