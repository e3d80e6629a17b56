//! Pushing, claiming, leases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use gateway_core::{Claim, Priority, Queue};
use tokio::time::{Instant, sleep, timeout};

use super::case::{QueueCase, SOON, answered, new_id, request, soon, unexpected};
use crate::suite::{Verdict, ensure, ensure_eq};

pub(super) async fn jobs_are_claimed_in_the_order_in_which_they_came(case: QueueCase) -> Verdict {
    for number in 0..20_u8 {
        case.push(&[number]).await?;
    }
    let order: Vec<u8> = case.claim_all(20).await?.iter().map(|claim| claim.payload[0]).collect();
    ensure_eq!(order, Vec::from_iter(0..20), "the order of claims");
    Ok(())
}

pub(super) async fn a_higher_priority_goes_first(case: QueueCase) -> Verdict {
    let (low, normal, high, urgent) = (Priority::Low, Priority::Normal, Priority::High, Priority::Urgent);
    let pushed = [(0, low), (1, normal), (2, urgent), (3, high), (4, urgent), (5, low), (6, normal)];
    for (number, priority) in pushed {
        case.push_as(&new_id(), &[number], priority).await?;
    }
    let mut order: Vec<u8> = Vec::new();
    for _ in pushed {
        let claim = case.claim(&case.one).await?;
        let number = claim.payload[0];
        if case.broker.keeps_priorities() {
            let (_, priority) = pushed[usize::from(number)];
            // A list of jobs of no special priority need not say so.
            ensure_eq!(claim.priority.unwrap_or_default(), priority, "the priority of a claim");
        }
        order.push(number);
    }
    let expected = if case.broker.keeps_priorities() { [2, 4, 3, 1, 6, 0, 5] } else { [0, 1, 2, 3, 4, 5, 6] };
    ensure_eq!(order, expected, "the order of claims");
    Ok(())
}

pub(super) async fn a_job_of_another_program_is_claimed_like_any_other(case: QueueCase) -> Verdict {
    case.push(b"ours, first").await?;
    case.produce(b"theirs").await?;
    case.push(b"ours, last").await?;
    let claims = case.claim_all(3).await?;
    let order: Vec<&[u8]> = claims.iter().map(|claim| &*claim.payload).collect();
    ensure_eq!(order, [b"ours, first".as_slice(), b"theirs", b"ours, last"], "the order of claims");
    Ok(())
}

pub(super) async fn a_claim_takes_no_more_than_was_asked_for(case: QueueCase) -> Verdict {
    for number in 0..7_u8 {
        case.push(&[number]).await?;
    }
    let mut seen = Vec::new();
    while seen.len() < 6 {
        let claims = case.one.claim(3, SOON).await.map_err(unexpected("claim"))?;
        ensure!((1..=3).contains(&claims.len()), "claim(3) took {} jobs", claims.len());
        seen.extend(claims.iter().map(|claim| claim.payload[0]));
    }
    ensure!(seen.is_sorted(), "the order of claims is {seen:?}");
    Ok(())
}

pub(super) async fn a_claim_does_not_wait_for_more_than_one(case: QueueCase) -> Verdict {
    case.push(b"alone").await?;
    let claims = soon("a claim of ten where one is there", case.one.claim(10, SOON * 3)).await?;
    ensure_eq!(claims.map_err(unexpected("claim"))?.len(), 1, "jobs claimed");
    Ok(())
}

pub(super) async fn a_claim_of_an_empty_queue_ends_after_its_time(case: QueueCase) -> Verdict {
    for wait in [Duration::ZERO, Duration::from_millis(100)] {
        let start = Instant::now();
        let claims = soon("a claim of an empty queue", case.one.claim(1, wait)).await?.map_err(unexpected("claim"))?;
        ensure_eq!(claims, [], "jobs claimed from an empty queue");
        ensure!(start.elapsed() + Duration::from_millis(5) >= wait, "it waited {:?} of {wait:?}", start.elapsed());
    }
    Ok(())
}

pub(super) async fn a_waiting_claim_wakes_when_a_job_comes(case: QueueCase) -> Verdict {
    let push = async {
        sleep(Duration::from_millis(200)).await;
        case.push(b"at last").await?;
        Ok::<_, String>(Instant::now())
    };
    let claim = async {
        let claims = case.two.claim(1, SOON * 3).await;
        (claims, Instant::now())
    };
    let (pushed, (claims, woken)) = soon("a claim that waits", async { tokio::join!(push, claim) }).await?;
    let claims = claims.map_err(unexpected("claim"))?;
    ensure_eq!(claims.len(), 1, "jobs claimed");
    ensure_eq!(&*claims[0].payload, b"at last", "the job");
    let late = woken.saturating_duration_since(pushed?);
    ensure!(late < Duration::from_secs(1), "it woke {late:?} after the job had come");
    Ok(())
}

