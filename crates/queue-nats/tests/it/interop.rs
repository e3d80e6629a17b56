//! With clients of any kind.

use async_nats::HeaderMap;
use futures_util::StreamExt as _;
use gateway_core::{Begun, ErrorKind, Job, Queue as _, QueueDepth, RequestState, Settlement};
use queue_nats::NatsQueue;

use crate::broker::{Broker, SOON, answered, claim_one, job, request, request_to};

#[tokio::test]
async fn a_producers_job_is_answered_under_its_ids() {
    Broker::with(|broker| async move {
        let queue = broker.queue();
        queue.depth().await.expect("streams");
        let mut headers = HeaderMap::new();
        headers.insert("Correlation-Id", "corr-7");
        broker.produce("{\"the\": \"job\"}", headers).await;
        let claim = claim_one(&queue).await;
        assert_eq!((claim.payload.as_ref(), claim.deliveries), (&b"{\"the\": \"job\"}"[..], 1));
        assert_eq!(queue.begin(&claim, &request("r1")).await.expect("begun"), Begun::First);
        assert_eq!(queue.depth().await.expect("depth"), QueueDepth { waiting: 0, claimed: 1, dead: 0 });
        queue.settle(&claim, answered(request("r1"), "{\"a\":1}")).await.expect("settled");
        let answers = broker.answers().await;
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].payload.as_ref(), b"{\"a\":1}");
        let header = |name: &str| answers[0].headers.get(name).map(|value| value.as_str().to_owned());
        assert_eq!(header("Correlation-Id").as_deref(), Some("corr-7"));
        assert_eq!(header("Request-Id").as_deref(), Some("r1"));
        assert_eq!(header("Content-Type").as_deref(), Some("application/json"));
        assert_eq!(queue.depth().await.expect("depth"), QueueDepth::default());
    })
    .await;
}

