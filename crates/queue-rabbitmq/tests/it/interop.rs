//! With clients of any kind.

use std::time::Duration;

use futures_util::StreamExt as _;
use gateway_core::{Begun, ErrorKind, Queue as _, QueueDepth, RequestState, Settlement};
use lapin::BasicProperties;
use lapin::options::BasicConsumeOptions;
use lapin::types::{AMQPValue, FieldTable};

use crate::broker::{Broker, SOON, answered, claim_one, job, request, request_to};

#[tokio::test]
async fn a_producers_job_is_answered_under_its_ids() {
    Broker::with(|broker| async move {
        // The producer is first, and declares the queue itself.
        let properties = BasicProperties::default().with_correlation_id("corr-7".into());
        broker.produce("{\"the\": \"job\"}", properties).await;
        let queue = broker.queue();
        let claim = claim_one(&queue).await;
        assert_eq!((claim.payload.as_ref(), claim.deliveries), (&b"{\"the\": \"job\"}"[..], 1));
        assert_eq!((claim.priority, claim.reply_to.as_deref()), (None, None));
        assert_eq!(queue.begin(&claim, &request("r1")).await.expect("begun"), Begun::First);
        let record = queue.request("r1").await.expect("asked").expect("a record");
        assert_eq!((record.state, record.request), (RequestState::Processing, Some(claim.payload.clone())));
        assert_eq!(queue.depth().await.expect("depth"), QueueDepth { waiting: 0, claimed: 1, dead: 0 });
        queue.settle(&claim, answered(request("r1"), "{\"a\":1}")).await.expect("settled");

        let answer = broker.next("responses").await;
        assert_eq!(answer.data, b"{\"a\":1}");
        let properties = answer.properties;
        assert_eq!(properties.correlation_id(), &Some("corr-7".into()));
        assert_eq!(properties.message_id(), &Some("r1".into()));
        assert_eq!(properties.content_type(), &Some("application/json".into()));
        assert_eq!(properties.delivery_mode(), &Some(2));
        let record = queue.request("r1").await.expect("asked").expect("a record");
        assert_eq!((record.state, record.response.as_deref()), (RequestState::Completed, Some(&b"{\"a\":1}"[..])));
        assert_eq!(queue.depth().await.expect("depth"), QueueDepth::default());
        let error = queue.settle(&claim, answered(request("r1"), "again")).await.expect_err("settled twice");
        assert_eq!(error.kind(), ErrorKind::Conflict);
    })
    .await;
}

#[tokio::test]
async fn a_reply_queue_gets_the_answer() {
    Broker::with(|broker| async move {
        let mine = broker.declare("mine").await;
        broker.produce("job", BasicProperties::default().with_reply_to(mine.as_str().into())).await;
        let queue = broker.queue();
        let claim = claim_one(&queue).await;
        assert_eq!(claim.reply_to.as_deref(), Some(mine.as_str()));
        let request = request_to("r1", &mine);
        queue.begin(&claim, &request).await.expect("begun");
        queue.settle(&claim, answered(request, "for me")).await.expect("settled");
        let answer = broker.next("mine").await;
        assert_eq!((answer.data.as_slice(), answer.properties.correlation_id()), (&b"for me"[..], &Some("r1".into())));
        assert!(broker.now("responses").await.is_none());
    })
    .await;
}

#[tokio::test]
async fn direct_reply_to_works() {
    Broker::with(|broker| async move {
        let direct = "amq.rabbitmq.reply-to";
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consuming = broker.channel.basic_consume(direct.into(), "me".into(), options, FieldTable::default());
        let mut replies = consuming.await.expect("direct reply-to");
        broker.produce("job", BasicProperties::default().with_reply_to(direct.into())).await;
        let queue = broker.queue();
        let claim = claim_one(&queue).await;
        let request = request_to("r1", claim.reply_to.as_deref().expect("a name for direct replies"));
        queue.begin(&claim, &request).await.expect("begun");
        queue.settle(&claim, answered(request, "directly")).await.expect("settled");
        let reply = tokio::time::timeout(SOON, replies.next()).await.expect("in time").expect("one").expect("whole");
        assert_eq!(reply.data, b"directly");
        assert!(broker.now("responses").await.is_none());
    })
    .await;
}

#[tokio::test]
async fn what_is_no_queue_for_answers_gets_none() {
    Broker::with(|broker| async move {
        let queue = broker.queue();
        let (requests, dead, gone) = (broker.named("requests"), broker.named("dead"), broker.named("gone"));
        let long = "x".repeat(300);
        for (number, hostile) in
            [requests.as_str(), &dead, &gone, "amq.direct", "amq.rabbitmq.reply-to", &long].into_iter().enumerate()
        {
            let id = format!("r{number}");
            broker.produce(&id, BasicProperties::default()).await;
            let claim = claim_one(&queue).await;
            queue.begin(&claim, &request_to(&id, hostile)).await.expect("begun");
            queue.settle(&claim, answered(request_to(&id, hostile), &id)).await.expect(hostile);
            assert_eq!(broker.next("responses").await.data, id.as_bytes(), "{hostile}");
        }
        assert_eq!(queue.depth().await.expect("depth"), QueueDepth::default());
    })
    .await;
}