pub(super) async fn payloads_are_opaque(case: QueueCase) -> Verdict {
    let every_byte: Vec<u8> = (0..=255).collect();
    let payloads = [b"{\"json\": true}".to_vec(), every_byte, b"not\xff utf-8 \0\r\n".to_vec(), vec![b'x'; 256 * 1024]];
    for payload in &payloads {
        case.push(payload).await?;
        let claim = case.claim(&case.one).await?;
        ensure!(claim.payload == payload, "{} bytes of payload came back changed", payload.len());
        case.produce(payload).await?;
        let claim = case.claim(&case.one).await?;
        ensure!(claim.payload == payload, "{} bytes of another program came back changed", payload.len());
    }
    Ok(())
}

pub(super) async fn a_claimed_job_is_nobody_elses(case: QueueCase) -> Verdict {
    case.push(b"mine").await?;
    let claim = case.claim(&case.one).await?;
    ensure_eq!(claim.deliveries, 1, "deliveries of a job claimed for the first time");
    case.nothing_is_there("while one claim holds the only job").await
}

pub(super) async fn of_many_claimers_each_job_has_one(case: QueueCase) -> Verdict {
    const JOBS: u8 = 60;
    async fn work(case: &QueueCase, queue: &Arc<dyn Queue>) -> Result<Vec<Claim>, String> {
        let mut taken = Vec::new();
        loop {
            let claims = queue.claim(3, Duration::from_millis(300)).await.map_err(unexpected("claim"))?;
            if claims.is_empty() {
                return Ok(taken);
            }
            for claim in claims {
                let id = format!("job-{}", claim.payload[0]);
                let request = case.first(queue, &claim, &id, None).await?;
                queue.settle(&claim, answered(&request, &claim.payload)).await.map_err(unexpected("settle"))?;
                taken.push(claim);
            }
        }
    }
    let push = async {
        for number in 0..JOBS {
            case.push_as(&format!("job-{number}"), &[number], Priority::Normal).await?;
        }
        Ok::<_, String>(())
    };
    let workers = join_all([&case.one, &case.two, &case.one, &case.two].map(|queue| work(&case, queue)));
    let (pushed, worked) = tokio::join!(push, workers);
    pushed?;
    let taken: Vec<Claim> = worked.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    let numbers: BTreeSet<u8> = taken.iter().map(|claim| claim.payload[0]).collect();
    ensure_eq!((taken.len(), numbers.len()), (usize::from(JOBS), usize::from(JOBS)), "claims, and jobs among them");
    let ids: BTreeSet<&str> = taken.iter().map(|claim| &*claim.id).collect();
    ensure_eq!(ids.len(), taken.len(), "different ids of claims");
    let mut answers = Vec::new();
    let patience = Instant::now() + SOON;
    while answers.len() < usize::from(JOBS) && Instant::now() < patience {
        answers.extend(case.broker.answers(None).await?);
        sleep(Duration::from_millis(10)).await;
    }
    answers.sort();
    ensure_eq!(answers, (0..JOBS).map(|number| Bytes::copy_from_slice(&[number])).collect::<Vec<_>>(), "answers");
    Ok(())
}

pub(super) async fn a_dropped_claim_loses_nothing(case: QueueCase) -> Verdict {
    const JOBS: u8 = 10;
    for number in 0..JOBS {
        case.push_as(&format!("job-{number}"), &[number], Priority::Normal).await?;
        // Dropped at its first wait, or in the middle where there is one, or just after.
        let patience = Duration::from_micros(u64::from(number) * 100);
        let _ = timeout(patience, case.one.claim(2, SOON)).await;
    }
    case.broker.lose().await;
    // Each comes once, the dropped ones included.
    let mut seen = BTreeMap::new();
    let patience = Instant::now() + SOON;
    while seen.len() < usize::from(JOBS) && Instant::now() < patience {
        for claim in case.two.claim(4, Duration::from_millis(200)).await.map_err(unexpected("claim"))? {
            let number = claim.payload[0];
            let request = request(&format!("job-{number}"), None);
            case.two.begin(&claim, &request).await.map_err(unexpected("begin"))?;
            case.two.settle(&claim, answered(&request, b"")).await.map_err(unexpected("settle"))?;
            *seen.entry(number).or_insert(0) += 1;
        }
    }
    ensure_eq!(seen, (0..JOBS).map(|number| (number, 1)).collect(), "how often each job came");
    Ok(())
}

