//! The same request twice, and replies that go astray.

use bytes::Bytes;
use gateway_core::{Begun, ErrorKind, JobAnswer, Queue, RequestState, Settlement};

use crate::stage::{Stage, answered, begin_first, claim, claim_nothing, request};

const YES: &str = r#"{"answer": "yes"}"#;

#[tokio::test]
async fn what_has_been_answered_is_answered_once_to_each_list() {
    let mut stage = Stage::new();
    let queue = stage.queue();
    let (one, two) = (stage.name("one"), stage.name("two"));
    stage.produce("job");
    let first = request("r", Some(&one));
    let held = begin_first(&queue, &first).await;
    queue.settle(&held, answered(&first, "yes")).await.expect("it is ours");

    // A producer that announces its requests itself may write over the status.
    let record = stage.names.record("r");
    let _: u64 = stage.ask(&["HSET", &record, "status", "pending"]);
    for reply_to in [&one, &two] {
        stage.produce("job");
        let held = claim(&queue).await;
        let again = request("r", Some(reply_to));
        assert_eq!(queue.begin(&held, &again).await.expect("it is ours"), Begun::Duplicate);
        // The same question, the same answer; and nothing is left to settle.
        assert_eq!(queue.begin(&held, &again).await.expect("it is ours"), Begun::Duplicate);
        let settled = queue.settle(&held, answered(&again, "no")).await.expect_err("the claim is gone");
        assert_eq!(settled.kind(), ErrorKind::Conflict);
        assert_eq!(
            queue.renew(std::slice::from_ref(&held)).await.expect("it is there"),
            std::slice::from_ref(&held.id)
        );
    }
    assert_eq!(stage.list(&one), [YES]);
    assert_eq!(stage.list(&two), [YES]);
    assert_eq!(queue.request("r").await.expect("it is there").expect("it is known").state, RequestState::Completed);
    claim_nothing(&queue).await;
}

#[tokio::test]
async fn what_is_under_way_is_answered_to_all_lists_at_once() {
    let mut stage = Stage::new();
    let queue = stage.queue();
    let (one, two) = (stage.name("one"), stage.name("two"));
    stage.produce("job");
    let held = begin_first(&queue, &request("r", Some(&one))).await;
    for reply_to in [Some(&*two), Some(&*one), Some(&*two), None] {
        stage.produce("job");
        let duplicate = claim(&queue).await;
        assert_eq!(queue.begin(&duplicate, &request("r", reply_to)).await.expect("it is ours"), Begun::Duplicate);
    }
    assert_eq!(stage.list(&two), Vec::<String>::new());
    queue.settle(&held, answered(&request("r", Some(&one)), "yes")).await.expect("it is ours");
    let responses = stage.names.responses.clone();
    for list in [&one, &two, &responses] {
        assert_eq!(stage.list(list), [YES], "{list}");
    }
}

#[tokio::test]
async fn a_request_whose_claim_has_vanished_is_not_silent_for_ever() {
    let mut stage = Stage::new();
    let queue = stage.queue();
    stage.produce("job");
    let vanished = begin_first(&queue, &request("r", None)).await;
    let (processing, hash) =
        (stage.names.processing.clone(), format!("{}{}", stage.names.claim_prefix, vanished.id.trim_end_matches(".1")));
    let _: u64 = stage.ask(&["DEL", &processing, &hash]);
    stage.produce("job");
    let held = claim(&queue).await;
    // It may have been done.
    assert_eq!(queue.begin(&held, &request("r", None)).await.expect("it is ours"), Begun::Again);
    assert_eq!(queue.begin(&held, &request("r", None)).await.expect("it is ours"), Begun::Again);
    queue.settle(&held, answered(&request("r", None), "yes")).await.expect("it is ours");
    let responses = stage.names.responses.clone();
    assert_eq!(stage.list(&responses), [YES]);
}

#[tokio::test]
async fn an_answer_without_a_beginning_does_not_touch_what_another_claim_is_at() {
    let mut stage = Stage::new();
    let queue = stage.queue();
    let other = stage.name("other");
    stage.produce("job");
    let held = begin_first(&queue, &request("r", None)).await;
    stage.produce("job that is too late");
    let late = claim(&queue).await;
    let refused = Settlement::Answered(JobAnswer {
        request: request("r", Some(&other)),
        completed: false,
        response: Bytes::from_static(b"too late"),
        result: Bytes::from_static(b"null"),
        timestamp: "1".to_owned(),
    });
    queue.settle(&late, refused).await.expect("it is ours");
    assert_eq!(stage.list(&other), ["too late"]);
    assert_eq!(queue.request("r").await.expect("it is there").expect("it is known").state, RequestState::Processing);
    queue.settle(&held, answered(&request("r", None), "yes")).await.expect("it is ours");
    let record = queue.request("r").await.expect("it is there").expect("it is known");
    assert_eq!(record.response.as_deref(), Some(YES.as_bytes()));
}

