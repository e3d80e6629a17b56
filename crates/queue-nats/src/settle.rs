//! Ending a claim.

use async_nats::jetstream::AckKind;
use bytes::Bytes;
use gateway_core::{Claim, JobAnswer, Result, Settlement};
use serde_json::json;
use tracing::warn;

use crate::error::{lost, unavailable};
use crate::held::{CORRELATION_ID, Held};
use crate::link::Link;
use crate::nats_queue::{NatsQueue, REPLY_TO, ROOM_FOR_HEADERS};
use crate::publish::headers;
use crate::record::Stage;
use crate::records::{Envelope, Kept, hex};

/// The longest reason that a dead letter carries, in characters.
const LONGEST_REASON: usize = 500;
/// The longest header that one keeps.
const LONGEST_HEADER: usize = 255;

impl NatsQueue {
    pub(crate) async fn end(&self, link: &Link, claim: &Claim, settlement: Settlement) -> Result<()> {
        let held = self.holdings.get(claim).ok_or_else(lost)?;
        match settlement {
            Settlement::Answered(answer) => self.answer(link, claim, &held, answer).await,
            Settlement::Dead { reason, answer } => self.bury(link, claim, &held, &reason, answer).await,
            Settlement::Released => self.release(link, claim, &held).await,
        }
    }

    /// Keeps the answer, publishes it, and acknowledges the message, in this order: wherever that is cut off, the message comes
    /// again and the answer is found.
    async fn answer(&self, link: &Link, claim: &Claim, held: &Held, answer: JobAnswer) -> Result<()> {
        let request_id = answer.request.request_id.clone();
        let Some(kept) = self.keep(link, claim, held, answer).await? else {
            self.holdings.remove(&claim.id);
            return Err(lost());
        };
        if !kept.record.sent {
            self.send(link, &request_id, kept).await?;
        }
        self.finish(claim, held, AckKind::Ack).await
    }

    /// Keeps an answer, unless another claim has the request by now.
    async fn keep(&self, link: &Link, claim: &Claim, held: &Held, answer: JobAnswer) -> Result<Option<Kept>> {
        let request_id = &answer.request.request_id;
        let (completed, response) = fitting(&answer, link.client.max_payload());
        loop {
            let kept = link.records.load(request_id).await?;
            let revision = kept.as_ref().map(|kept| kept.revision);
            let mut record = kept.map(|kept| kept.record).unwrap_or_default();
            if !record.is_free_for(held.delivery) {
                return Ok(None);
            }
            if let (true, Some(revision)) = (record.is_answered(), revision) {
                // This very claim has kept it before, and was cut off then.
                return Ok(Some(Kept { record, revision }));
            }
            // Once more where it is there: each entry goes so long after it was written itself, and this one may be as old as the job.
            let job = link.records.envelope(request_id, Envelope::Request).await?;
            let job = job.unwrap_or_else(|| claim.payload.clone());
            link.records.keep_envelope(request_id, Envelope::Request, job).await?;
            // Read only once the record says that this claim has answered it.
            let envelope = Envelope::Response(held.delivery);
            link.records.keep_envelope(request_id, envelope, response.clone()).await?;
            record.stage = if completed { Stage::Completed } else { Stage::Failed };
            record.sequence = held.delivery.sequence;
            record.delivery = held.delivery.delivery;
            record.pushed = true;
            record.answer_to = Some(self.reader(held, &answer.request));
            if let Some(kept) = link.records.put(request_id, record, revision).await? {
                return Ok(Some(kept));
            }
        }
    }

    /// Publishes a dead letter, then the answer where there is one, and acknowledges the message.
    async fn bury(
        &self,
        link: &Link,
        claim: &Claim,
        held: &Held,
        reason: &str,
        answer: Option<JobAnswer>,
    ) -> Result<()> {
        if let Some((request_id, _)) = &held.begun
            && let Some(kept) = link.records.load(request_id).await?
            && !kept.record.is_free_for(held.delivery)
        {
            self.holdings.remove(&claim.id);
            return Err(lost());
        }
        self.lay_aside(link, claim, held, reason).await?;
        if let Some(answer) = answer {
            return self.answer(link, claim, held, answer).await;
        }
        if let Some((request_id, _)) = &held.begun {
            link.records.forget(request_id).await?;
        }
        self.finish(claim, held, AckKind::Ack).await
    }

