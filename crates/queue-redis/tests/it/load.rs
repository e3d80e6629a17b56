//! Many who claim, and those who stop waiting.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gateway_core::{Begun, Priority, Queue};
use queue_redis::{RedisQueue, RedisQueueConfig};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::server::Server;
use crate::stage::{LONG, Stage, answered, claim, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_who_claim_share_the_jobs_and_none_is_done_twice() {
    const JOBS: usize = 2_000;
    let mut stage = Stage::new();
    let mut workers = JoinSet::new();
    for _ in 0..8 {
        let queue = stage.queue();
        workers.spawn(async move {
            let mut done: Vec<String> = Vec::new();
            loop {
                let claims = queue.claim(7, Duration::from_millis(1_500)).await.expect("it is there");
                if claims.is_empty() {
                    return done;
                }
                for claim in claims {
                    let id = String::from_utf8_lossy(&claim.payload).into_owned();
                    let request = request(&id, None);
                    assert_eq!(queue.begin(&claim, &request).await.expect("it is ours"), Begun::First);
                    queue.settle(&claim, answered(&request, &id)).await.expect("it is ours");
                    done.push(id);
                }
            }
        });
    }
    for number in 0..JOBS {
        stage.produce(&number.to_string());
        if number % 50 == 0 {
            // The client of these tests blocks its thread; those who claim shall run meanwhile.
            tokio::task::yield_now().await;
        }
    }
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    while let Some(done) = workers.join_next().await {
        for id in done.expect("nobody panics") {
            *times.entry(id).or_default() += 1;
        }
    }
    assert_eq!(times.len(), JOBS);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    let responses = stage.names.responses.clone();
    assert_eq!(stage.list(&responses).len(), JOBS);
}

#[tokio::test]
async fn who_waits_is_woken_by_a_job_in_any_list() {
    let mut stage = Stage::new();
    let config = RedisQueueConfig { agent_queues: true, ..stage.config() };
    let queue = RedisQueue::new(config).expect("the settings are right");
    let names = stage.names.clone();
    let mut lists: Vec<String> = [Priority::Urgent, Priority::High, Priority::Normal, Priority::Low]
        .map(|priority| names.agent_queue(priority))
        .into();
    lists.push(names.requests.clone());
    for list in lists.iter().chain(&lists) {
        let waiting = async {
            let claims = queue.claim(1, LONG).await.expect("it is there");
            (claims.len(), Instant::now())
        };
        let pushing = async {
            // Long enough for the other to wait.
            tokio::time::sleep(Duration::from_millis(50)).await;
            let pushed = Instant::now();
            let _: u64 = stage.ask(&["LPUSH", list, "job"]);
            pushed
        };
        let ((claimed, woken), pushed) = tokio::join!(waiting, pushing);
        assert_eq!(claimed, 1);
        let late = woken - pushed;
        // Looking now and then would take up to a second.
        assert!(late < Duration::from_millis(500), "{list}: {late:?}");
    }
}

#[tokio::test]
async fn who_stops_waiting_takes_no_job_and_leaves_no_connection() {
    let server = Server::start(&[]);
    let mut stage = Stage::at(&server.url());
    let queue = stage.queue();
    for milliseconds in 0..60 {
        let stopped = timeout(Duration::from_millis(milliseconds), queue.claim(1, LONG)).await;
        assert!(stopped.is_err(), "there is no job");
    }
    let clients: String = stage.ask(&["CLIENT", "LIST"]);
    // The one of this test, the shared one, and one that waits.
    assert!(clients.lines().count() <= 3, "{clients}");
    stage.produce("job");
    let begun = Instant::now();
    let held = claim(&queue).await;
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    queue.settle(&held, answered(&request("r", None), "yes")).await.expect("it is ours");

    // Dropped at any point of a claim, a job is claimed at once or after the lease.
    let queue = stage.brief(300);
    for microseconds in (0..2_000).step_by(100) {
        stage.produce("job");
        let stopped = timeout(Duration::from_micros(microseconds), queue.claim(1, LONG)).await;
        let claims = match stopped {
            Ok(claims) => claims.expect("it is there"),
            Err(_) => vec![claim(&queue).await],
        };
        let request = request(&microseconds.to_string(), None);
        queue.begin(&claims[0], &request).await.expect("it is ours");
        queue.settle(&claims[0], answered(&request, "yes")).await.expect("it is ours");
    }
    assert_eq!(queue.depth().await.expect("it is there"), gateway_core::QueueDepth::default());
}
