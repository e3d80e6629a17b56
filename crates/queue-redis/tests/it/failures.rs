//! A Redis that cannot do what it is asked for: every call says so in time, and goes on when it can.

use std::time::{Duration, Instant};

use gateway_core::{Begun, Error, ErrorKind, Priority, Queue, Secret, Settlement};
use queue_redis::{RedisQueue, RedisQueueConfig};

use crate::server::Server;
use crate::stage::{Stage, answered, begin_first, claim, claim_nothing, job, request};

/// Checks that a failure says what is wrong.
fn says(error: &Error, expected: &str) {
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.message().contains(expected), "{error:?} does not say {expected:?}");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn a_name_that_holds_something_else_is_named() {
    let mut stage = Stage::new();
    let config = RedisQueueConfig { agent_queues: true, ..stage.config() };
    let queue = RedisQueue::new(config).expect("the settings are right");
    let (requests, high) = (stage.names.requests.clone(), stage.names.agent_queue(Priority::High));
    let _: () = stage.ask(&["SET", &requests, "text"]);
    let _: u64 = stage.ask(&["LPUSH", &high, "job"]);
    // What can be claimed is.
    assert_eq!(&*claim(&queue).await.payload, b"job");
    let expected = format!("the key {requests} is not a list");
    says(&queue.claim(1, Duration::ZERO).await.expect_err("it is no list"), &expected);
    says(&queue.push(job("r")).await.expect_err("it is no list"), &expected);
    says(&queue.depth().await.expect_err("it is no list"), "something else is kept under a name of the queue");
    let _: u64 = stage.ask(&["DEL", &requests]);
    queue.push(job("r")).await.expect("it is right again");
    assert_eq!(&*claim(&queue).await.payload, b"r");
}

#[tokio::test]
async fn a_common_list_that_is_none_keeps_the_job() {
    let mut stage = Stage::new();
    let queue = stage.queue();
    let (responses, record) = (stage.names.responses.clone(), stage.names.record("r"));
    let _: () = stage.ask(&["SET", &responses, "text"]);
    stage.produce("job");
    let request = request("r", None);
    let held = begin_first(&queue, &request).await;
    let error = queue.settle(&held, answered(&request, "yes")).await.expect_err("there is nowhere to put it");
    says(&error, "something else is kept under a name of the queue");
    assert_eq!(stage.ask::<String>(&["HGET", &record, "status"]), "processing");
    let _: u64 = stage.ask(&["DEL", &responses]);
    queue.settle(&held, answered(&request, "yes")).await.expect("it is still ours");
    assert_eq!(stage.list(&responses).len(), 1);
}

#[tokio::test]
async fn an_answer_that_cannot_go_everywhere_goes_nowhere_twice() {
    let mut stage = Stage::new();
    let queue = stage.queue();
    let (one, two) = (stage.name("one"), stage.name("two"));
    stage.produce("job");
    let first = request("r", Some(&one));
    let held = begin_first(&queue, &first).await;
    stage.produce("job");
    let double = claim(&queue).await;
    assert_eq!(queue.begin(&double, &request("r", Some(&two))).await.expect("it is ours"), Begun::Duplicate);
    // Neither the list of the second one nor the one in its place takes anything.
    let responses = stage.names.responses.clone();
    let _: () = stage.ask(&["MSET", &two, "text", &responses, "text"]);
    for _ in 0..3 {
        // As the door does: again until it is taken, or gone.
        if queue.settle(&held, answered(&first, "yes")).await.is_ok() {
            break;
        }
    }
    assert_eq!(stage.list(&one).len(), 1, "one answer");
    let _: u64 = stage.ask(&["DEL", &two, &responses]);
    let _came_through = queue.settle(&held, answered(&first, "yes")).await;
    assert_eq!(stage.list(&one).len(), 1, "one answer");
    claim_nothing(&queue).await;
}

#[tokio::test]
async fn a_redis_without_memory_takes_nothing_and_can_be_emptied() {
    let server = Server::start(&[]);
    let mut stage = Stage::at(&server.url());
    let queue = stage.brief(200);
    for payload in ["answered", "buried", "lost"] {
        stage.produce(payload);
    }
    let _: () = stage.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    says(&queue.push(job("r")).await.expect_err("there is no memory"), "it has no memory left");
    let request = request("r", None);
    let held = begin_first(&queue, &request).await;
    queue.settle(&held, answered(&request, "yes")).await.expect("it makes room");
    let held = claim(&queue).await;
    queue.settle(&held, Settlement::Released).await.expect("it takes no more room than before");
    let held = claim(&queue).await;
    assert_eq!(&*held.payload, b"buried");
    let buried = || Settlement::Dead { reason: "enough".to_owned(), answer: None };
    queue.settle(&held, buried()).await.expect("it takes hardly more room than before");
    let _lost = claim(&queue).await;
    let again = claim(&queue).await;
    assert_eq!((&*again.payload, again.deliveries), (b"lost".as_slice(), 2));
    queue.settle(&again, buried()).await.expect("it takes hardly more room than before");
    let _: () = stage.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    queue.push(job("s")).await.expect("there is memory again");
    let (responses, dead) = (stage.names.responses.clone(), stage.names.dead.clone());
    assert_eq!((stage.list(&responses).len(), stage.list(&dead).len()), (1, 2));
}

#[tokio::test]
async fn a_replica_is_left_when_it_is_one_no_longer() {
    let server = Server::start(&[]);
    let mut stage = Stage::at(&server.url());
    let queue = stage.queue();
    claim_nothing(&queue).await;
    let _: () = stage.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    says(&queue.push(job("r")).await.expect_err("it is read only"), "it is a replica");
    says(&queue.claim(1, Duration::from_millis(10)).await.expect_err("it is read only"), "it is a replica");
    let _: () = stage.ask(&["REPLICAOF", "NO", "ONE"]);
    queue.push(job("r")).await.expect("it may be written to again");
}

