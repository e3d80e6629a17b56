//! Beginning a job: whether it is a new one, one that was begun before, or a double.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gateway_core::{Begun, Claim, QueuedRequest, Result};
use lapin::options::BasicAckOptions;
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::error::lost;
use crate::held::{Busy, Held};
use crate::link::Routed;
use crate::message;
use crate::rabbit_queue::Core;
use crate::record::{Added, Asking, Finding, Reader, Record};
use crate::records::{Kept, milliseconds, unix_ms};

/// For how many leases a message that was begun is expected to come again, after its lease has ended. It goes to the head of
/// the queue, so this is long.
const LEASES_TO_COME_AGAIN: u64 = 10;

impl Core {
    pub(crate) async fn begin(&self, claim: &Claim, request: &QueuedRequest) -> Result<Begun> {
        let Some(mut busy) = self.holdings.take(claim) else { return Err(lost()) };
        if let Some((request_id, begun)) = &busy.held.begun
            && *request_id == request.request_id
        {
            return Ok(*begun);
        }
        let reader = self.reader(&busy.held, request);
        loop {
            let kept = self.records.load(&request.request_id).await?;
            let revision = kept.as_ref().map(|kept| kept.revision);
            let mut record = kept.map(|kept| kept.record).unwrap_or_default();
            let now = unix_ms(SystemTime::now());
            let asking = Asking {
                token: &claim.id,
                redelivered: busy.held.redelivered,
                now,
                until: busy.held.until_unix_ms(),
                patience: LEASES_TO_COME_AGAIN * milliseconds(self.lease),
            };
            match record.begin(asking) {
                Finding::Mine { again } => {
                    record.request.get_or_insert_with(|| claim.payload.clone());
                    record.head.pushed = true;
                    record.head.answer_to = Some(reader.clone());
                    if self.records.put(&request.request_id, record, revision).await?.is_some() {
                        let begun = if again { Begun::Again } else { Begun::First };
                        busy.begun(&request.request_id, begun);
                        return Ok(begun);
                    }
                }
                Finding::Held { until } => {
                    self.wait_for_the_other(busy, claim, until.saturating_sub(now)).await;
                    return Err(lost());
                }
                Finding::Double => match record.add_reader(&reader) {
                    Added::Known => return self.end_double(busy).await,
                    Added::New => {
                        if self.records.put(&request.request_id, record, revision).await?.is_some() {
                            return self.end_double(busy).await;
                        }
                    }
                    Added::Full => {
                        self.wait_for_the_other(busy, claim, milliseconds(self.lease)).await;
                        return Err(lost());
                    }
                },
                Finding::Answered => {
                    self.answer_double(&busy.held, &request.request_id, record, revision, &reader).await?;
                    return self.end_double(busy).await;
                }
            }
        }
    }

    /// Where the answer to a claim goes, and what it is found by there.
    pub(crate) fn reader(&self, held: &Held, request: &QueuedRequest) -> Reader {
        Reader {
            queue: self.names.destination(request.reply_to.as_deref()).to_owned(),
            correlation_id: held.correlation_id(&request.request_id),
        }
    }

    /// Another claim is at work on this request, and this message has been delivered before: it may be that claim's own, which
    /// lost its connection and not its life. Acknowledged, the job would be lost with that claim; so it waits here
    /// until the other's lease is over, and goes back to the queue then.
    async fn wait_for_the_other(&self, busy: Busy<'_>, claim: &Claim, left: u64) {
        busy.park(Instant::now() + Duration::from_millis(left + 1));
        if let Err(error) = self.records.count_delivery(&claim.payload, -1).await {
            debug!(?error, "a delivery that does not count was counted");
        }
    }

    /// The claim of a double ends.
    async fn end_double(&self, busy: Busy<'_>) -> Result<Begun> {
        let link = self.linker.link().await?;
        let acker = busy.end();
        // Where the connection is lost before this arrives, the double comes again and is found out again.
        self.linker.in_time("acknowledge a job", &link, acker.ack(BasicAckOptions::default())).await?;
        Ok(Begun::Duplicate)
    }

    /// Sends the answer that is kept to a job that comes late, where it has not gone there already. A message that
    /// comes again may be the very one that was answered, by a gateway that died before it could send.
    async fn answer_double(
        &self,
        held: &Held,
        request_id: &str,
        record: Record,
        revision: Option<u64>,
        reader: &Reader,
    ) -> Result<()> {
        let reached = record.reaches(&reader.queue);
        let response = record.response.clone().unwrap_or_default();
        if let (true, false, Some(revision)) = (held.redelivered, record.head.sent, revision) {
            self.send(request_id, Kept { record, revision }).await?;
        }
        if !reached {
            self.send_to(request_id, &response, reader).await?;
        }
        Ok(())
    }

    /// Publishes the answer that a record keeps to all who wait for it, and notes that.
    pub(crate) async fn send(&self, request_id: &str, mut kept: Kept) -> Result<()> {
        let response = kept.record.response.clone().unwrap_or_default();
        let head = &kept.record.head;
        if let Some(reader) = &head.answer_to
            && self.send_to(request_id, &response, reader).await? != Routed::Yes
            && reader.queue != self.names.responses
        {
            warn!("a job's reply_to is no queue: its answer goes to the common one");
            let common = Reader { queue: self.names.responses.clone(), ..reader.clone() };
            self.send_to(request_id, &response, &common).await?;
        }
        for reader in &head.others {
            self.send_to(request_id, &response, reader).await?;
        }
        kept.record.head.sent = true;
        if let Err(error) = self.records.save(request_id, kept).await {
            // Then it may go out once more, should the message come again.
            debug!(?error, "it could not be noted that an answer was sent");
        }
        Ok(())
    }

    async fn send_to(&self, request_id: &str, response: &Bytes, reader: &Reader) -> Result<Routed> {
        let properties = message::answer(request_id, &reader.correlation_id);
        let routed = self.linker.publish("", &reader.queue, response, properties).await?;
        if routed == Routed::Yes || reader.queue != self.names.responses {
            return Ok(routed);
        }
        // The answer is kept, and must not be counted as sent.
        Err(self.linker.declare_again("the queue of answers").await)
    }
}
