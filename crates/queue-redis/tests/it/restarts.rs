//! A Redis that goes away and comes back.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use gateway_core::{Begun, ErrorKind, Queue, Settlement};
use queue_redis::RedisQueue;

use crate::server::Server;
use crate::stage::{LONG, Stage, answered, begin_first, claim, job, request};

/// How long somebody waits who was refused.
const PAUSE: Duration = Duration::from_millis(20);

#[tokio::test]
async fn a_gateway_may_start_before_its_redis() {
    let mut server = Server::absent(&[]);
    let url = server.url();
    let config = queue_redis::RedisQueueConfig::new(gateway_core::Secret::new(&*url));
    let queue = RedisQueue::new(config).expect("the settings are right");
    let error = queue.push(job("r")).await.expect_err("it is away");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("refused"), "{error}");
    assert_eq!(queue.claim(1, LONG).await.expect_err("it is away").kind(), ErrorKind::Unavailable);
    server.run();
    queue.push(job("r")).await.expect("it is there");
    assert_eq!(&*claim(&queue).await.payload, b"r");
}

#[tokio::test]
async fn an_idle_queue_does_not_notice_a_restart() {
    let mut server = Server::start(&[]);
    let mut stage = Stage::at(&server.url());
    let queue = stage.queue();
    queue.push(job("r")).await.expect("it is there");
    assert_eq!(queue.claim(2, Duration::ZERO).await.expect("it is there").len(), 1);
    // With a wait that is kept, too.
    assert_eq!(queue.claim(1, Duration::from_millis(20)).await.expect("it is there"), []);
    server.kill();
    server.run();
    stage.reconnect();
    queue.push(job("s")).await.expect("it is there again");
    assert_eq!(&*claim(&queue).await.payload, b"s");
    let begun = Instant::now();
    let waiting = queue.claim(1, LONG);
    let produce = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stage.produce("t");
    };
    let (claims, ()) = tokio::join!(waiting, produce);
    assert_eq!(claims.expect("it is there").len(), 1);
    assert!(begun.elapsed() < Duration::from_secs(1), "the bell did not ring: {:?}", begun.elapsed());
}

#[tokio::test]
async fn leases_do_not_run_while_redis_is_away() {
    let mut server = Server::start(&[]);
    let mut stage = Stage::at(&server.url());
    let (first, second) = (stage.brief(1_500), stage.brief(1_500));
    stage.produce("job");
    let request = request("r", None);
    let held = begin_first(&first, &request).await;
    let ended = Instant::now() + Duration::from_millis(1_600);
    assert_eq!(second.claim(1, Duration::ZERO).await.expect("it is there"), []);
    server.kill();
    tokio::time::sleep_until(ended.into()).await;
    server.run();
    stage.reconnect();
    // The lease is over, and still nobody takes it over: the first one had no way to renew it.
    for other in [&second, &stage.brief(1_500)] {
        assert_eq!(other.claim(1, Duration::ZERO).await.expect("it is there"), []);
    }
    assert_eq!(first.renew(std::slice::from_ref(&held)).await.expect("it is there"), Vec::<String>::new());
    first.settle(&held, answered(&request, "yes")).await.expect("it is ours");

    // One that nobody renews is taken over in the end.
    stage.produce("job");
    let held = claim(&first).await;
    server.kill();
    server.run();
    stage.reconnect();
    assert_eq!(claim(&second).await.payload, held.payload);
}

/// What became of each job.
#[derive(Debug, Default)]
struct Done {
    /// How often its work was done.
    worked: Mutex<BTreeMap<String, u32>>,
}

/// Takes jobs and answers them until there have been as many as there should be.
async fn work(queue: &RedisQueue, done: &Done, finished: &tokio::sync::watch::Receiver<bool>) {
    while !*finished.borrow() {
        let Ok(claims) = queue.claim(8, Duration::from_millis(100)).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        for claim in claims {
            let id = String::from_utf8_lossy(&claim.payload).into_owned();
            let request = request(&id, None);
            let text = loop {
                match queue.begin(&claim, &request).await {
                    Ok(Begun::First) => {
                        *done.worked.lock().expect("nobody panics").entry(id.clone()).or_default() += 1;
                        break Some("done");
                    }
                    Ok(Begun::Again) => break Some("unknown"),
                    Ok(Begun::Duplicate) => break None,
                    Err(error) if error.kind() == ErrorKind::Conflict => break None,
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            };
            let Some(text) = text else { continue };
            let settlement = Settlement::Answered(gateway_core::JobAnswer {
                response: format!("{id} {text}").into(),
                ..match answered(&request, text) {
                    Settlement::Answered(answer) => answer,
                    other => unreachable!("{other:?}"),
                }
            });
            while let Err(error) = queue.settle(&claim, settlement.clone()).await {
                if error.kind() == ErrorKind::Conflict {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_and_nothing_answered_twice_when_redis_is_killed() {
    const JOBS: usize = 600;
    let mut server = Server::start(&[]);
    let mut stage = Stage::at(&server.url());
    let workers: Vec<RedisQueue> = (0..4).map(|_| stage.brief(2_000)).collect();
    let (producer, watcher) = (stage.queue(), stage.queue());
    let done = Done::default();
    let (finish, finished) = tokio::sync::watch::channel(false);
    let responses = stage.names.responses.clone();

    let produce = async {
        for number in 0..JOBS {
            while producer.push(job(&format!("job-{number}"))).await.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    let kill = async {
        for after in [50, 250, 450] {
            loop {
                let answers = done.worked.lock().expect("nobody panics").len();
                if answers >= after {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            server.kill();
            assert!(watcher.depth().await.is_err(), "it is away");
            server.run();
        }
        // Until all have been answered: no job waits, and none is in anybody's hands.
        stage.reconnect();
        let end = Instant::now() + Duration::from_secs(30);
        while stage.ask::<usize>(&["LLEN", &responses]) < JOBS && Instant::now() < end {
            tokio::time::sleep(PAUSE).await;
        }
        finish.send(true).expect("they listen");
    };
    let workers = async {
        let works = workers.iter().map(|queue| work(queue, &done, &finished));
        futures_util::future::join_all(works).await;
    };
    tokio::join!(produce, kill, workers);

    let mut answers: Vec<String> =
        stage.list(&responses).into_iter().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect();
    answers.sort();
    let mut expected: Vec<String> = (0..JOBS).map(|number| format!("job-{number}")).collect();
    expected.sort();
    assert_eq!(answers, expected, "each exactly once");
    let worked = done.worked.into_inner().expect("nobody panics");
    assert!(worked.values().all(|times| *times == 1), "{worked:?}");
    let depth = watcher.depth().await.expect("it is there");
    assert_eq!((depth.waiting, depth.claimed, depth.dead), (0, 0, 0));
}
