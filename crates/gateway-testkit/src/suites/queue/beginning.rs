//! Whether a request has been begun before.

use gateway_core::Begun;

use super::case::{QueueCase, answered, conflict, new_id, request, unexpected};
use crate::suite::{Verdict, ensure_eq};

pub(super) async fn the_first_begin_says_first(case: QueueCase) -> Verdict {
    let id = case.push(b"job").await?;
    let claim = case.claim(&case.one).await?;
    case.first(&case.one, &claim, &id, None).await?;
    case.produce(b"of another program").await?;
    let claim = case.claim(&case.one).await?;
    case.first(&case.one, &claim, &new_id(), None).await?;
    Ok(())
}

pub(super) async fn begin_repeated_says_the_same(case: QueueCase) -> Verdict {
    let id = case.push(b"job").await?;
    let first = case.claim(&case.one).await?;
    for _ in 0..3 {
        case.first(&case.one, &first, &id, None).await?;
    }
    case.broker.lose().await;
    let second = case.claim(&case.two).await?;
    for _ in 0..3 {
        let begun = case.two.begin(&second, &request(&id, None)).await.map_err(unexpected("begin"))?;
        ensure_eq!(begun, Begun::Again, "begin of a job that a lost claim has begun");
    }
    Ok(())
}

pub(super) async fn what_a_lost_claim_had_begun_is_begun_again(case: QueueCase) -> Verdict {
    let id = new_id();
    case.produce(b"job").await?;
    let first = case.claim(&case.one).await?;
    let request = case.first(&case.one, &first, &id, None).await?;
    case.broker.lose().await;
    let second = case.claim(&case.two).await?;
    let begun = case.two.begin(&second, &request).await.map_err(unexpected("begin"))?;
    ensure_eq!(begun, Begun::Again, "begin of a job that a lost claim has begun");
    case.two.settle(&second, answered(&request, b"done")).await.map_err(unexpected("settle"))?;
    case.answers_are(None, &[b"done"]).await
}

pub(super) async fn what_a_lost_claim_had_not_begun_begins_first(case: QueueCase) -> Verdict {
    let id = case.push(b"job").await?;
    case.claim(&case.one).await?;
    case.broker.lose().await;
    let second = case.claim(&case.two).await?;
    case.first(&case.two, &second, &id, None).await?;
    Ok(())
}

pub(super) async fn a_lost_claim_cannot_begin(case: QueueCase) -> Verdict {
    let id = case.push(b"job").await?;
    let lost = case.claim(&case.one).await?;
    case.broker.lose().await;
    let held = case.claim(&case.two).await?;
    conflict("begin of a lost claim", case.one.begin(&lost, &request(&id, None)).await)?;
    case.first(&case.two, &held, &id, None).await?;
    conflict("begin of a lost claim", case.one.begin(&lost, &request(&id, None)).await)
}

pub(super) async fn a_second_job_with_one_request_id_is_a_duplicate(case: QueueCase) -> Verdict {
    let id = new_id();
    for payload in [b"first".as_slice(), b"second", b"third"] {
        case.produce(payload).await?;
    }
    let first = case.claim(&case.one).await?;
    let request = case.first(&case.one, &first, &id, None).await?;
    for (queue, when) in [(&case.two, "under way"), (&case.one, "answered")] {
        let duplicate = case.claim(queue).await?;
        let begun = queue.begin(&duplicate, &request).await.map_err(unexpected("begin"))?;
        ensure_eq!(begun, Begun::Duplicate, "begin of a second job while the first is {when}");
        if when == "under way" {
            case.one.settle(&first, answered(&request, b"done")).await.map_err(unexpected("settle"))?;
        }
    }
    case.answers_are(None, &[b"done"]).await
}

pub(super) async fn a_duplicate_is_gone(case: QueueCase) -> Verdict {
    let id = new_id();
    case.produce(b"first").await?;
    case.produce(b"second").await?;
    let first = case.claim(&case.two).await?;
    let request = case.first(&case.two, &first, &id, None).await?;
    let duplicate = case.claim(&case.one).await?;
    let begun = case.one.begin(&duplicate, &request).await.map_err(unexpected("begin"))?;
    ensure_eq!(begun, Begun::Duplicate, "begin of a second job");
    let settled = case.one.settle(&duplicate, answered(&request, b"wrong")).await;
    conflict("an answer by a duplicate", settled)?;
    case.two.settle(&first, answered(&request, b"right")).await.map_err(unexpected("settle"))?;
    case.broker.lose().await;
    case.nothing_is_there("after the lease of a duplicate").await?;
    case.answers_are(None, &[b"right"]).await
}

