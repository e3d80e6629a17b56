//! Ending a claim.

use gateway_core::{Claim, JobAnswer, Result, Settlement};
use lapin::options::BasicAckOptions;

use crate::error::lost;
use crate::held::Busy;
use crate::link::Routed;
use crate::message;
use crate::rabbit_queue::Core;
use crate::record::Stage;
use crate::records::Kept;

impl Core {
    pub(crate) async fn settle(&self, claim: &Claim, settlement: Settlement) -> Result<()> {
        let Some(busy) = self.holdings.take(claim) else { return Err(lost()) };
        match settlement {
            Settlement::Answered(answer) => self.answer(busy, claim, answer).await,
            Settlement::Dead { reason, answer } => self.bury(busy, claim, &reason, answer).await,
            Settlement::Released => self.release(busy, claim).await,
        }
    }

    /// Keeps the answer, publishes it, and acknowledges the message, in this order: wherever that is cut off, the message comes
    /// again and the answer is found.
    async fn answer(&self, busy: Busy<'_>, claim: &Claim, answer: JobAnswer) -> Result<()> {
        let Some(kept) = self.keep(&busy, claim, &answer).await? else { return self.yield_to_another(busy).await };
        if !kept.record.head.sent {
            self.send(&answer.request.request_id, kept).await?;
        }
        self.acknowledge(busy).await
    }

    /// Another claim has the request by now. The message goes back, and is found to be a double.
    async fn yield_to_another(&self, busy: Busy<'_>) -> Result<()> {
        let acker = busy.end();
        self.put_back(&acker).await?;
        Err(lost())
    }

    /// Keeps an answer, unless another claim has the request by now.
    async fn keep(&self, busy: &Busy<'_>, claim: &Claim, answer: &JobAnswer) -> Result<Option<Kept>> {
        let request_id = &answer.request.request_id;
        loop {
            let kept = self.records.load(request_id).await?;
            let revision = kept.as_ref().map(|kept| kept.revision);
            let mut record = kept.map(|kept| kept.record).unwrap_or_default();
            if !record.is_free_for(&claim.id) {
                return Ok(None);
            }
            if let (true, Some(revision)) = (record.is_answered(), revision) {
                // This very claim has kept it before, and was cut off then.
                return Ok(Some(Kept { record, revision }));
            }
            record.head.stage = if answer.completed { Stage::Completed } else { Stage::Failed };
            record.head.token = Some(claim.id.clone());
            record.head.answer_to = Some(self.reader(&busy.held, &answer.request));
            record.head.pushed = true;
            record.request.get_or_insert_with(|| claim.payload.clone());
            record.response = Some(answer.response.clone());
            if let Some(kept) = self.records.put(request_id, record, revision).await? {
                return Ok(Some(kept));
            }
        }
    }

    /// Publishes a dead letter, then the answer where there is one, and acknowledges the message. A message that
    /// comes again in the middle is judged again: the letter may be there twice, and is never missing.
    async fn bury(&self, busy: Busy<'_>, claim: &Claim, reason: &str, answer: Option<JobAnswer>) -> Result<()> {
        if let Some((request_id, _)) = &busy.held.begun
            && let Some(kept) = self.records.load(request_id).await?
            && !kept.record.is_free_for(&claim.id)
        {
            return self.yield_to_another(busy).await;
        }
        let properties = message::dead(&busy.held.properties, reason);
        let exchange = &self.names.dead_exchange;
        let routed = self.linker.publish(exchange, &self.names.requests, &claim.payload, properties).await?;
        if routed != Routed::Yes {
            return Err(self.linker.declare_again("the queue of dead letters").await);
        }
        if let Some(answer) = answer {
            return self.answer(busy, claim, answer).await;
        }
        if let Some((request_id, _)) = &busy.held.begun {
            self.records.forget(request_id).await?;
        }
        self.acknowledge(busy).await
    }

    /// Gives a job back that nothing has been done for.
    async fn release(&self, busy: Busy<'_>, claim: &Claim) -> Result<()> {
        if let Some((request_id, _)) = &busy.held.begun {
            loop {
                let Some(mut kept) = self.records.load(request_id).await? else { break };
                if kept.record.head.token.as_ref() != Some(&claim.id) || kept.record.is_answered() {
                    break;
                }
                kept.record.head.stage = Stage::Queued;
                kept.record.head.token = None;
                if self.records.save(request_id, kept).await?.is_some() {
                    break;
                }
            }
        }
        let acker = busy.end();
        self.put_back(&acker).await
    }

    /// Acknowledges a message whose work is done. Where its connection is lost it comes again, and its record says
    /// that nothing is left to do.
    async fn acknowledge(&self, busy: Busy<'_>) -> Result<()> {
        let acker = busy.end();
        if acker.poisoned() {
            return Ok(());
        }
        let link = self.linker.link().await?;
        self.linker.in_time("acknowledge a job", &link, acker.ack(BasicAckOptions::default())).await.map(drop)
    }
}
