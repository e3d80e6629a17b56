//! Who has a job, and for how long.

use std::time::Duration;

use bytes::Bytes;
use gateway_core::{Begun, ErrorKind, Queue as _, QueueDepth, Settlement, StoredSession};

use crate::broker::{Broker, LEASE, SOON, answered, claim_one, job, request};

#[tokio::test]
async fn what_is_not_renewed_goes_to_another() {
    Broker::with(|broker| async move {
        let (first, second) = (broker.queue(), broker.queue());
        first.push(job("a")).await.expect("pushed");
        let lost = claim_one(&first).await;
        assert_eq!(first.begin(&lost, &request("a")).await.expect("begun"), Begun::First);
        assert_eq!(first.begin(&lost, &request("a")).await.expect("repeated"), Begun::First);
        assert!(second.claim(1, Duration::ZERO).await.expect("asked").is_empty(), "claimed twice");
        let taken = claim_one(&second).await;
        assert_eq!(taken.deliveries, 2);
        assert_eq!(second.begin(&taken, &request("a")).await.expect("begun"), Begun::Again);
        assert_eq!(second.begin(&taken, &request("a")).await.expect("repeated"), Begun::Again);
        let error = first.settle(&lost, answered(request("a"), "late")).await.expect_err("lost");
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(first.renew(std::slice::from_ref(&lost)).await.expect("asked"), [lost.id]);
        second.settle(&taken, answered(request("a"), "right")).await.expect("settled");
        assert_eq!(broker.next("responses").await.data, b"right");
        assert!(broker.now("responses").await.is_none(), "a second answer");
    })
    .await;
}

