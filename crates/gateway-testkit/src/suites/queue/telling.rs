//! What is known of requests and of the queue.

use gateway_core::{JobAnswer, QueueDepth, RequestRecord, RequestState, Settlement};

use super::case::{QueueCase, answer, answered, becomes, new_id, unexpected};
use crate::suite::{Verdict, ensure_eq};

pub(super) async fn an_unknown_request_is_none(case: QueueCase) -> Verdict {
    case.push(b"another").await?;
    ensure_eq!(record(&case, &new_id()).await?, None, "an unknown request");
    Ok(())
}

pub(super) async fn a_request_is_known_from_push_to_answer(case: QueueCase) -> Verdict {
    let id = case.push(b"the envelope").await?;
    let known = |state, response: Option<&'static [u8]>| {
        let request = Some(b"the envelope".as_slice().into());
        Some(RequestRecord { request, state, response: response.map(Into::into) })
    };
    ensure_eq!(record(&case, &id).await?, known(RequestState::Queued, None), "a request that waits");
    let claim = case.claim(&case.one).await?;
    ensure_eq!(record(&case, &id).await?, known(RequestState::Queued, None), "a request that is claimed");
    let request = case.first(&case.one, &claim, &id, None).await?;
    ensure_eq!(record(&case, &id).await?, known(RequestState::Processing, None), "a request that has begun");
    case.one.settle(&claim, answered(&request, b"done")).await.map_err(unexpected("settle"))?;
    let completed = known(RequestState::Completed, Some(b"done"));
    ensure_eq!(record(&case, &id).await?, completed, "a request that is answered");
    Ok(())
}

pub(super) async fn a_failed_request_says_so(case: QueueCase) -> Verdict {
    let id = case.push(b"job").await?;
    let claim = case.claim(&case.one).await?;
    let request = case.first(&case.one, &claim, &id, None).await?;
    let failed = JobAnswer { completed: false, ..answer(&request, b"sorry") };
    case.one.settle(&claim, Settlement::Answered(failed)).await.map_err(unexpected("settle"))?;
    let known = record(&case, &id).await?.ok_or("the request is not known")?;
    ensure_eq!(known.state, RequestState::Failed, "the state of a request that went wrong");
    ensure_eq!(known.response.as_deref(), Some(b"sorry".as_slice()), "its response");
    case.answers_are(None, &[b"sorry"]).await
}

pub(super) async fn a_request_of_another_program_is_known_when_it_begins(case: QueueCase) -> Verdict {
    let id = new_id();
    case.produce(b"their envelope").await?;
    let claim = case.claim(&case.one).await?;
    let request = case.first(&case.one, &claim, &id, None).await?;
    let known = record(&case, &id).await?.ok_or("the request is not known")?;
    ensure_eq!(known.state, RequestState::Processing, "the state of a request that has begun");
    ensure_eq!(known.request.as_deref(), Some(b"their envelope".as_slice()), "its envelope");
    case.one.settle(&claim, answered(&request, b"done")).await.map_err(unexpected("settle"))?;
    let known = record(&case, &id).await?.ok_or("the request is not known")?;
    ensure_eq!(known.request.as_deref(), Some(b"their envelope".as_slice()), "its envelope when it is answered");
    Ok(())
}

pub(super) async fn both_ends_know_the_same_requests(case: QueueCase) -> Verdict {
    let id = case.push(b"job").await?;
    let claim = case.claim(&case.one).await?;
    for state in [RequestState::Queued, RequestState::Processing, RequestState::Completed] {
        for queue in [&case.one, &case.two] {
            let known = queue.request(&id).await.map_err(unexpected("request"))?;
            ensure_eq!(known.map(|known| known.state), Some(state), "the state of the request");
        }
        match state {
            RequestState::Queued => drop(case.first(&case.one, &claim, &id, None).await?),
            _ => drop(case.one.settle(&claim, answered(&super::case::request(&id, None), b"done")).await),
        }
    }
    Ok(())
}

pub(super) async fn the_depth_counts_what_waits_is_claimed_and_is_dead(case: QueueCase) -> Verdict {
    let depth = |waiting, claimed, dead| QueueDepth { waiting, claimed, dead };
    let see = || async { case.two.depth().await.map_err(unexpected("depth")) };
    becomes(depth(0, 0, 0), "the depth of an empty queue", see).await?;
    let id = case.push(b"1").await?;
    case.push(b"2").await?;
    case.push(b"3").await?;
    becomes(depth(3, 0, 0), "the depth with three jobs", see).await?;
    let claims = case.claim_all(2).await?;
    becomes(depth(1, 2, 0), "the depth with two jobs of three claimed", see).await?;
    let request = case.first(&case.one, &claims[0], &id, None).await?;
    case.one.settle(&claims[0], answered(&request, b"done")).await.map_err(unexpected("settle"))?;
    let dead = Settlement::Dead { reason: "none".to_owned(), answer: None };
    case.one.settle(&claims[1], dead).await.map_err(unexpected("settle"))?;
    becomes(depth(1, 0, 1), "the depth with one job answered and one buried", see).await
}

async fn record(case: &QueueCase, id: &str) -> Result<Option<RequestRecord>, String> {
    case.two.request(id).await.map_err(unexpected("request"))
}