pub(super) async fn a_job_whose_lease_ends_is_claimed_again_before_others(case: QueueCase) -> Verdict {
    case.push(b"lost").await?;
    case.push(b"waits").await?;
    let lost = case.claim(&case.one).await?;
    ensure_eq!(&*lost.payload, b"lost", "the first job");
    case.broker.lose().await;
    let again = case.claim(&case.two).await?;
    ensure_eq!(&*again.payload, b"lost", "the next job after a lease has ended");
    ensure!(again.deliveries > 1, "deliveries of a job claimed twice: {}", again.deliveries);
    let next = case.claim(&case.two).await?;
    ensure_eq!(&*next.payload, b"waits", "the job after that");
    Ok(())
}

pub(super) async fn each_claim_of_a_job_is_another_one(case: QueueCase) -> Verdict {
    case.push(b"job").await?;
    let first = case.claim(&case.one).await?;
    case.broker.lose().await;
    let second = case.claim(&case.two).await?;
    ensure!(first.id != second.id, "both claims of a job have the id {}", first.id);
    Ok(())
}

pub(super) async fn a_renewed_lease_lasts(case: QueueCase) -> Verdict {
    let id = case.push(b"long").await?;
    let claim = case.claim(&case.one).await?;
    let request = case.first(&case.one, &claim, &id, None).await?;
    let lease = case.one.lease();
    ensure_eq!(case.broker.lease(), lease, "the lease that broker and queue tell");
    let until = Instant::now() + lease * 5 / 2;
    while Instant::now() < until {
        sleep(lease / 5).await;
        let lost = case.one.renew(std::slice::from_ref(&claim)).await.map_err(unexpected("renew"))?;
        ensure_eq!(lost, Vec::<String>::new(), "lost claims of one that is renewed in time");
        let others = case.two.claim(1, Duration::ZERO).await.map_err(unexpected("claim"))?;
        ensure_eq!(others, [], "what another can claim while the lease is renewed");
    }
    case.one.settle(&claim, answered(&request, b"done")).await.map_err(unexpected("settle"))?;
    case.answers_are(None, &[b"done"]).await
}

pub(super) async fn renew_names_the_lost(case: QueueCase) -> Verdict {
    case.push(b"lost").await?;
    let lost = case.claim(&case.one).await?;
    case.broker.lose().await;
    let taken = case.claim(&case.two).await?;
    case.push(b"held").await?;
    let held = case.claim(&case.one).await?;
    let named = case.one.renew(&[lost.clone(), held]).await.map_err(unexpected("renew"))?;
    ensure_eq!(named, [lost.id], "lost claims");
    let named = case.two.renew(&[taken]).await.map_err(unexpected("renew"))?;
    ensure_eq!(named, Vec::<String>::new(), "lost claims of who has the job now");
    Ok(())
}

pub(super) async fn a_push_repeated_is_one_job(case: QueueCase) -> Verdict {
    let id = case.push(b"once").await?;
    case.push_as(&id, b"once", Priority::Normal).await?;
    let claim = case.claim(&case.one).await?;
    case.push_as(&id, b"once", Priority::Normal).await?;
    case.nothing_is_there("after a job was pushed three times and claimed once").await?;
    let request = case.first(&case.one, &claim, &id, None).await?;
    case.push_as(&id, b"once", Priority::Normal).await?;
    case.one.settle(&claim, answered(&request, b"done")).await.map_err(unexpected("settle"))?;
    case.answers_are(None, &[b"done"]).await
}

pub(super) async fn a_push_of_an_answered_request_is_dropped(case: QueueCase) -> Verdict {
    let id = case.push(b"once").await?;
    let claim = case.claim(&case.one).await?;
    let request = case.first(&case.one, &claim, &id, None).await?;
    case.one.settle(&claim, answered(&request, b"done")).await.map_err(unexpected("settle"))?;
    case.push_as(&id, b"once", Priority::Normal).await?;
    case.nothing_is_there("after an answered request was pushed again").await?;
    case.answers_are(None, &[b"done"]).await
}