pub(super) async fn a_duplicate_gets_the_answer_in_its_own_list(case: QueueCase) -> Verdict {
    let (id, list) = (new_id(), case.broker.reply_list().await?);
    case.produce(b"first").await?;
    case.produce(b"second").await?;
    let first = case.claim(&case.one).await?;
    let here = case.first(&case.one, &first, &id, None).await?;
    let second = case.claim(&case.two).await?;
    let begun = case.two.begin(&second, &request(&id, Some(&list))).await.map_err(unexpected("begin"))?;
    ensure_eq!(begun, Begun::Duplicate, "begin of a second job");
    case.answers_are(Some(&list), &[]).await?;
    case.one.settle(&first, answered(&here, b"done")).await.map_err(unexpected("settle"))?;
    case.answers_are(None, &[b"done"]).await?;
    case.answers_are(Some(&list), &[b"done"]).await
}

pub(super) async fn a_duplicate_of_an_answered_request_gets_the_answer_at_once(case: QueueCase) -> Verdict {
    let (id, list) = (new_id(), case.broker.reply_list().await?);
    case.produce(b"first").await?;
    let first = case.claim(&case.one).await?;
    let here = case.first(&case.one, &first, &id, None).await?;
    case.one.settle(&first, answered(&here, b"done")).await.map_err(unexpected("settle"))?;
    case.answers_are(None, &[b"done"]).await?;
    case.produce(b"second").await?;
    let second = case.claim(&case.two).await?;
    let begun = case.two.begin(&second, &request(&id, Some(&list))).await.map_err(unexpected("begin"))?;
    ensure_eq!(begun, Begun::Duplicate, "begin of a second job");
    case.answers_are(Some(&list), &[b"done"]).await?;
    case.answers_are(None, &[]).await
}

pub(super) async fn a_duplicate_in_the_same_list_gets_no_second_answer(case: QueueCase) -> Verdict {
    let (id, list) = (new_id(), case.broker.reply_list().await?);
    case.produce(b"first").await?;
    case.produce(b"second").await?;
    let first = case.claim(&case.one).await?;
    let there = case.first(&case.one, &first, &id, Some(&list)).await?;
    let second = case.claim(&case.two).await?;
    let begun = case.two.begin(&second, &there).await.map_err(unexpected("begin"))?;
    ensure_eq!(begun, Begun::Duplicate, "begin of a second job");
    case.one.settle(&first, answered(&there, b"done")).await.map_err(unexpected("settle"))?;
    case.answers_are(Some(&list), &[b"done"]).await?;
    case.answers_are(None, &[]).await
}

pub(super) async fn a_job_between_two_claims_has_duplicates_too(case: QueueCase) -> Verdict {
    let (id, list) = (new_id(), case.broker.reply_list().await?);
    case.produce(b"first").await?;
    let lost = case.claim(&case.one).await?;
    let here = case.first(&case.one, &lost, &id, None).await?;
    case.broker.lose().await;
    case.produce(b"second").await?;
    let again = case.claim(&case.two).await?;
    ensure_eq!(&*again.payload, b"first", "the job whose lease has ended");
    let second = case.claim(&case.two).await?;
    let begun = case.two.begin(&second, &request(&id, Some(&list))).await.map_err(unexpected("begin"))?;
    ensure_eq!(begun, Begun::Duplicate, "begin of a second job while nobody has begun the first one again");
    let begun = case.two.begin(&again, &here).await.map_err(unexpected("begin"))?;
    ensure_eq!(begun, Begun::Again, "begin of the first job by its second claim");
    case.two.settle(&again, answered(&here, b"done")).await.map_err(unexpected("settle"))?;
    case.answers_are(None, &[b"done"]).await?;
    case.answers_are(Some(&list), &[b"done"]).await
}
