//! When the broker goes away.

use std::collections::BTreeMap;
use std::time::Duration;

use gateway_core::{Begun, Claim, ErrorKind, Queue, QueueDepth, Secret};
use queue_rabbitmq::RabbitQueue;

use crate::broker::{Broker, LEASE, SOON, answered, claim_one, job, request};
use crate::proxy::Proxy;

fn queue_behind(broker: &Broker, proxy: &Proxy) -> RabbitQueue {
    let mut config = broker.config();
    config.url = Secret::new(format!("amqp://guest:guest@{}", proxy.address));
    broker.queue_by(config)
}

/// Tries until the broker can be reached.
async fn insist<T>(attempt: impl AsyncFn() -> gateway_core::Result<T>) -> T {
    let trying = async {
        loop {
            match attempt().await {
                Ok(value) => return value,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, trying).await.expect("the broker is back")
}

#[tokio::test]
async fn a_gateway_starts_before_its_broker() {
    Broker::with(|broker| async move {
        let proxy = Proxy::start().await;
        proxy.close();
        let queue = queue_behind(&broker, &proxy);
        for error in
            [queue.push(job("a")).await.err(), queue.claim(1, Duration::ZERO).await.err(), queue.depth().await.err()]
        {
            assert_eq!(error.expect("no broker").kind(), ErrorKind::Unavailable);
        }
        proxy.open();
        insist(async || queue.push(job("a")).await).await;
        assert_eq!(claim_one(&queue).await.payload.as_ref(), b"job a");
    })
    .await;
}

#[tokio::test]
async fn work_that_has_begun_outlives_its_connection() {
    Broker::with(|broker| async move {
        let proxy = Proxy::start().await;
        let (first, second) = (queue_behind(&broker, &proxy), broker.queue());
        first.push(job("a")).await.expect("pushed");
        first.push(job("b")).await.expect("pushed");
        let (begun, idle) = (claim_one(&first).await, claim_one(&first).await);
        first.begin(&begun, &request("a")).await.expect("begun");
        proxy.cut();
        // Both messages come to the other gateway. It may begin the one that nobody has begun.
        let taken = [claim_one(&second).await, claim_one(&second).await];
        let of = |payload: &[u8]| taken.iter().find(|claim| claim.payload == payload).expect("both").clone();
        let error = second.begin(&of(b"job a"), &request("a")).await.expect_err("somebody has it");
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(second.begin(&of(b"job b"), &request("b")).await.expect("begun"), Begun::First);
        let error = first.begin(&idle, &request("b")).await.expect_err("lost with its connection");
        assert_eq!(error.kind(), ErrorKind::Conflict);
        // The first goes on: renews, and answers by a new connection.
        assert!(first.renew(std::slice::from_ref(&begun)).await.expect("renewed").is_empty());
        insist(async || first.settle(&begun, answered(request("a"), "yes")).await).await;
        assert_eq!(broker.next("responses").await.data, b"yes");
        second.settle(&of(b"job b"), answered(request("b"), "b")).await.expect("settled");
        assert_eq!(broker.next("responses").await.data, b"b");
        // The message that could not be acknowledged comes back once more, and ends there.
        let rest = claim_one(&second).await;
        assert_eq!(second.begin(&rest, &request("a")).await.expect("begun"), Begun::Duplicate);
        assert_eq!(second.depth().await.expect("depth"), QueueDepth::default());
        assert!(broker.now("responses").await.is_none(), "a second answer");
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_was_kept_and_not_sent_is_sent_by_another() {
    Broker::with(|broker| async move {
        let proxy = Proxy::start().await;
        let first = queue_behind(&broker, &proxy);
        first.push(job("a")).await.expect("pushed");
        let claim = claim_one(&first).await;
        first.begin(&claim, &request("a")).await.expect("begun");
        proxy.close();
        let error = first.settle(&claim, answered(request("a"), "yes")).await.expect_err("no broker");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        drop(first);
        let second = broker.queue();
        let again = claim_one(&second).await;
        assert_eq!(second.begin(&again, &request("a")).await.expect("begun"), Begun::Duplicate);
        assert_eq!(broker.next("responses").await.data, b"yes");
        assert_eq!(second.depth().await.expect("depth"), QueueDepth::default());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_where_connections_break_all_the_time() {
    const JOBS: usize = 150;
    Broker::with(|broker| async move {
        let proxy = Proxy::start().await;
        let (producer, workers) =
            (queue_behind(&broker, &proxy), [queue_behind(&broker, &proxy), queue_behind(&broker, &proxy)]);
        let ids: Vec<String> = (0..JOBS).map(|number| format!("job-{number}")).collect();
        let pushing = async {
            for id in &ids {
                insist(async || producer.push(job(id)).await).await;
            }
        };
        let breaking = async {
            for round in 0..25_u64 {
                tokio::time::sleep(Duration::from_millis(60 + round * 7 % 50)).await;
                proxy.cut();
            }
            proxy.close();
            tokio::time::sleep(Duration::from_millis(500)).await;
            proxy.open();
        };
        let collecting = async {
            let mut answers: BTreeMap<String, usize> = BTreeMap::new();
            while answers.len() < JOBS {
                let answer = broker.next("responses").await;
                *answers.entry(String::from_utf8(answer.data).expect("text")).or_default() += 1;
            }
            answers
        };
        // The queue of answers is there before anybody collects them.
        insist(async || producer.depth().await).await;
        let working = async { tokio::join!(work(&workers[0]), work(&workers[1])) };
        let finishing = async { tokio::join!(pushing, breaking, collecting) };
        let answers = tokio::select! {
            ((), (), answers) = finishing => answers,
            _ = working => unreachable!("work never ends"),
        };
        assert_eq!(answers.keys().collect::<Vec<_>>().len(), JOBS);
        // Only an answer whose confirmation was lost may have come twice: as many at most as connections were cut.
        let twice = answers.values().filter(|count| **count > 1).count();
        assert!(twice <= 26, "{twice} answers came twice");
    })
    .await;
}

async fn work(queue: &RabbitQueue) {
    loop {
        let Ok(claims) = queue.claim(4, LEASE / 4).await else { continue };
        for claim in claims {
            let id = String::from_utf8(claim.payload.to_vec()).expect("text").trim_start_matches("job ").to_owned();
            do_one(queue, &claim, &id).await;
        }
    }
}

/// Begins and answers a job, unless somebody else has it.
async fn do_one(queue: &RabbitQueue, claim: &Claim, id: &str) {
    for _ in 0..100 {
        match queue.begin(claim, &request(id)).await {
            Ok(Begun::First | Begun::Again) => break,
            Ok(Begun::Duplicate) => return,
            Err(error) if error.kind() == ErrorKind::Conflict => return,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    for _ in 0..100 {
        match queue.settle(claim, answered(request(id), id)).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => tokio::time::sleep(Duration::from_millis(20)).await,
            _ => return,
        }
    }
}