#[tokio::test]
async fn an_answer_that_cannot_go_where_it_is_wanted_goes_to_the_common_list() {
    let mut stage = Stage::new();
    let queue = stage.queue();
    let text = stage.name("text");
    let _: () = stage.ask(&["SET", &text, "no list"]);
    let names = stage.names.clone();
    let long = "x".repeat(10_000);
    let wanted =
        [&*text, &*names.requests, &*names.processing, &*names.dead, &*long, "two\nlines", "gateway:status", ""];
    for (count, reply_to) in wanted.into_iter().enumerate() {
        stage.produce("job");
        let request = request(&format!("r{count}"), Some(reply_to));
        let held = begin_first(&queue, &request).await;
        queue.settle(&held, answered(&request, "yes")).await.expect("it is ours");
        assert_eq!(stage.list(&names.responses).len(), count + 1, "{reply_to:?}");
        claim_nothing(&queue).await;
    }
    assert_eq!(stage.ask::<String>(&["GET", &text]), "no list");

    // The same for duplicates, before and after the answer.
    let _: u64 = stage.ask(&["DEL", &names.responses]);
    stage.produce("job");
    let own = stage.name("own");
    let held = begin_first(&queue, &request("d", Some(&own))).await;
    for settled in [false, true] {
        if settled {
            queue.settle(&held, answered(&request("d", Some(&own)), "yes")).await.expect("it is ours");
        }
        stage.produce("job");
        let duplicate = claim(&queue).await;
        assert_eq!(queue.begin(&duplicate, &request("d", Some(&text))).await.expect("it is ours"), Begun::Duplicate);
    }
    assert_eq!(stage.list(&own), [YES]);
    assert_eq!(stage.list(&names.responses), [YES, YES]);
}

#[tokio::test]
async fn somebody_elses_value_under_the_key_of_a_request_stays_and_the_job_is_answered() {
    let mut stage = Stage::new();
    let queue = stage.queue();
    let record = stage.names.record("r");
    let _: () = stage.ask(&["SET", &record, "somebody's"]);
    assert_eq!(queue.request("r").await.expect("it is there"), None);
    stage.produce("job");
    let request = request("r", None);
    let held = begin_first(&queue, &request).await;
    queue.settle(&held, answered(&request, "yes")).await.expect("it is ours");
    let responses = stage.names.responses.clone();
    assert_eq!(stage.list(&responses), [YES]);
    assert_eq!(stage.ask::<String>(&["GET", &record]), "somebody's");
    let error = queue.push(crate::stage::job("r")).await.expect_err("it cannot be noted");
    assert!(error.message().contains("is not a hash"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_producer_may_announce_its_request_itself() {
    let mut stage = Stage::new();
    let queue = stage.queue();
    let record = stage.names.record("r");
    let _: u64 = stage.ask(&["HSET", &record, "status", "pending", "query", "weather"]);
    assert_eq!(queue.request("r").await.expect("it is there").expect("it is known").state, RequestState::Queued);
    stage.produce("job");
    let held = begin_first(&queue, &request("r", None)).await;
    queue.settle(&held, answered(&request("r", None), "yes")).await.expect("it is ours");
    let kept: Vec<String> = stage.ask(&["HMGET", &record, "status", "query"]);
    assert_eq!(kept, ["completed", "weather"]);
}

#[tokio::test]
async fn a_dead_letter_with_an_answer_is_both_or_neither() {
    let mut stage = Stage::new();
    let queue = stage.queue();
    let (dead, responses) = (stage.names.dead.clone(), stage.names.responses.clone());
    let _: () = stage.ask(&["SET", &dead, "no list"]);
    stage.produce("job");
    let request = request("r", None);
    let held = begin_first(&queue, &request).await;
    let Settlement::Answered(answer) = answered(&request, "told") else { unreachable!("it is an answer") };
    let buried = || Settlement::Dead { reason: "it ends all".to_owned(), answer: Some(answer.clone()) };
    let error = queue.settle(&held, buried()).await.expect_err("there is nowhere to bury it");
    assert!(error.message().contains("is not a list"), "{error}");
    assert_eq!(stage.list(&responses), Vec::<String>::new());
    let _: u64 = stage.ask(&["DEL", &dead]);
    queue.settle(&held, buried()).await.expect("it is still ours");
    assert_eq!((stage.list(&responses).len(), stage.list(&dead).len()), (1, 1));
    assert_eq!(stage.keys(), ["mcp_requests:dead", "mcp_responses", "request:r"]);
}

#[tokio::test]
async fn duplicates_cannot_make_a_record_grow_without_end() {
    let mut stage = Stage::new();
    let queue = stage.queue();
    stage.produce("job");
    let held = begin_first(&queue, &request("r", None)).await;
    let lists: Vec<String> = (0..70).map(|number| stage.name(&format!("list-{number}"))).collect();
    for list in &lists {
        stage.produce("job");
        let duplicate = claim(&queue).await;
        assert_eq!(queue.begin(&duplicate, &request("r", Some(list))).await.expect("it is ours"), Begun::Duplicate);
    }
    queue.settle(&held, answered(&request("r", None), "yes")).await.expect("it is ours");
    let answered = lists.iter().filter(|list| stage.list(list) == [YES]).count();
    assert_eq!(answered, 64);
}
