//! What a queue keeps is bounded.

use std::time::Duration;

use bytes::Bytes;
use gateway_core::{ErrorKind, Job, JobAnswer, Priority, Queue, QueueDepth, QueuedRequest, Settlement};
use queue_memory::{MemoryQueue, MemoryQueueConfig};

fn job(id: &str, size: usize) -> Job {
    Job { request_id: id.to_owned(), payload: vec![b'x'; size].into(), priority: Priority::Normal }
}

async fn refused(queue: &MemoryQueue, job: Job, kind: ErrorKind, says: &str) {
    let error = queue.push(job).await.expect_err("too much");
    assert_eq!(error.kind(), kind);
    assert!(error.to_string().contains(says), "{error}");
}

async fn answer(queue: &MemoryQueue, id: &str, size: usize) {
    queue.push(job(id, 1)).await.expect("pushed");
    let claim = queue.claim(1, Duration::ZERO).await.expect("claimed").pop().expect("a job");
    let request = QueuedRequest { request_id: id.to_owned(), reply_to: None };
    queue.begin(&claim, &request).await.expect("begun");
    let response = Bytes::from(vec![b'y'; size]);
    let (result, timestamp) = (Bytes::new(), String::new());
    let answer = JobAnswer { request, completed: true, response, result, timestamp };
    queue.settle(&claim, Settlement::Answered(answer)).await.expect("settled");
}

#[tokio::test]
async fn a_full_queue_refuses_jobs_until_one_is_settled() {
    let config = MemoryQueueConfig { max_jobs: 2, ..MemoryQueueConfig::default() };
    let queue = MemoryQueue::new(config);
    queue.push(job("a", 1)).await.expect("pushed");
    queue.push(job("b", 1)).await.expect("pushed");
    refused(&queue, job("c", 1), ErrorKind::RateLimited, "full with 2 jobs").await;
    queue.push(job("b", 1)).await.expect("the second attempt of one that is there is none of a new one");
    let claim = queue.claim(1, Duration::ZERO).await.expect("claimed").pop().expect("a job");
    refused(&queue, job("c", 1), ErrorKind::RateLimited, "full").await;
    let dead = Settlement::Dead { reason: String::new(), answer: None };
    queue.settle(&claim, dead).await.expect("settled");
    queue.push(job("c", 1)).await.expect("pushed");
}

#[tokio::test]
async fn bytes_are_bounded_too() {
    let config = MemoryQueueConfig { max_payload_bytes: 10, max_job_bytes: 15, ..MemoryQueueConfig::default() };
    let queue = MemoryQueue::new(config);
    refused(&queue, job("a", 11), ErrorKind::TooLarge, "it has 11 bytes, and 10 are allowed").await;
    queue.push(job("a", 10)).await.expect("pushed");
    refused(&queue, job("b", 6), ErrorKind::RateLimited, "full").await;
    queue.push(job("b", 5)).await.expect("pushed");
}

#[tokio::test(start_paused = true)]
async fn an_answered_request_is_known_for_its_time() {
    let queue = MemoryQueue::new(MemoryQueueConfig::default());
    answer(&queue, "a", 1).await;
    tokio::time::advance(Duration::from_secs(3599)).await;
    assert!(queue.request("a").await.expect("asked").is_some());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(queue.request("a").await.expect("asked"), None);
    assert_eq!(queue.depth().await.expect("known"), QueueDepth::default());
}

#[tokio::test]
async fn what_is_buried_without_an_answer_leaves_nothing_behind() {
    let queue = MemoryQueue::new(MemoryQueueConfig::default());
    for begins in [false, true] {
        queue.push(job("pushed", 1)).await.expect("pushed");
        let claim = queue.claim(1, Duration::ZERO).await.expect("claimed").pop().expect("a job");
        if begins {
            let request = QueuedRequest { request_id: "begun".to_owned(), reply_to: None };
            queue.begin(&claim, &request).await.expect("begun");
        }
        let dead = Settlement::Dead { reason: String::new(), answer: None };
        queue.settle(&claim, dead).await.expect("settled");
        for id in ["pushed", "begun"] {
            assert_eq!(queue.request(id).await.expect("asked"), None);
        }
    }
}

#[tokio::test]
async fn of_answered_requests_and_answers_the_oldest_go() {
    let queue = MemoryQueue::new(MemoryQueueConfig { max_records: 2, ..MemoryQueueConfig::default() });
    for id in ["a", "b", "c"] {
        answer(&queue, id, 1).await;
    }
    assert_eq!(queue.request("a").await.expect("asked"), None);
    assert!(queue.request("b").await.expect("asked").is_some());
    assert_eq!(queue.take_answers(None).len(), 2);
    let queue = MemoryQueue::new(MemoryQueueConfig { max_record_bytes: 3000, ..MemoryQueueConfig::default() });
    answer(&queue, "a", 2000).await;
    answer(&queue, "b", 2000).await;
    assert_eq!(queue.request("a").await.expect("asked"), None);
    assert!(queue.request("b").await.expect("asked").is_some());
}
