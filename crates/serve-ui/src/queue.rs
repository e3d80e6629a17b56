//! How much the queue has to do.

use std::time::Duration;

use gateway_core::{Error, ErrorKind, QueueDepth, Result};
use maud::{Markup, html};
use tokio::time::timeout;

use crate::asked::Asked;
use crate::format::{count, sentence};

/// A broker that says nothing for so long is told as one that cannot be reached: the rest of the page must not wait.
const PATIENCE: Duration = Duration::from_secs(3);

/// A queue and how full it is, or why that is not known.
#[derive(Debug)]
pub(crate) struct Level {
    name: &'static str,
    depth: Result<QueueDepth>,
}

/// Asks the queue, where there is one.
pub(crate) async fn level(asked: &Asked<'_>) -> Option<Level> {
    let queue = asked.behind.queue.as_ref()?;
    let silent = || Error::new(ErrorKind::Unavailable, "the broker does not answer");
    let depth = timeout(PATIENCE, queue.depth()).await.unwrap_or_else(|_| Err(silent()));
    Some(Level { name: queue.name(), depth })
}

impl Level {
    /// What waits, at a glance.
    pub(crate) fn tile(&self) -> Markup {
        match &self.depth {
            Ok(depth) => html! {
                div.tile.warn[depth.dead > 0] {
                    dt { "Queue" } dd { (count(depth.waiting)) } dd.note { (count(depth.claimed)) " in work, " (count(depth.dead)) " dead" }
                }
            },
            Err(_) => html! { div.tile.warn { dt { "Queue" } dd { "–" } dd.note { "cannot be asked" } } },
        }
    }
}

/// The panel. A broker that cannot be reached takes nothing else away.
pub(crate) fn panel(level: Option<&Level>) -> Markup {
    let Some(level) = level else {
        return html! {
            p.muted { "There is no queue. Set " code { "queue.kind" } " in the configuration, or " code { "REDIS_HOST" } ", to take jobs from one." }
        };
    };
    match &level.depth {
        Ok(depth) => html! {
            dl.facts {
                div { dt { "Broker" } dd { (level.name) } }
                div { dt { "Waiting" } dd { (count(depth.waiting)) } }
                div { dt { "In work" } dd { (count(depth.claimed)) } }
                div { dt { "Dead letters" } dd.bad[depth.dead > 0] { (count(depth.dead)) } }
            }
        },
        Err(error) => html! { div.notice.bad role="alert" { p { (sentence(error.message())) } } },
    }
}