#[tokio::test]
async fn dead_letters_keep_their_bytes_and_say_why() {
    Broker::with(|broker| async move {
        let mut headers = FieldTable::default();
        headers.insert(
            "CC".into(),
            AMQPValue::FieldArray(vec![AMQPValue::LongString(broker.named("responses").into())].into()),
        );
        let queue = broker.queue();
        queue.depth().await.expect("queues declared");
        let properties = BasicProperties::default().with_correlation_id("c".into()).with_user_id("guest".into());
        broker.produce("not \u{0} a job", properties).await;
        let claim = claim_one(&queue).await;
        queue
            .settle(&claim, Settlement::Dead { reason: "it is no JSON".to_owned(), answer: None })
            .await
            .expect("laid aside");
        assert_eq!(queue.depth().await.expect("depth"), QueueDepth { waiting: 0, claimed: 0, dead: 1 });
        let letter = broker.next("dead").await;
        assert_eq!(letter.data, "not \u{0} a job".as_bytes());
        assert_eq!(letter.properties.correlation_id(), &Some("c".into()));
        let reason = letter.properties.headers().as_ref().and_then(|headers| headers.inner().get("reason")).cloned();
        assert_eq!(reason, Some(AMQPValue::LongString("it is no JSON".into())));
        assert!(broker.now("responses").await.is_none());
    })
    .await;
}

#[tokio::test]
async fn pushes_are_taken_once_and_within_their_limits() {
    Broker::with(|broker| async move {
        let mut config = broker.config();
        config.max_depth = 2;
        config.max_bytes = 100;
        let queue = broker.queue_by(config);
        queue.push(job("a")).await.expect("pushed");
        queue.push(job("a")).await.expect("dropped in silence");
        queue.push(job("b")).await.expect("pushed");
        assert_eq!(queue.depth().await.expect("depth").waiting, 2);
        assert_eq!(queue.push(job("c")).await.expect_err("full").kind(), ErrorKind::RateLimited);
        queue.push(job("a")).await.expect("known, so not refused");
        let large = gateway_core::Job { payload: vec![b'x'; 101].into(), ..job("d") };
        assert_eq!(queue.push(large).await.expect_err("large").kind(), ErrorKind::TooLarge);
        assert_eq!(queue.push(job("bad id")).await.expect_err("bad").kind(), ErrorKind::InvalidRequest);
        let record = queue.request("a").await.expect("asked").expect("a record");
        assert_eq!((record.state, record.request.as_deref()), (RequestState::Queued, Some(&b"job a"[..])));
        assert_eq!(queue.request("c").await.expect("asked"), None);
        let claims = queue.claim(5, Duration::ZERO).await.expect("claimed");
        let payloads: Vec<&[u8]> = claims.iter().map(|claim| claim.payload.as_ref()).collect();
        assert_eq!(payloads, [b"job a", b"job b"]);
    })
    .await;
}

#[tokio::test]
async fn a_queue_that_an_operator_has_declared_is_taken_as_it_is() {
    Broker::with(|broker| async move {
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-priority".into(), AMQPValue::ShortShortUInt(9));
        let options = lapin::options::QueueDeclareOptions::durable();
        broker.channel.queue_declare(broker.named("requests").into(), options, arguments).await.expect("declared");
        let queue = broker.queue();
        queue.push(job("normal")).await.expect("pushed");
        let urgent = gateway_core::Job { priority: gateway_core::Priority::Urgent, ..job("urgent") };
        queue.push(urgent).await.expect("pushed");
        assert_eq!(claim_one(&queue).await.payload.as_ref(), b"job urgent");
    })
    .await;
}

#[tokio::test]
async fn queues_that_are_deleted_are_declared_again() {
    Broker::with(|broker| async move {
        let queue = broker.queue();
        queue.push(job("a")).await.expect("pushed");
        let claim = claim_one(&queue).await;
        queue.begin(&claim, &request("a")).await.expect("begun");
        for name in ["requests", "responses"] {
            broker.channel.queue_delete(broker.named(name).into(), Default::default()).await.expect("deleted");
        }
        assert_eq!(queue.push(job("b")).await.expect_err("gone").kind(), ErrorKind::Unavailable);
        queue.push(job("b")).await.expect("declared again");
        queue.settle(&claim, answered(request("a"), "late")).await.expect("its record is alive");
        assert_eq!(broker.next("responses").await.data, b"late");
        assert_eq!(claim_one(&queue).await.payload.as_ref(), b"job b");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_password_is_told_without_it() {
    Broker::with(|broker| async move {
        broker.declare("requests").await;
        let mut config = broker.config();
        config.url = gateway_core::Secret::new("amqp://guest:s3cret@127.0.0.1:5672");
        let queue = broker.queue_by(config);
        let error = queue.push(job("a")).await.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(!format!("{error:?} {queue:?}").contains("s3cret"), "{error:?}");
    })
    .await;
}
