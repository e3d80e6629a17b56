//! Taking messages. A consumer lives only as long as somebody waits: one that lived longer would be sent jobs
//! that another gateway could do now.

use std::time::Duration;

use futures_util::StreamExt as _;
use gateway_core::{Claim, Result};
use lapin::Acker;
use lapin::message::Delivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};
use uuid::Uuid;

use crate::error::unavailable;
use crate::held::{Held, give_back};
use crate::link::Link;
use crate::rabbit_queue::Core;

/// How many jobs one claim takes at most, whatever is asked for.
const MOST_AT_ONCE: usize = 256;

type Answer = oneshot::Sender<Result<Vec<Claim>>>;

impl Core {
    /// Takes up to `max` messages for whoever waits at the other end of `answer`, and gives them back where nobody does.
    pub(crate) async fn pull(&self, max: usize, wait: Duration, mut answer: Answer) {
        let max = max.min(MOST_AT_ONCE);
        let until = Instant::now() + wait;
        let result = match self.take(max, until, &mut answer).await {
            Ok(deliveries) => Ok(self.hold(deliveries).await),
            Err(error) => {
                // Whoever asks again at once would only ask in a circle.
                let pause = Duration::from_millis(error.retry_after_ms().unwrap_or(50));
                tokio::select! {
                    () = tokio::time::sleep_until(until.min(Instant::now() + pause)) => {}
                    () = answer.closed() => {}
                }
                Err(error)
            }
        };
        if let Err(Ok(claims)) = answer.send(result) {
            for claim in claims {
                self.holdings.drop_claim(&claim.id);
            }
        }
    }

    async fn take(&self, max: usize, until: Instant, answer: &mut Answer) -> Result<Vec<Delivery>> {
        let link = self.linker.link().await?;
        let mut taken = Vec::new();
        // What is there already, one by one: only this says for certain that there is nothing.
        while taken.len() < max {
            let queue = self.names.requests.as_str().into();
            let getting = link.taking.basic_get(queue, BasicGetOptions::default());
            match self.linker.in_time("take a job", &link, getting).await {
                Ok(Some(got)) => taken.push(got.delivery),
                Ok(None) => break,
                Err(error) if taken.is_empty() => return Err(error),
                Err(error) => {
                    debug!(?error, "the connection was lost while jobs were taken");
                    break;
                }
            }
        }
        if taken.is_empty() && max > 0 && until > Instant::now() && !answer.is_closed() {
            return self.consume(&link, max, until, answer).await;
        }
        Ok(taken)
    }

    /// Waits for the first message, and takes what comes with it.
    async fn consume(
        &self,
        link: &std::sync::Arc<Link>,
        max: usize,
        until: Instant,
        answer: &mut Answer,
    ) -> Result<Vec<Delivery>> {
        let tag: ShortString = Uuid::new_v4().simple().to_string().into();
        let mut consumer = {
            let _setting_up = link.setting_up.lock().await;
            // For each consumer that is set up after it, not for all together.
            let prefetch = u16::try_from(max).unwrap_or(u16::MAX);
            let limiting = link.taking.basic_qos(prefetch, BasicQosOptions::default());
            self.linker.in_time("take a job", link, limiting).await?;
            let queue = self.names.requests.as_str().into();
            let options = BasicConsumeOptions::default();
            let consuming = link.taking.basic_consume(queue, tag.clone(), options, FieldTable::default());
            self.linker.in_time("take a job", link, consuming).await?
        };
        let mut taken = Vec::new();
        let first = tokio::select! {
            first = timeout_at(until, consumer.next()) => first.ok(),
            () = answer.closed() => None,
        };
        match first {
            Some(Some(Ok(delivery))) => taken.push(delivery),
            Some(Some(Err(error))) => return Err(unavailable("take a job", error)),
            // The broker has cancelled the consumer: the queue was deleted.
            Some(None) => {
                self.linker.give_up(link).await;
                return Ok(taken);
            }
            None => {}
        }
        let cancelling = link.taking.basic_cancel(tag, BasicCancelOptions::default());
        let cancelled = self.linker.in_time("take a job", link, cancelling).await;
        if let Err(error) = cancelled {
            // With the connection everything goes back that it brought.
            debug!(?error, "the connection was lost while jobs were taken");
            return if taken.is_empty() { Err(error) } else { Ok(taken) };
        }
        // What was under way when the consumer was cancelled; its stream ends after that.
        while let Some(Ok(delivery)) = consumer.next().await {
            taken.push(delivery);
        }
        Ok(taken)
    }

    /// Makes claims of messages.
    async fn hold(&self, deliveries: Vec<Delivery>) -> Vec<Claim> {
        let mut claims = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            let count = if delivery.redelivered { self.count_again(&delivery).await } else { 1 };
            let id = Uuid::new_v4().simple().to_string();
            let reply_to = delivery.properties.reply_to().as_ref().map(|queue| queue.as_str().to_owned());
            let held = Held {
                acker: delivery.acker,
                redelivered: delivery.redelivered,
                properties: delivery.properties,
                until: Instant::now() + self.lease,
                begun: None,
            };
            self.holdings.insert(id.clone(), held);
            claims.push(Claim {
                token: id.clone(),
                id,
                payload: delivery.data.into(),
                deliveries: count,
                priority: None,
                reply_to: reply_to.filter(|queue| !queue.is_empty()),
            });
        }
        claims
    }

    /// How often a message has been delivered that comes again.
    async fn count_again(&self, delivery: &Delivery) -> u32 {
        let counting = tokio::time::timeout(self.timeout, self.records.count_delivery(&delivery.data, 1)).await;
        match counting {
            Ok(Ok(count)) => count,
            // The broker knows that much.
            Ok(Err(error)) => {
                warn!(?error, "a delivery could not be counted");
                2
            }
            Err(_) => 2,
        }
    }

    /// Puts a message back that this gateway cannot settle. Where its connection is gone, the broker has done that.
    pub(crate) async fn put_back(&self, acker: &Acker) -> Result<()> {
        if acker.poisoned() {
            return Ok(());
        }
        let link = self.linker.link().await?;
        self.linker.in_time("give a job back", &link, give_back(acker)).await.map(drop)
    }
}
