//! How much the queue has to do.

use gateway_core::QueueDepth;
use maud::{Markup, html};

use crate::asked::Asked;
use crate::format::{count, sentence};

/// The panel. A broker that cannot be reached is told in it and takes nothing else away.
pub(crate) async fn panel(asked: &Asked<'_>) -> Markup {
    let Some(queue) = &asked.behind.queue else {
        return html! {
            p.muted { "There is no queue. Set " code { "queue.kind" } " in the configuration, or " code { "REDIS_HOST" } ", to take jobs from one." }
        };
    };
    match queue.depth().await {
        Ok(depth) => numbers(queue.name(), depth),
        Err(error) => html! { div.notice.bad role="alert" { p { (sentence(error.message())) } } },
    }
}

fn numbers(name: &str, depth: QueueDepth) -> Markup {
    html! {
        dl.facts {
            div { dt { "Broker" } dd { (name) } }
            div { dt { "Waiting" } dd { (count(depth.waiting)) } }
            div { dt { "In work" } dd { (count(depth.claimed)) } }
            div { dt { "Dead letters" } dd.bad[depth.dead > 0] { (count(depth.dead)) } }
        }
    }
}