#[tokio::test]
async fn what_is_renewed_stays() {
    Broker::with(|broker| async move {
        let (first, second) = (broker.queue(), broker.queue());
        first.push(job("a")).await.expect("pushed");
        let claim = claim_one(&first).await;
        first.begin(&claim, &request("a")).await.expect("begun");
        let renewing = async {
            for _ in 0..8 {
                tokio::time::sleep(LEASE / 4).await;
                assert!(first.renew(std::slice::from_ref(&claim)).await.expect("renewed").is_empty());
            }
        };
        let (claims, ()) = tokio::join!(second.claim(1, LEASE * 2), renewing);
        assert!(claims.expect("asked").is_empty(), "claimed twice");
        first.settle(&claim, answered(request("a"), "right")).await.expect("settled");
        assert_eq!(broker.next("responses").await.data, b"right");
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_has_not_begun_ends_with_its_lease() {
    Broker::with(|broker| async move {
        let queue = broker.queue();
        queue.push(job("a")).await.expect("pushed");
        let mut claim = claim_one(&queue).await;
        for deliveries in 2..5 {
            let again = claim_one(&queue).await;
            assert_eq!(again.deliveries, deliveries);
            let error = queue.begin(&claim, &request("a")).await.expect_err("lost");
            assert_eq!(error.kind(), ErrorKind::Conflict);
            claim = again;
        }
        assert_eq!(queue.begin(&claim, &request("a")).await.expect("begun"), Begun::First);
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_is_gone_leaves_its_jobs() {
    Broker::with(|broker| async move {
        let first = broker.queue();
        first.push(job("a")).await.expect("pushed");
        let claim = claim_one(&first).await;
        first.begin(&claim, &request("a")).await.expect("begun");
        drop(first);
        // It is back at once, and its record is another's until its lease ends: nobody may begin it so long.
        let second = broker.queue();
        let begun = loop {
            let taken = claim_one(&second).await;
            assert_eq!(taken.deliveries, 2, "waiting for another counts as no delivery");
            match second.begin(&taken, &request("a")).await {
                Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict),
                Ok(begun) => break begun,
            }
        };
        assert_eq!(begun, Begun::Again);
    })
    .await;
}

#[tokio::test]
async fn what_is_given_back_is_new_and_the_next() {
    Broker::with(|broker| async move {
        let queue = broker.queue();
        queue.push(job("a")).await.expect("pushed");
        queue.push(job("b")).await.expect("pushed");
        let claim = claim_one(&queue).await;
        queue.begin(&claim, &request("a")).await.expect("begun");
        queue.settle(&claim, Settlement::Released).await.expect("given back");
        assert_eq!(queue.begin(&claim, &request("a")).await.expect_err("gone").kind(), ErrorKind::Conflict);
        let again = claim_one(&queue).await;
        assert_eq!(again.payload, claim.payload);
        assert_eq!(queue.begin(&again, &request("a")).await.expect("begun"), Begun::First);
    })
    .await;
}

#[tokio::test]
async fn who_goes_away_while_it_waits_loses_nothing_and_takes_nothing() {
    Broker::with(|broker| async move {
        let (first, second) = (broker.queue(), broker.queue());
        // Jobs are pushed while the first's claims come and go.
        let pushing = async {
            for number in 0..60 {
                second.push(job(&number.to_string())).await.expect("pushed");
            }
        };
        let impatient = async {
            for _ in 0..40 {
                let dropped = tokio::time::timeout(Duration::from_millis(7), first.claim(3, SOON)).await;
                for claim in dropped.into_iter().flat_map(|claims| claims.expect("claimed")) {
                    first.settle(&claim, Settlement::Released).await.expect("given back");
                }
            }
        };
        tokio::join!(pushing, impatient);
        let mut seen = std::collections::BTreeSet::new();
        while seen.len() < 60 {
            for claim in second.claim(100, SOON).await.expect("claimed") {
                let payload = String::from_utf8(claim.payload.to_vec()).expect("text");
                let id = payload.trim_start_matches("job ").to_owned();
                assert_eq!(second.begin(&claim, &request(&id)).await.expect("begun"), Begun::First);
                second.settle(&claim, answered(request(&id), &payload)).await.expect("settled");
                assert!(seen.insert(payload), "twice");
            }
        }
        assert_eq!(second.depth().await.expect("depth"), QueueDepth::default());
    })
    .await;
}

#[tokio::test]
async fn a_wait_ends_when_a_job_comes_and_when_it_is_over() {
    Broker::with(|broker| async move {
        let queue = broker.queue();
        assert!(queue.claim(1, Duration::from_millis(50)).await.expect("asked").is_empty());
        assert!(queue.claim(0, Duration::from_millis(50)).await.expect("asked").is_empty());
        let waiting = async {
            let begun = tokio::time::Instant::now();
            let claim = claim_one(&queue).await;
            (claim, begun.elapsed())
        };
        let pushing = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            queue.push(job("a")).await.expect("pushed");
        };
        let ((claim, took), ()) = tokio::join!(waiting, pushing);
        assert_eq!(claim.payload.as_ref(), b"job a");
        assert!(took < SOON / 2, "{took:?}");
    })
    .await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_costs_no_other_job_its_lease() {
    Broker::with(|broker| async move {
        let queue = broker.queue();
        for id in ["a", "b"] {
            queue.push(job(id)).await.expect("pushed");
        }
        let (broken, good) = (claim_one(&queue).await, claim_one(&queue).await);
        assert_eq!(queue.begin(&broken, &request("a")).await.expect("begun"), Begun::First);
        let records = broker.records.list("req_").await.expect("listed");
        assert_eq!(queue.begin(&good, &request("b")).await.expect("begun"), Begun::First);
        // Those that were there before `b` had begun, without the one that its push had announced.
        for record in records {
            if record.data.windows(broken.id.len()).any(|part| part == broken.id.as_bytes()) {
                let garbage = StoredSession { data: Bytes::from_static(b"no record"), ..record };
                broker.records.save(garbage).await.expect("saved");
            }
        }
        let lost = queue.renew(&[broken.clone(), good.clone()]).await.expect("renewed");
        assert_eq!(lost, [broken.id]);
        queue.settle(&good, answered(request("b"), "right")).await.expect("settled");
        assert_eq!(broker.next("responses").await.data, b"right");
    })
    .await;
}