#[tokio::test]
async fn passwords_are_needed_and_never_shown() {
    let server = Server::start(&[]);
    let mut stage = Stage::at(&server.url());
    let queue = stage.queue();
    claim_nothing(&queue).await;
    let _: () = stage.ask(&["CONFIG", "SET", "requirepass", "open sesame"]);
    let with = |user: &str| {
        let url = Secret::new(server.url().replace("://", &format!("://{user}@")));
        RedisQueue::new(RedisQueueConfig { url, ..stage.config() }).expect("the settings are right")
    };
    // Those who are in stay in; those who come are asked.
    says(&stage.queue().push(job("r")).await.expect_err("no password"), "it wants a password");
    says(&with(":hunter2").push(job("r")).await.expect_err("a wrong password"), "the password in the URL is wrong");
    with(":open%20sesame").push(job("r")).await.expect("the right password");
    assert_eq!(&*claim(&queue).await.payload, b"r");
}

#[tokio::test]
async fn a_user_who_may_only_do_what_is_needed_can_do_all() {
    let server = Server::start(&[]);
    let mut stage = Stage::at(&server.url());
    let _: () =
        stage.ask(&["ACL", "SETUSER", "careful", "on", ">hunter2", "~*", "+@all", "-info", "-blmove", "-client"]);
    let url = Secret::new(server.url().replace("://", "://careful:hunter2@"));
    let queue = RedisQueue::new(RedisQueueConfig { url, ..stage.config() }).expect("the settings are right");
    let waiting = queue.claim(1, crate::stage::LONG);
    let (claims, ()) = tokio::join!(waiting, async { stage.produce("job") });
    assert_eq!(claims.expect("it may claim").len(), 1);
    let _: () = stage.ask(&["ACL", "SETUSER", "careful", "-evalsha"]);
    says(&queue.claim(1, Duration::ZERO).await.expect_err("it may not"), "its user may not do that");
}

#[tokio::test]
async fn a_user_who_may_do_too_little_loses_no_job() {
    let server = Server::start(&[]);
    let mut stage = Stage::at(&server.url());
    let names = stage.names.clone();
    stage.produce("job");
    let claims = format!("{}*", names.claim_prefix);
    let records = format!("{}*", names.record_prefix);
    // Each may use all keys but one kind of them.
    for (user, missing) in [("a", &claims), ("b", &names.processing), ("c", &names.requests), ("d", &records)] {
        let keys = [&claims, &names.processing, &names.requests, &names.dead, &names.responses, &records];
        let mut command =
            vec!["ACL".to_owned(), "SETUSER".to_owned(), user.to_owned(), "on".to_owned(), ">hunter2".to_owned()];
        command.push("+@all".to_owned());
        command.extend(keys.into_iter().filter(|key| *key != missing).map(|key| format!("~{key}")));
        let _: () = stage.ask(&command.iter().map(String::as_str).collect::<Vec<_>>());
        let url = Secret::new(server.url().replace("://", &format!("://{user}:hunter2@")));
        let queue = RedisQueue::new(RedisQueueConfig { url, ..stage.config() }).expect("the settings are right");
        if user == "d" {
            says(&queue.push(job("r")).await.expect_err("it may not"), "its user may not do that");
        } else {
            says(&queue.claim(1, Duration::ZERO).await.expect_err("it may not"), "its user may not do that");
        }
        assert_eq!(stage.list(&names.requests), ["job"], "{user}");
    }
    assert_eq!(&*claim(&stage.queue()).await.payload, b"job");
    claim_nothing(&stage.queue()).await;
}

#[tokio::test]
async fn scripts_that_were_forgotten_are_sent_again() {
    let server = Server::start(&[]);
    let mut stage = Stage::at(&server.url());
    let queue = stage.queue();
    let request = request("r", None);
    queue.push(job("r")).await.expect("there is room");
    let _: () = stage.ask(&["SCRIPT", "FLUSH"]);
    let held = begin_first(&queue, &request).await;
    let _: () = stage.ask(&["SCRIPT", "FLUSH"]);
    queue.settle(&held, answered(&request, "yes")).await.expect("it is ours");
}

#[tokio::test]
async fn a_redis_that_hangs_holds_nobody() {
    let server = Server::start(&[]);
    let stage = Stage::at(&server.url());
    let limit = Duration::from_millis(300);
    let config = RedisQueueConfig { connect_timeout: limit, response_timeout: limit, ..stage.config() };
    let queue = RedisQueue::new(config.clone()).expect("the settings are right");
    queue.push(job("r")).await.expect("there is room");
    let request = request("r", None);
    let held = begin_first(&queue, &request).await;
    server.signal("-STOP");
    let begun = Instant::now();
    let fresh = RedisQueue::new(config).expect("the settings are right");
    let (push, claims, settled, other) = tokio::join!(
        queue.push(job("s")),
        queue.claim(1, Duration::from_millis(10)),
        queue.settle(&held, answered(&request, "yes")),
        fresh.push(job("t")),
    );
    says(&push.expect_err("it hangs"), "it does not answer");
    says(&claims.expect_err("it hangs"), "it does not answer");
    says(&settled.expect_err("it hangs"), "it does not answer");
    says(&other.expect_err("it hangs"), "it does not answer");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    server.signal("-CONT");
    // The first attempt has come through when it went on, or has not; there is one answer.
    if let Err(error) = queue.settle(&held, answered(&request, "yes")).await {
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    }
    let mut stage = stage;
    let responses = stage.names.responses.clone();
    assert_eq!(stage.list(&responses).len(), 1);
    queue.push(job("u")).await.expect("it goes on");
}