    /// Publishes a dead letter: unchanged, with the reason, and what its answer was to be found by.
    async fn lay_aside(&self, link: &Link, claim: &Claim, held: &Held, reason: &str) -> Result<()> {
        if claim.payload.len() + ROOM_FOR_HEADERS > link.client.max_payload() {
            warn!(reason, "a dead letter is so large that its reason has no room: it stands here only");
            return link.store_bare(&self.names.dead, claim.payload.clone()).await;
        }
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        let mut headers = headers([("Reason", reason.as_str())]);
        for name in [CORRELATION_ID, REPLY_TO] {
            if let Some(value) = held.headers.get(name).filter(|value| value.as_str().len() <= LONGEST_HEADER) {
                headers.insert(name, value.clone());
            }
        }
        let id = format!("dead-{}-{}", held.delivery.sequence, hex(&claim.payload));
        link.store(&self.names.dead, &id, headers, claim.payload.clone()).await
    }

    /// Gives a job back that nothing has been done for.
    async fn release(&self, link: &Link, claim: &Claim, held: &Held) -> Result<()> {
        if let Some((request_id, _)) = &held.begun {
            while let Some(Kept { mut record, revision }) = link.records.load(request_id).await? {
                let ours = record.delivery != 0 && record.is_free_for(held.delivery);
                if !ours || record.is_answered() {
                    break;
                }
                record.stage = Stage::Queued;
                record.delivery = 0;
                if link.records.put(request_id, record, Some(revision)).await?.is_some() {
                    break;
                }
            }
        }
        self.finish(claim, held, AckKind::Nak(None)).await
    }

    /// Tells the server, and waits until it knows.
    async fn finish(&self, claim: &Claim, held: &Held, kind: AckKind) -> Result<()> {
        held.acker.double_ack_with(kind).await.map_err(unavailable("acknowledge a job"))?;
        self.holdings.remove(&claim.id);
        Ok(())
    }
}

/// The answer, or what is said in its place where it is larger than a message may be: silence would be worse, and the job would be
/// done again and again.
fn fitting(answer: &JobAnswer, most: usize) -> (bool, Bytes) {
    if answer.response.len() + ROOM_FOR_HEADERS <= most {
        return (answer.completed, answer.response.clone());
    }
    let timestamp: serde_json::Value = serde_json::from_str(&answer.timestamp).unwrap_or_default();
    let error = format!(
        "the answer has {} bytes, more than NATS takes: raise max_payload, which is {most}, or use another door",
        answer.response.len()
    );
    let response = json!({
        "request_id": answer.request.request_id, "status": "error", "timestamp": timestamp,
        "result": null, "error": error, "kind": "too_large",
    });
    (false, response.to_string().into())
}

#[cfg(test)]
mod tests {
    use gateway_core::QueuedRequest;

    use super::*;

    #[test]
    fn what_does_not_fit_is_said() {
        let request = QueuedRequest { request_id: "r".to_owned(), reply_to: None };
        let (result, timestamp) = (Bytes::new(), "1764000000.125".to_owned());
        let mut answer = JobAnswer { request, completed: true, response: vec![b'x'; 904].into(), result, timestamp };
        assert_eq!(fitting(&answer, 5000), (true, answer.response.clone()));
        answer.response = vec![b'x'; 905].into();
        let (completed, said) = fitting(&answer, 5000);
        let said: serde_json::Value = serde_json::from_slice(&said).expect("JSON");
        assert!(!completed);
        assert_eq!(
            (&said["request_id"], &said["status"], &said["kind"]),
            (&"r".into(), &"error".into(), &"too_large".into())
        );
        assert_eq!(said["timestamp"], 1_764_000_000.125);
        assert!(said["error"].as_str().expect("text").contains("905 bytes"));
    }
}
