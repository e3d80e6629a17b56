//! How claims end.

use bytes::Bytes;
use gateway_core::{Begun, Settlement};

use super::case::{DeadLetter, QueueCase, answer, answered, becomes, conflict, request, unexpected};
use crate::suite::{Verdict, ensure, ensure_eq};

pub(super) async fn an_answer_is_handed_over_and_ends_the_job(case: QueueCase) -> Verdict {
    let id = case.push(b"job").await?;
    let claim = case.claim(&case.one).await?;
    let request = case.first(&case.one, &claim, &id, None).await?;
    case.answers_are(None, &[]).await?;
    case.one.settle(&claim, answered(&request, b"done")).await.map_err(unexpected("settle"))?;
    case.answers_are(None, &[b"done"]).await?;
    case.broker.lose().await;
    case.nothing_is_there("after the only job was answered and its lease would have ended").await
}

pub(super) async fn an_answer_goes_where_it_is_wanted(case: QueueCase) -> Verdict {
    let lists = [case.broker.reply_list().await?, case.broker.reply_list().await?];
    for list in &lists {
        let id = case.push(b"job").await?;
        let claim = case.claim(&case.one).await?;
        let request = case.first(&case.one, &claim, &id, Some(list)).await?;
        case.one.settle(&claim, answered(&request, list.as_bytes())).await.map_err(unexpected("settle"))?;
    }
    for list in &lists {
        case.answers_are(Some(list), &[list.as_bytes()]).await?;
    }
    case.answers_are(None, &[]).await
}

pub(super) async fn answers_are_opaque(case: QueueCase) -> Verdict {
    let every_byte: Vec<u8> = (0..=255).collect();
    for response in [every_byte, b"not\xff utf-8 \0\r\n".to_vec(), vec![b'x'; 256 * 1024]] {
        let id = case.push(b"job").await?;
        let claim = case.claim(&case.one).await?;
        let request = case.first(&case.one, &claim, &id, None).await?;
        case.one.settle(&claim, answered(&request, &response)).await.map_err(unexpected("settle"))?;
        case.answers_are(None, &[&response]).await?;
        let record = case.two.request(&id).await.map_err(unexpected("request"))?.ok_or("the request is not known")?;
        ensure!(record.response.as_deref() == Some(&*response), "the response kept is not the answer");
    }
    Ok(())
}

pub(super) async fn a_second_settlement_is_refused(case: QueueCase) -> Verdict {
    let id = case.push(b"job").await?;
    let claim = case.claim(&case.one).await?;
    let request = case.first(&case.one, &claim, &id, None).await?;
    case.one.settle(&claim, answered(&request, b"first")).await.map_err(unexpected("settle"))?;
    conflict("a second answer", case.one.settle(&claim, answered(&request, b"second")).await)?;
    conflict("a release after an answer", case.one.settle(&claim, Settlement::Released).await)?;
    conflict("a burial after an answer", case.one.settle(&claim, dead("late")).await)?;
    case.nothing_is_there("after the only job was answered").await?;
    ensure_eq!(case.broker.dead_letters().await?, [], "dead letters");
    case.answers_are(None, &[b"first"]).await
}

pub(super) async fn a_lost_claim_cannot_answer(case: QueueCase) -> Verdict {
    let (lost, request) = case.begun_and_lost(b"job").await?;
    let held = case.claim(&case.two).await?;
    conflict("an answer by a lost claim", case.one.settle(&lost, answered(&request, b"late")).await)?;
    let begun = case.two.begin(&held, &request).await.map_err(unexpected("begin"))?;
    ensure_eq!(begun, Begun::Again, "begin by the second claim");
    conflict("an answer by a lost claim", case.one.settle(&lost, answered(&request, b"late")).await)?;
    case.two.settle(&held, answered(&request, b"done")).await.map_err(unexpected("settle"))?;
    case.answers_are(None, &[b"done"]).await
}

pub(super) async fn a_lost_claim_can_neither_bury_nor_release(case: QueueCase) -> Verdict {
    let (lost, request) = case.begun_and_lost(b"job").await?;
    let held = case.claim(&case.two).await?;
    conflict("a release by a lost claim", case.one.settle(&lost, Settlement::Released).await)?;
    conflict("a burial by a lost claim", case.one.settle(&lost, dead("late")).await)?;
    case.nothing_is_there("while another holds the job").await?;
    ensure_eq!(case.broker.dead_letters().await?, [], "dead letters");
    case.two.begin(&held, &request).await.map_err(unexpected("begin"))?;
    case.two.settle(&held, answered(&request, b"done")).await.map_err(unexpected("settle"))?;
    case.answers_are(None, &[b"done"]).await
}

pub(super) async fn a_lost_claim_cannot_answer_once_another_has(case: QueueCase) -> Verdict {
    let (lost, request) = case.begun_and_lost(b"job").await?;
    let held = case.claim(&case.two).await?;
    case.two.begin(&held, &request).await.map_err(unexpected("begin"))?;
    case.two.settle(&held, answered(&request, b"done")).await.map_err(unexpected("settle"))?;
    conflict("an answer by a lost claim", case.one.settle(&lost, answered(&request, b"late")).await)?;
    let record = case.one.request(&request.request_id).await.map_err(unexpected("request"))?;
    let response = record.and_then(|record| record.response);
    ensure_eq!(response.as_deref(), Some(b"done".as_slice()), "the response that is kept");
    case.answers_are(None, &[b"done"]).await
}