#[tokio::test]
async fn who_listens_gets_the_answer_and_else_the_common_stream() {
    Broker::with(|broker| async move {
        let queue = broker.queue();
        queue.depth().await.expect("streams");
        let inbox = broker.client.new_inbox();
        let mut listening = broker.client.subscribe(inbox.clone()).await.expect("subscribed");
        broker.client.flush().await.expect("flushed");
        let mut headers = HeaderMap::new();
        headers.insert("Reply-To", inbox.as_str());
        for id in ["heard", "unheard"] {
            broker.produce("job", headers.clone()).await;
            let claim = claim_one(&queue).await;
            assert_eq!(claim.reply_to.as_deref(), Some(inbox.as_str()));
            queue.begin(&claim, &request_to(id, &inbox)).await.expect("begun");
            queue.settle(&claim, answered(request_to(id, &inbox), id)).await.expect("settled");
            if id == "heard" {
                let answer = tokio::time::timeout(SOON, listening.next()).await.expect("in time").expect("an answer");
                assert_eq!(answer.payload.as_ref(), b"heard");
                assert!(broker.answers().await.is_empty());
                listening.unsubscribe().await.expect("unsubscribed");
                broker.client.flush().await.expect("flushed");
                // The server has seen that once it answers something else.
                broker.messages("responses", 0).await;
            }
        }
        let answers = broker.answers().await;
        assert_eq!(answers.iter().map(|answer| answer.payload.as_ref()).collect::<Vec<_>>(), [b"unheard"]);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_subject_for_answers_gets_none() {
    Broker::with(|broker| async move {
        let queue = broker.queue();
        queue.depth().await.expect("streams");
        let requests = broker.named("requests");
        let purge = format!("$JS.API.STREAM.PURGE.{requests}");
        let (dead, record) = (broker.named("dead"), format!("$KV.{requests}_records.x"));
        let hostile = [
            requests.as_str(),
            &dead,
            &purge,
            &record,
            "$SYS.REQ.SERVER.PING",
            ">",
            "a.*",
            "a b",
            "x\r\nPUB y 0\r\n\r\n",
        ];
        for (number, wanted) in hostile.into_iter().enumerate() {
            let id = format!("r{number}");
            broker.produce(id.clone(), HeaderMap::new()).await;
            let claim = claim_one(&queue).await;
            queue.begin(&claim, &request_to(&id, wanted)).await.expect("begun");
            queue.settle(&claim, answered(request_to(&id, wanted), id.clone())).await.expect(wanted);
            let answers = broker.answers().await;
            assert_eq!(
                answers.iter().map(|answer| answer.payload.as_ref()).collect::<Vec<_>>(),
                [id.as_bytes()],
                "{wanted}"
            );
        }
        assert_eq!(queue.depth().await.expect("depth"), QueueDepth::default());
    })
    .await;
}

#[tokio::test]
async fn pushes_are_taken_once_and_within_their_limits() {
    Broker::with(|broker| async move {
        let mut config = broker.config();
        config.max_depth = 2;
        config.max_bytes = 100;
        let queue = queue_nats::NatsQueue::new(config).expect("settings");
        let pushes = tokio::join!(queue.push(job("a")), queue.push(job("a")), queue.push(job("a")));
        assert!(pushes.0.is_ok() && pushes.1.is_ok() && pushes.2.is_ok(), "{pushes:?}");
        queue.push(job("b")).await.expect("pushed");
        assert_eq!(queue.depth().await.expect("depth").waiting, 2);
        assert_eq!(queue.push(job("c")).await.expect_err("full").kind(), ErrorKind::RateLimited);
        let large = Job { payload: vec![b'x'; 101].into(), ..job("d") };
        assert_eq!(queue.push(large).await.expect_err("large").kind(), ErrorKind::TooLarge);
        assert_eq!(queue.push(job("bad id")).await.expect_err("bad").kind(), ErrorKind::InvalidRequest);
        let larger = Job { payload: vec![b'x'; 2 << 20].into(), ..job("e") };
        let error = broker.queue().push(larger).await.expect_err("larger than the server takes");
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_nats_does_not_take_is_an_error_that_says_so() {
    Broker::with(|broker| async move {
        let queue = broker.queue();
        queue.push(job("a")).await.expect("pushed");
        let claim = claim_one(&queue).await;
        queue.begin(&claim, &request("a")).await.expect("begun");
        queue.settle(&claim, answered(request("a"), vec![b'x'; 2 << 20])).await.expect("settled");
        let answers = broker.answers().await;
        let answer: serde_json::Value = serde_json::from_slice(&answers[0].payload).expect("JSON");
        assert_eq!((&answer["request_id"], &answer["kind"]), (&"a".into(), &"too_large".into()));
        let record = queue.request("a").await.expect("asked").expect("a record");
        assert_eq!(record.state, RequestState::Failed);
    })
    .await;
}

#[tokio::test]
async fn a_double_whose_first_message_is_gone_inherits_the_work() {
    Broker::with(|broker| async move {
        let queue = broker.queue();
        queue.push(job("a")).await.expect("pushed");
        let claim = claim_one(&queue).await;
        queue.begin(&claim, &request("a")).await.expect("begun");
        // An operator clears the stream; the producer sends its job again.
        let stream = broker.jetstream.get_stream(broker.named("requests")).await.expect("a stream");
        stream.purge().await.expect("purged");
        broker.produce("job a", HeaderMap::new()).await;
        let second = claim_one(&queue).await;
        assert_eq!(queue.begin(&second, &request("a")).await.expect("begun"), Begun::Again);
        let error = queue.settle(&claim, answered(request("a"), "old")).await.expect_err("it has lost the request");
        assert_eq!(error.kind(), ErrorKind::Conflict);
        queue.settle(&second, answered(request("a"), "new")).await.expect("settled");
        let answers = broker.answers().await;
        assert_eq!(answers.iter().map(|answer| answer.payload.as_ref()).collect::<Vec<_>>(), [b"new"]);
    })
    .await;
}

#[tokio::test]
async fn dead_letters_of_any_size_keep_their_bytes() {
    Broker::with(|broker| async move {
        let queue = broker.queue();
        queue.depth().await.expect("streams");
        let most = broker.client.max_payload();
        let mut headers = HeaderMap::new();
        headers.insert("Reply-To", "somewhere");
        headers.insert("Nats-Something", "of the server's");
        for (size, headers) in [(9, headers), (most, HeaderMap::new())] {
            broker.produce(vec![b'{'; size], headers).await;
            let claim = claim_one(&queue).await;
            let dead = Settlement::Dead { reason: format!("no JSON:\n{}", "é".repeat(5000)), answer: None };
            queue.settle(&claim, dead).await.expect("laid aside");
        }
        let letters = broker.messages("dead", 0).await;
        assert_eq!(letters.iter().map(|letter| letter.payload.len()).collect::<Vec<_>>(), [9, most]);
        let header = |name: &str| letters[0].headers.get(name).map(|value| value.as_str().to_owned());
        assert!(header("Reason").expect("a reason").starts_with("no JSON: éé"));
        assert_eq!((header("Reply-To").as_deref(), header("Nats-Something")), (Some("somewhere"), None));
        assert_eq!(queue.depth().await.expect("depth"), QueueDepth { waiting: 0, claimed: 0, dead: 2 });
    })
    .await;
}

#[tokio::test]
async fn what_waited_long_is_known_as_long_after_its_answer() {
    Broker::with(|broker| async move {
        let keep = std::time::Duration::from_millis(2_500);
        let mut config = broker.config();
        (config.lease_ms, config.keep_ms) = (250, 2_500);
        let queue = NatsQueue::new(config).expect("settings");
        queue.push(job("r")).await.expect("pushed");
        tokio::time::sleep(keep * 3 / 5).await;
        let claim = claim_one(&queue).await;
        queue.begin(&claim, &request("r")).await.expect("begun");
        queue.settle(&claim, answered(request("r"), "yes")).await.expect("settled");
        tokio::time::sleep(keep * 3 / 5).await;
        let known = queue.request("r").await.expect("asked").expect("known");
        assert_eq!((known.state, known.response.as_deref()), (RequestState::Completed, Some(&b"yes"[..])));
        // Without it nobody knows whose request it is.
        assert_eq!(known.request.as_deref(), Some(&b"job r"[..]));
    })
    .await;
}
