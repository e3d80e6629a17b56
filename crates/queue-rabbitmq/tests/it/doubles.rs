//! Several jobs with one request id.

use gateway_core::{Begun, ErrorKind, Queue as _, QueueDepth};
use lapin::BasicProperties;

use crate::broker::{Broker, answered, claim_one, request, request_to};

#[tokio::test]
async fn a_double_gets_the_first_ones_answer_where_it_asks_for_it() {
    Broker::with(|broker| async move {
        let queue = broker.queue();
        let other = broker.declare("other").await;
        for _ in 0..2 {
            broker.produce("job", BasicProperties::default()).await;
        }
        broker.produce("job", BasicProperties::default().with_correlation_id("mine".into())).await;
        let first = claim_one(&queue).await;
        assert_eq!(queue.begin(&first, &request("a")).await.expect("begun"), Begun::First);
        let second = claim_one(&queue).await;
        assert_eq!(queue.begin(&second, &request("a")).await.expect("begun"), Begun::Duplicate);
        let third = claim_one(&queue).await;
        assert_eq!(queue.begin(&third, &request_to("a", &other)).await.expect("begun"), Begun::Duplicate);
        let error = queue.settle(&second, answered(request("a"), "no")).await.expect_err("it is gone");
        assert_eq!(error.kind(), ErrorKind::Conflict);
        queue.settle(&first, answered(request("a"), "yes")).await.expect("settled");
        assert_eq!(broker.next("responses").await.data, b"yes");
        let elsewhere = broker.next("other").await;
        assert_eq!(
            (elsewhere.data.as_slice(), elsewhere.properties.correlation_id()),
            (&b"yes"[..], &Some("mine".into()))
        );
        assert!(broker.now("responses").await.is_none() && broker.now("other").await.is_none(), "a second answer");
        assert_eq!(queue.depth().await.expect("depth"), QueueDepth::default());
    })
    .await;
}

#[tokio::test]
async fn a_double_that_comes_late_gets_the_answer_that_is_kept() {
    Broker::with(|broker| async move {
        let queue = broker.queue();
        broker.produce("job", BasicProperties::default()).await;
        let first = claim_one(&queue).await;
        queue.begin(&first, &request("a")).await.expect("begun");
        queue.settle(&first, answered(request("a"), "yes")).await.expect("settled");
        assert_eq!(broker.next("responses").await.data, b"yes");
        // The same queue has it already; another has not.
        let mine = broker.declare("mine").await;
        for (asked, there) in [(request("a"), false), (request_to("a", &mine), true)] {
            broker.produce("job", BasicProperties::default()).await;
            let claim = claim_one(&queue).await;
            assert_eq!(queue.begin(&claim, &asked).await.expect("begun"), Begun::Duplicate);
            let came = broker.now("mine").await.map(|answer| answer.data);
            assert_eq!(came.as_deref(), there.then_some(&b"yes"[..]));
        }
        assert!(broker.now("responses").await.is_none(), "a second answer");
        assert_eq!(queue.depth().await.expect("depth"), QueueDepth::default());
    })
    .await;
}