pub(super) async fn a_dead_letter_keeps_its_payload_and_reason(case: QueueCase) -> Verdict {
    let payloads: [&[u8]; 2] = [b"not\xff utf-8 \0\r\n", b"[\"not a job\"]"];
    for payload in payloads {
        case.produce(payload).await?;
        let claim = case.claim(&case.one).await?;
        case.one.settle(&claim, dead("it is not an object: \"x\"")).await.map_err(unexpected("settle"))?;
    }
    let expected = payloads.map(|payload| DeadLetter {
        payload: Bytes::copy_from_slice(payload),
        reason: "it is not an object: \"x\"".to_owned(),
    });
    becomes(expected.to_vec(), "dead letters", || case.broker.dead_letters()).await?;
    case.broker.lose().await;
    case.nothing_is_there("after the only jobs were buried").await?;
    case.answers_are(None, &[]).await
}

pub(super) async fn a_dead_letter_may_be_answered(case: QueueCase) -> Verdict {
    let list = case.broker.reply_list().await?;
    let id = case.push(b"job").await?;
    let claim = case.claim(&case.one).await?;
    let request = case.first(&case.one, &claim, &id, Some(&list)).await?;
    let told = gateway_core::JobAnswer { completed: false, ..answer(&request, b"told") };
    let settlement = Settlement::Dead { reason: "it ends everybody".to_owned(), answer: Some(told) };
    case.one.settle(&claim, settlement).await.map_err(unexpected("settle"))?;
    case.answers_are(Some(&list), &[b"told"]).await?;
    let letter = DeadLetter { payload: Bytes::from_static(b"job"), reason: "it ends everybody".to_owned() };
    becomes(vec![letter], "dead letters", || case.broker.dead_letters()).await?;
    let record = case.two.request(&id).await.map_err(unexpected("request"))?.ok_or("the request is not known")?;
    ensure_eq!(record.state.as_str(), "error", "the state of the request");
    ensure_eq!(record.response.as_deref(), Some(b"told".as_slice()), "the response that is kept");
    case.nothing_is_there("after the only job was buried").await
}

pub(super) async fn a_released_job_is_the_next_one(case: QueueCase) -> Verdict {
    for payload in [b"first".as_slice(), b"second"] {
        case.push(payload).await?;
    }
    let claim = case.claim(&case.one).await?;
    ensure_eq!(&*claim.payload, b"first", "the first job");
    case.one.settle(&claim, Settlement::Released).await.map_err(unexpected("settle"))?;
    let next = case.claim(&case.two).await?;
    ensure_eq!(&*next.payload, b"first", "the next job after a release");
    let next = case.claim(&case.two).await?;
    ensure_eq!(&*next.payload, b"second", "the job after that");
    Ok(())
}

pub(super) async fn a_released_claim_is_over(case: QueueCase) -> Verdict {
    let id = case.push(b"job").await?;
    let released = case.claim(&case.one).await?;
    case.one.settle(&released, Settlement::Released).await.map_err(unexpected("settle"))?;
    let held = case.claim(&case.two).await?;
    ensure!(held.id != released.id, "the claim after a release has the same id");
    conflict("a second release", case.one.settle(&released, Settlement::Released).await)?;
    let request = case.first(&case.two, &held, &id, None).await?;
    conflict("begin of a released claim", case.one.begin(&released, &request).await)?;
    conflict("an answer by a released claim", case.one.settle(&released, answered(&request, b"late")).await)?;
    case.two.settle(&held, answered(&request, b"done")).await.map_err(unexpected("settle"))?;
    case.answers_are(None, &[b"done"]).await
}

pub(super) async fn what_was_begun_and_released_begins_as_it_was_before(case: QueueCase) -> Verdict {
    let id = case.push(b"job").await?;
    let released = case.claim(&case.one).await?;
    case.first(&case.one, &released, &id, None).await?;
    case.one.settle(&released, Settlement::Released).await.map_err(unexpected("settle"))?;
    let state = |record: Option<gateway_core::RequestRecord>| record.map(|record| record.state.as_str());
    let record = case.one.request(&id).await.map_err(unexpected("request"))?;
    ensure_eq!(state(record), Some("queued"), "the state of a request that was given back");
    // Whoever gives it back says that nothing has been done.
    let held = case.claim(&case.two).await?;
    case.first(&case.two, &held, &id, None).await?;
    case.broker.lose().await;
    // That of a claim that was lost is not forgotten by that.
    let held = case.claim(&case.one).await?;
    let request = request(&id, None);
    for _ in 0..2 {
        let begun = case.one.begin(&held, &request).await.map_err(unexpected("begin"))?;
        ensure_eq!(begun, Begun::Again, "begin after a claim that was lost");
    }
    case.one.settle(&held, Settlement::Released).await.map_err(unexpected("settle"))?;
    let held = case.claim(&case.two).await?;
    let begun = case.two.begin(&held, &request).await.map_err(unexpected("begin"))?;
    ensure_eq!(begun, Begun::Again, "begin after a release of what another had begun");
    case.two.settle(&held, answered(&request, b"done")).await.map_err(unexpected("settle"))?;
    case.answers_are(None, &[b"done"]).await
}

fn dead(reason: &str) -> Settlement {
    Settlement::Dead { reason: reason.to_owned(), answer: None }
}
