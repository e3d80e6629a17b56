//! What every queue must do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gateway_core::Priority;
use gateway_testkit::suites::{self, DeadLetter, QueueCase};
use lapin::BasicProperties;
use lapin::types::AMQPValue;
use tokio::sync::Mutex;

use crate::broker::{Broker, LEASE};

struct Rabbit {
    broker: Broker,
    lists: AtomicU64,
    dead: Mutex<Vec<DeadLetter>>,
}

#[async_trait]
impl suites::Broker for Rabbit {
    async fn produce(&self, payload: Bytes, _priority: Priority) -> Result<(), String> {
        self.broker.produce(&payload, BasicProperties::default()).await;
        Ok(())
    }

    async fn reply_list(&self) -> Result<String, String> {
        Ok(self.broker.declare(&format!("list{}", self.lists.fetch_add(1, Ordering::Relaxed))).await)
    }

    async fn answers(&self, list: Option<&str>) -> Result<Vec<Bytes>, String> {
        let own = self.broker.declare("responses").await;
        let mut answers = Vec::new();
        while let Some(answer) = self.broker.take(list.unwrap_or(&own)).await {
            answers.push(answer.data.into());
        }
        Ok(answers)
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, String> {
        let mut letters = self.dead.lock().await;
        let queue = self.broker.declare("dead").await;
        while let Some(letter) = self.broker.take(&queue).await {
            let headers = letter.properties.headers().as_ref().ok_or("a dead letter has no headers")?;
            let Some(AMQPValue::LongString(reason)) = headers.inner().get("reason") else {
                return Err(format!("a dead letter has no reason in {headers:?}"));
            };
            letters.push(DeadLetter { payload: letter.data.into(), reason: reason.to_string() });
        }
        Ok(letters.clone())
    }

    fn lease(&self) -> Duration {
        LEASE
    }

    fn keeps_priorities(&self) -> bool {
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_on_rabbitmq() {
    Broker::with(|all| async move {
        let numbers = AtomicU64::new(0);
        let make = move || {
            let broker = all.part(numbers.fetch_add(1, Ordering::Relaxed));
            async move {
                let (one, two) = (Arc::new(broker.queue()), Arc::new(broker.queue()));
                let (lists, dead) = (AtomicU64::new(0), Mutex::default());
                QueueCase { one, two, broker: Arc::new(Rabbit { broker, lists, dead }) }
            }
        };
        suites::queue(make).run().await.assert_passed_except(&[(
            "the_depth_counts_what_waits_is_claimed_and_is_dead",
            "AMQP does not tell how many messages others hold: a gateway counts its own",
        )]);
    })
    .await;
}
