//! The steps of a job, as the queue and as any client of Redis sees them.

use std::time::Duration;

use bytes::Bytes;
use gateway_core::{Begun, ErrorKind, Job, Priority, Queue, QueueDepth, RequestState, Secret, Settlement};
use queue_redis::{RedisQueue, RedisQueueConfig, RedisQueueNames};
use serde_json::Value;

use crate::stage::{LONG, Stage, answered, begin_first, claim, claim_nothing, job, request};

#[test]
fn the_names_are_those_that_clients_know() {
    let names = RedisQueueNames::default();
    let config = RedisQueueConfig::new(Secret::new("redis://localhost"));
    assert_eq!(config.names, names);
    assert_eq!(names.requests, "mcp_requests");
    assert_eq!(names.responses, "mcp_responses");
    assert_eq!(names.dead, "mcp_requests:dead");
    assert_eq!(names.record("r-1"), "request:r-1");
    assert_eq!(names.agent_queue(Priority::Urgent), "agent_queue:urgent");
}

#[test]
fn settings_that_cannot_work_are_refused_with_the_reason() {
    let right = || RedisQueueConfig::new(Secret::new("redis://localhost"));
    let check = |config: RedisQueueConfig, said: &str| {
        let error = RedisQueue::new(config).expect_err(said);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains(said), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    };
    for url in
        ["http://u:hunter2@localhost", "redis://u:hunter2@localhost:port", "hunter2", "redis://:hunter2@localhost/two"]
    {
        check(RedisQueueConfig { url: Secret::new(url), ..right() }, "the URL of the queue's Redis");
    }
    check(RedisQueueConfig { lease: Duration::from_millis(49), ..right() }, "lease");
    check(RedisQueueConfig { max_depth: 0, ..right() }, "max_depth");
    check(RedisQueueConfig { record_ttl: Duration::ZERO, ..right() }, "record_ttl");
    let same = RedisQueueNames { responses: "mcp_requests".to_owned(), ..RedisQueueNames::default() };
    check(RedisQueueConfig { names: same, ..right() }, "names of the queue");
    let within = RedisQueueNames { responses: "request:1".to_owned(), ..RedisQueueNames::default() };
    check(RedisQueueConfig { names: within, ..right() }, "names of the queue");
    let shown =
        format!("{:?}", RedisQueue::new(RedisQueueConfig { url: Secret::new("redis://u:hunter2@h"), ..right() }));
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn a_plain_client_gets_its_answer_and_the_record() {
    let mut stage = Stage::new();
    let queue = stage.queue();
    stage.produce(r#"{"request_id": "r"}"#);
    let claimed = claim(&queue).await;
    assert_eq!(
        (&*claimed.payload, claimed.deliveries, claimed.priority),
        (br#"{"request_id": "r"}"#.as_slice(), 1, None)
    );
    let request = request("r", None);
    assert_eq!(queue.begin(&claimed, &request).await.expect("it is ours"), Begun::First);
    // The same question, the same answer.
    assert_eq!(queue.begin(&claimed, &request).await.expect("it is ours"), Begun::First);
    let record = stage.names.record("r");
    assert_eq!(stage.ask::<String>(&["HGET", &record, "status"]), "processing");
    assert_eq!(queue.depth().await.expect("it is there"), QueueDepth { waiting: 0, claimed: 1, dead: 0 });

    queue.settle(&claimed, answered(&request, "yes")).await.expect("it is ours");
    let responses = stage.names.responses.clone();
    assert_eq!(stage.list(&responses), [r#"{"answer": "yes"}"#]);
    let kept: Vec<String> = stage.ask(&["HMGET", &record, "status", "result", "response_timestamp"]);
    assert_eq!(kept, ["completed", "\"yes\"", "1764000000.123"]);
    let ttl: i64 = stage.ask(&["TTL", &record]);
    assert!((3_590..=3_600).contains(&ttl), "{ttl}");
    assert_eq!(stage.ask::<i64>(&["TTL", &responses]), -1);
    assert_eq!(stage.keys(), ["mcp_responses", "request:r"]);

    let again = queue.settle(&claimed, answered(&request, "again")).await.expect_err("it is settled");
    assert_eq!(again.kind(), ErrorKind::Conflict);
    assert_eq!(stage.list(&responses).len(), 1);
    let record = queue.request("r").await.expect("it is there").expect("it is known");
    assert_eq!(record.state, RequestState::Completed);
    assert_eq!(record.request.as_deref(), Some(br#"{"request_id": "r"}"#.as_slice()));
    assert_eq!(record.response.as_deref(), Some(br#"{"answer": "yes"}"#.as_slice()));
}

#[tokio::test]
async fn jobs_come_in_the_order_of_their_urgency_and_then_of_their_coming() {
    let mut stage = Stage::new();
    let config = RedisQueueConfig { agent_queues: true, ..stage.config() };
    let queue = RedisQueue::new(config).expect("the settings are right");
    stage.produce("from elsewhere");
    for (id, priority) in [
        ("low", Priority::Low),
        ("normal", Priority::Normal),
        ("urgent", Priority::Urgent),
        ("normal-2", Priority::Normal),
        ("high", Priority::High),
    ] {
        queue.push(Job { priority, ..job(id) }).await.expect("there is room");
    }
    let urgent = stage.names.agent_queue(Priority::Urgent);
    assert_eq!(stage.list(&urgent), ["urgent"]);
    let claims = queue.claim(6, Duration::ZERO).await.expect("it is there");
    let seen: Vec<_> = claims.iter().map(|claim| (String::from_utf8_lossy(&claim.payload), claim.priority)).collect();
    let expected = [
        ("urgent", Some(Priority::Urgent)),
        ("high", Some(Priority::High)),
        ("normal", Some(Priority::Normal)),
        ("normal-2", Some(Priority::Normal)),
        ("from elsewhere", None),
        ("low", Some(Priority::Low)),
    ];
    assert_eq!(seen, expected.map(|(id, priority)| (id.into(), priority)));
    claim_nothing(&queue).await;
    assert_eq!(queue.claim(0, LONG).await.expect("nothing is wanted"), []);
}

#[tokio::test]
async fn no_list_of_the_same_urgency_starves_the_other_and_the_low_ones_come_last() {
    let mut stage = Stage::new();
    let config = RedisQueueConfig { agent_queues: true, ..stage.config() };
    let queue = RedisQueue::new(config).expect("the settings are right");
    let lists = [stage.names.agent_queue(Priority::Normal), stage.names.agent_queue(Priority::Low)];
    for list in &lists {
        for number in 0..4 {
            let _: u64 = stage.ask(&["LPUSH", list, &format!("flood {number}")]);
        }
    }
    stage.produce("from elsewhere");
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(claim(&queue).await.payload);
    }
    assert!(seen.contains(&Bytes::from_static(b"from elsewhere")), "{seen:?}");
}

#[tokio::test]
async fn a_job_whose_lease_has_ended_goes_to_the_next_and_the_first_has_lost_it() {
    let mut stage = Stage::new();
    let (first, second) = (stage.brief(200), stage.brief(10_000));
    stage.produce("job");
    let request = request("r", None);
    let lost = begin_first(&first, &request).await;
    // Nobody tells the second one: it waits for the end of the lease by itself.
    let taken = claim(&second).await;
    assert_eq!((taken.deliveries, &taken.payload), (2, &lost.payload));
    assert_ne!(taken.id, lost.id);
    for error in [
        first.begin(&lost, &request).await.expect_err("it is lost"),
        first.settle(&lost, answered(&request, "late")).await.expect_err("it is lost"),
        first.settle(&lost, Settlement::Released).await.expect_err("it is lost"),
        first
            .settle(&lost, Settlement::Dead { reason: "late".to_owned(), answer: None })
            .await
            .expect_err("it is lost"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
    assert_eq!(first.renew(std::slice::from_ref(&lost)).await.expect("it is there"), std::slice::from_ref(&lost.id));
    assert_eq!(second.renew(std::slice::from_ref(&taken)).await.expect("it is there"), Vec::<String>::new());
    assert_eq!(second.begin(&taken, &request).await.expect("it is ours"), Begun::Again);
    assert_eq!(second.begin(&taken, &request).await.expect("it is ours"), Begun::Again);
    second.settle(&taken, answered(&request, "unknown")).await.expect("it is ours");
    let responses = stage.names.responses.clone();
    assert_eq!(stage.list(&responses), [r#"{"answer": "unknown"}"#]);
}

#[tokio::test]
async fn a_lease_that_is_renewed_does_not_end() {
    let mut stage = Stage::new();
    let (queue, other) = (stage.brief(1_200), stage.brief(1_200));
    stage.produce("job");
    let held = claim(&queue).await;
    let wanted = other.claim(1, Duration::from_millis(3_000));
    let renewed = async {
        // Longer than two leases.
        for _ in 0..12 {
            tokio::time::sleep(Duration::from_millis(250)).await;
            assert_eq!(queue.renew(std::slice::from_ref(&held)).await.expect("it is there"), Vec::<String>::new());
        }
    };
    let (wanted, ()) = tokio::join!(wanted, renewed);
    assert_eq!(wanted.expect("it is there"), []);
    // And one that nobody renews does.
    assert_eq!(claim(&other).await.payload, held.payload);
}

#[tokio::test]
async fn what_is_given_back_is_the_next_one() {
    let mut stage = Stage::new();
    let queue = stage.queue();
    stage.produce("first");
    stage.produce("second");
    let request = request("r", None);
    let released = begin_first(&queue, &request).await;
    queue.settle(&released, Settlement::Released).await.expect("it is ours");
    let requests = stage.names.requests.clone();
    assert_eq!(stage.list(&requests), ["second", "first"]);
    let state = queue.request("r").await.expect("it is there").expect("it is known").state;
    assert_eq!(state, RequestState::Queued);
    assert_eq!(
        queue.settle(&released, Settlement::Released).await.expect_err("it is gone").kind(),
        ErrorKind::Conflict
    );
    // Nothing has been done, so nothing has to be feared.
    let next = begin_first(&queue, &request).await;
    assert_eq!(&*next.payload, b"first");
}

#[tokio::test]
async fn what_is_given_back_keeps_its_history() {
    let mut stage = Stage::new();
    let (queue, brief) = (stage.queue(), stage.brief(50));
    stage.produce("job");
    let request = request("r", None);
    let _died = begin_first(&brief, &request).await;
    let second = claim(&queue).await;
    assert_eq!(queue.begin(&second, &request).await.expect("it is ours"), Begun::Again);
    stage.produce("other");
    queue.settle(&second, Settlement::Released).await.expect("it is ours");
    assert_eq!(queue.depth().await.expect("it is there"), QueueDepth { waiting: 2, claimed: 0, dead: 0 });
    assert_eq!(
        queue.renew(std::slice::from_ref(&second)).await.expect("it is there"),
        std::slice::from_ref(&second.id)
    );
    let third = claim(&queue).await;
    assert_eq!((&*third.payload, third.deliveries), (b"job".as_slice(), 3));
    assert_eq!(queue.begin(&third, &request).await.expect("it is ours"), Begun::Again);
}

#[tokio::test]
async fn dead_letters_keep_the_job_and_the_reason() {
    let mut stage = Stage::new();
    let config = RedisQueueConfig { max_payload_bytes: 1_000, ..stage.config() };
    let queue = RedisQueue::new(config).expect("the settings are right");
    let dead = stage.names.dead.clone();
    let letter = |stage: &mut Stage| -> Value {
        let letter: String = stage.ask(&["LPOP", &dead]);
        serde_json::from_str(&letter).expect("it is JSON")
    };
    stage.produce("no \"job\"");
    let settlement = || Settlement::Dead { reason: "it is no JSON".to_owned(), answer: None };
    let request = request("r", None);
    let held = begin_first(&queue, &request).await;
    queue.settle(&held, settlement()).await.expect("it is ours");
    assert_eq!(queue.depth().await.expect("it is there"), QueueDepth { waiting: 0, claimed: 0, dead: 1 });
    let seen = letter(&mut stage);
    assert_eq!((&seen["reason"], &seen["payload"]), (&"it is no JSON".into(), &"no \"job\"".into()));
    assert!(seen["at"].as_str().is_some_and(|at| at.starts_with("20") && at.ends_with('Z')), "{seen}");
    // Whoever repairs it and sends it again is heard.
    assert_eq!(queue.request("r").await.expect("it is there").expect("it is known").state, RequestState::Failed);
    stage.produce("repaired");
    let repaired = begin_first(&queue, &request).await;
    queue.settle(&repaired, answered(&request, "done")).await.expect("it is ours");

    let requests = stage.names.requests.clone();
    let mut push = redis::cmd("LPUSH");
    let mut plain = redis::Client::open(crate::stage::SHARED).expect("a URL").get_connection().expect("it is there");
    push.arg(&requests).arg(&[0xff_u8, 0xfe][..]).exec(&mut plain).expect("it is a list");
    queue.settle(&claim(&queue).await, settlement()).await.expect("it is ours");
    assert_eq!(letter(&mut stage)["payload_base64"], "//4=");

    // One that is too large never reaches a gateway.
    let large = "x".repeat(1_001);
    stage.produce(&large);
    stage.produce("small");
    assert_eq!(&*claim(&queue).await.payload, b"small");
    let seen = letter(&mut stage);
    assert_eq!((&seen["reason"], &seen["payload_bytes"]), (&"the job is larger than 1000 bytes".into(), &1_001.into()));
    let key = seen["payload_key"].as_str().expect("it is named").to_owned();
    assert_eq!(stage.ask::<String>(&["GET", &key]), large);
}

#[tokio::test]
async fn a_push_is_known_by_its_request_and_has_its_limits() {
    let mut stage = Stage::new();
    let config = RedisQueueConfig { max_depth: 2, max_payload_bytes: 10, ..stage.config() };
    let queue = RedisQueue::new(config).expect("the settings are right");
    queue.push(job("a")).await.expect("there is room");
    queue.push(job("a")).await.expect("the second attempt of the first");
    let requests = stage.names.requests.clone();
    assert_eq!(stage.list(&requests), ["a"]);
    let record = queue.request("a").await.expect("it is there").expect("it is known");
    assert_eq!(
        (record.state, record.request.as_deref(), record.response),
        (RequestState::Queued, Some(b"a".as_slice()), None)
    );
    queue.push(job("b")).await.expect("there is room");
    let full = queue.push(job("c")).await.expect_err("it is full");
    assert_eq!((full.kind(), full.retry_after_ms()), (ErrorKind::RateLimited, Some(1_000)));
    queue.push(job("b")).await.expect("it is known already");
    assert_eq!(queue.request("c").await.expect("it is there"), None);
    let large = Job { payload: Bytes::from_static(b"eleven bytes"), ..job("d") };
    assert_eq!(queue.push(large).await.expect_err("it is too large").kind(), ErrorKind::TooLarge);
    for id in ["", "two words", "line\nbreak", &"x".repeat(129)] {
        assert_eq!(queue.push(job(id)).await.expect_err("no id").kind(), ErrorKind::InvalidRequest);
        assert_eq!(queue.request(id).await.expect("no id"), None);
    }

    // A job that is pushed is begun once, and known after its answer too.
    let request = request("a", None);
    let held = begin_first(&queue, &request).await;
    queue.push(job("a")).await.expect("it is known already");
    queue.settle(&held, answered(&request, "yes")).await.expect("it is ours");
    queue.push(job("a")).await.expect("it is known already");
    assert_eq!(stage.list(&requests), ["b"]);
}

#[tokio::test]
async fn large_jobs_are_claimed_a_few_at_a_time() {
    let mut stage = Stage::new();
    let queue = stage.queue();
    let large = "x".repeat(3 << 20);
    for _ in 0..4 {
        stage.produce(&large);
    }
    let claims = queue.claim(10, Duration::ZERO).await.expect("it is there");
    assert_eq!(claims.len(), 3);
    assert_eq!(queue.claim(10, Duration::ZERO).await.expect("it is there").len(), 1);
}

#[tokio::test]
async fn the_common_list_keeps_the_newest_and_named_ones_end() {
    let mut stage = Stage::new();
    let config = RedisQueueConfig { max_responses: 2, reply_ttl: Duration::from_secs(100), ..stage.config() };
    let queue = RedisQueue::new(config).expect("the settings are right");
    let (responses, reply, kept) = (stage.names.responses.clone(), stage.name("reply"), stage.name("kept"));
    let _: u64 = stage.ask(&["LPUSH", &kept, "by somebody"]);
    for (id, reply_to) in
        [("1", None), ("2", None), ("3", None), ("4", Some(&*reply)), ("5", Some(&*reply)), ("6", Some(&*kept))]
    {
        queue.push(job(id)).await.expect("there is room");
        let request = request(id, reply_to);
        let held = begin_first(&queue, &request).await;
        queue.settle(&held, answered(&request, id)).await.expect("it is ours");
    }
    assert_eq!(stage.list(&responses), [r#"{"answer": "3"}"#, r#"{"answer": "2"}"#]);
    assert_eq!(stage.list(&reply), [r#"{"answer": "5"}"#, r#"{"answer": "4"}"#]);
    let ttl: i64 = stage.ask(&["TTL", &reply]);
    assert!((90..=100).contains(&ttl), "{ttl}");
    assert_eq!(stage.ask::<i64>(&["TTL", &kept]), -1);
}
