//! Beginning a job: whether it is a new one, one that was begun before, or a double.

use async_nats::jetstream::AckKind;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use gateway_core::{Begun, Claim, QueuedRequest, Result};
use tracing::warn;

use crate::error::{lost, unavailable};
use crate::held::Held;
use crate::link::Link;
use crate::nats_queue::NatsQueue;
use crate::publish::{Heard, headers};
use crate::record::{Added, Finding, Reader, Record};
use crate::records::{Envelope, Kept};

impl NatsQueue {
    pub(crate) async fn start(&self, link: &Link, claim: &Claim, request: &QueuedRequest) -> Result<Begun> {
        let held = self.holdings.get(claim).ok_or_else(lost)?;
        if let Some((request_id, begun)) = &held.begun
            && *request_id == request.request_id
        {
            return Ok(*begun);
        }
        let id = &request.request_id;
        let reader = self.reader(&held, request);
        loop {
            let kept = link.records.load(id).await?;
            let revision = kept.as_ref().map(|kept| kept.revision);
            let mut record = kept.map(|kept| kept.record).unwrap_or_default();
            let mut finding = record.begin(held.delivery);
            if finding == Finding::Double && !is_there(link, record.sequence).await? {
                finding = record.inherit(held.delivery);
            }
            match finding {
                Finding::Mine { again } => {
                    if !record.pushed {
                        link.records.keep_envelope(id, Envelope::Request, claim.payload.clone()).await?;
                    }
                    record.pushed = true;
                    record.answer_to = Some(reader.clone());
                    if link.records.put(id, record, revision).await?.is_some() {
                        let begun = if again { Begun::Again } else { Begun::First };
                        self.holdings.change(&claim.id, |held| held.begun = Some((id.clone(), begun)));
                        return Ok(begun);
                    }
                }
                Finding::Lost => {
                    self.holdings.remove(&claim.id);
                    return Err(lost());
                }
                Finding::Double => match record.add_reader(&reader) {
                    Added::Known => return self.end_double(claim, &held).await,
                    Added::New => {
                        if link.records.put(id, record, revision).await?.is_some() {
                            return self.end_double(claim, &held).await;
                        }
                    }
                    // It comes again after its lease, and finds the answer sooner or later.
                    Added::Full => {
                        self.holdings.remove(&claim.id);
                        return Err(lost());
                    }
                },
                Finding::Answered { this } => {
                    let reached = record.reaches(&reader.subject);
                    if let (true, false, Some(revision)) = (this, record.sent, revision) {
                        // By a gateway that died before it could send.
                        self.send(link, id, Kept { record, revision }).await?;
                    } else if !reached {
                        self.send_to(link, id, held.delivery.sequence, &reader).await?;
                    }
                    return self.end_double(claim, &held).await;
                }
            }
        }
    }

    /// Where the answer to a claim goes, and what it is found by there.
    pub(crate) fn reader(&self, held: &Held, request: &QueuedRequest) -> Reader {
        Reader {
            subject: self.names.destination(request.reply_to.as_deref()).to_owned(),
            correlation_id: held.correlation_id(&request.request_id),
        }
    }

    async fn end_double(&self, claim: &Claim, held: &Held) -> Result<Begun> {
        held.acker.double_ack_with(AckKind::Ack).await.map_err(unavailable("acknowledge a job"))?;
        self.holdings.remove(&claim.id);
        Ok(Begun::Duplicate)
    }

    /// Publishes the answer that a record keeps to all who wait for it, and notes that.
    pub(crate) async fn send(&self, link: &Link, request_id: &str, kept: Kept) -> Result<()> {
        let Kept { mut record, revision } = kept;
        for reader in record.answer_to.iter().chain(&record.others) {
            self.send_to(link, request_id, record.sequence, reader).await?;
        }
        record.sent = true;
        // Where the record has changed, a double has come in between, and finds that the answer is there.
        if link.records.put(request_id, record, Some(revision)).await?.is_none() {
            self.mark_sent(link, request_id).await?;
        }
        Ok(())
    }

    async fn mark_sent(&self, link: &Link, request_id: &str) -> Result<()> {
        while let Some(Kept { record, revision }) = link.records.load(request_id).await? {
            let record = Record { sent: true, ..record };
            if link.records.put(request_id, record, Some(revision)).await?.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Sends the answer that is kept. Where nobody listens on a subject, it goes to the common one.
    async fn send_to(&self, link: &Link, request_id: &str, sequence: u64, reader: &Reader) -> Result<()> {
        let response = link.records.envelope(request_id, Envelope::Response).await?.unwrap_or_default();
        let headers = headers([
            ("Content-Type", "application/json"),
            ("Request-Id", request_id),
            ("Correlation-Id", &reader.correlation_id),
        ]);
        if reader.subject != self.names.responses {
            if link.tell(&reader.subject, headers.clone(), response.clone()).await? == Heard::Yes {
                return Ok(());
            }
            warn!("nobody listens where a job's reply_to says: its answer goes to the common subject");
        }
        let id = format!("answer-{sequence}-{request_id}");
        link.store(&self.names.responses, &id, headers, response).await
    }
}

/// Whether a message is still in the stream of jobs.
async fn is_there(link: &Link, sequence: u64) -> Result<bool> {
    match link.requests.get_raw_message(sequence).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(false),
        Err(error) => Err(unavailable("find a job")(error)),
    }
}
