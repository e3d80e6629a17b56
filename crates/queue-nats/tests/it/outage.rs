//! When the server goes away.

use std::collections::BTreeMap;
use std::time::Duration;

use gateway_core::{Begun, Claim, ErrorKind, Queue, QueueDepth, Secret};
use queue_nats::{NatsLogin, NatsQueue, NatsQueueConfig};

use crate::broker::{Broker, LEASE, SOON, answered, claim_one, job, request};
use crate::server::Server;

/// Tries until the server can be reached.
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
    tokio::time::timeout(SOON, trying).await.expect("the server is back")
}

#[tokio::test]
async fn a_gateway_starts_before_its_broker() {
    let mut server = Server::new(&[]).await;
    let queue = NatsQueue::new(NatsQueueConfig::new(Secret::new(server.url()))).expect("settings");
    for error in
        [queue.push(job("a")).await.err(), queue.claim(1, Duration::ZERO).await.err(), queue.depth().await.err()]
    {
        assert_eq!(error.expect("no server").kind(), ErrorKind::Unavailable);
    }
    server.start().await;
    insist(async || queue.push(job("a")).await).await;
    assert_eq!(claim_one(&queue).await.payload.as_ref(), b"job a");
}

#[tokio::test]
async fn what_is_missing_on_the_server_is_made_again() {
    Broker::with(|broker| async move {
        let queue = broker.queue();
        queue.push(job("a")).await.expect("pushed");
        for stream in ["requests", "responses", "dead"] {
            broker.jetstream.delete_stream(broker.named(stream)).await.expect("deleted");
        }
        broker.jetstream.delete_key_value(broker.named("requests_records")).await.expect("deleted");
        insist(async || queue.push(job("b")).await).await;
        assert_eq!(claim_one(&queue).await.payload.as_ref(), b"job b");
    })
    .await;
}

#[tokio::test]
async fn logins_are_checked_and_not_told() {
    let mut server = Server::new(&["--user", "gateway", "--pass", "s3cret"]).await;
    server.start().await;
    let mut config = NatsQueueConfig::new(Secret::new(server.url()));
    config.login = NatsLogin::User { name: "gateway".to_owned(), password: Secret::new("s3cret") };
    let queue = NatsQueue::new(config.clone()).expect("settings");
    insist(async || queue.push(job("a")).await).await;
    config.login = NatsLogin::User { name: "gateway".to_owned(), password: Secret::new("s3cret-not") };
    let queue = NatsQueue::new(config).expect("settings");
    let error = queue.push(job("a")).await.expect_err("a wrong password");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!format!("{error:?} {queue:?}").contains("s3cret"), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_was_kept_and_not_sent_is_sent_by_another() {
    let mut server = Server::new(&[]).await;
    server.start().await;
    let broker = Broker::at(&server.url()).await;
    let mut config = broker.config();
    config.timeout_ms = 500;
    let first = NatsQueue::new(config).expect("settings");
    first.push(job("a")).await.expect("pushed");
    let claim = claim_one(&first).await;
    first.begin(&claim, &request("a")).await.expect("begun");
    // The answer can be kept, but its stream is gone.
    let responses = broker.named("responses");
    let kept = broker.jetstream.get_stream(&responses).await.expect("a stream").cached_info().config.clone();
    broker.jetstream.delete_stream(&responses).await.expect("deleted");
    let error = first.settle(&claim, answered(request("a"), "yes")).await.expect_err("nowhere to go");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    drop(first);
    broker.jetstream.create_stream(kept).await.expect("made");
    let second = broker.queue();
    let again = claim_one(&second).await;
    assert_eq!(second.begin(&again, &request("a")).await.expect("begun"), Begun::Duplicate);
    let answers = broker.answers().await;
    assert_eq!(answers.iter().map(|answer| answer.payload.as_ref()).collect::<Vec<_>>(), [b"yes"]);
    assert_eq!(second.depth().await.expect("depth"), QueueDepth::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_where_the_server_is_killed() {
    const JOBS: usize = 150;
    let mut server = Server::new(&[]).await;
    server.start().await;
    let broker = Broker::at(&server.url()).await;
    let (producer, workers) = (broker.queue(), [broker.queue(), broker.queue()]);
    producer.depth().await.expect("streams");
    let ids: Vec<String> = (0..JOBS).map(|number| format!("job-{number}")).collect();
    let pushing = async {
        for id in &ids {
            insist(async || producer.push(job(id)).await).await;
        }
    };
    let breaking = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            server.kill().await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            server.start().await;
        }
    };
    let finishing = async {
        tokio::join!(pushing, breaking);
        let done = async {
            while insist(async || producer.depth().await).await != QueueDepth::default() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(SOON * 2, done).await.expect("all jobs are done");
    };
    tokio::select! {
        () = finishing => {}
        _ = async { tokio::join!(work(&workers[0]), work(&workers[1])) } => unreachable!("work never ends"),
    }
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    for answer in broker.answers().await {
        *answers.entry(String::from_utf8(answer.payload.to_vec()).expect("text")).or_default() += 1;
    }
    assert_eq!(answers, ids.into_iter().map(|id| (id, 1)).collect(), "each job has one answer");
}

async fn work(queue: &NatsQueue) {
    loop {
        let Ok(claims) = queue.claim(4, LEASE / 4).await else { continue };
        for claim in claims {
            let id = String::from_utf8(claim.payload.to_vec()).expect("text").trim_start_matches("job ").to_owned();
            do_one(queue, &claim, &id).await;
        }
    }
}

/// Begins and answers a job, unless somebody else has it.
async fn do_one(queue: &NatsQueue, claim: &Claim, id: &str) {
    for _ in 0..100 {
        match queue.begin(claim, &request(id)).await {
            Ok(Begun::First | Begun::Again) => break,
            Ok(Begun::Duplicate) => return,
            Err(error) if error.kind() == ErrorKind::Conflict => return,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    for _ in 0..100 {
        match queue.settle(claim, answered(request(id), id.to_owned())).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => tokio::time::sleep(Duration::from_millis(20)).await,
            _ => return,
        }
    }
}
