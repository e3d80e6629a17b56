//! What every queue must do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::{HeaderMap, Subscriber};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use gateway_core::{Priority, Queue as _};
use gateway_testkit::suites::{self, DeadLetter, QueueCase};
use tokio::sync::Mutex;

use crate::broker::{Broker, LEASE};

struct Nats {
    broker: Broker,
    lists: Mutex<BTreeMap<String, Subscriber>>,
}

#[async_trait]
impl suites::Broker for Nats {
    async fn produce(&self, payload: Bytes, _priority: Priority) -> Result<(), String> {
        self.broker.produce(payload, HeaderMap::new()).await;
        Ok(())
    }

    async fn reply_list(&self) -> Result<String, String> {
        let subject = self.broker.client.new_inbox();
        let subscriber = self.broker.client.subscribe(subject.clone()).await.map_err(|error| error.to_string())?;
        self.broker.client.flush().await.map_err(|error| error.to_string())?;
        self.lists.lock().await.insert(subject.clone(), subscriber);
        Ok(subject)
    }

    async fn answers(&self, list: Option<&str>) -> Result<Vec<Bytes>, String> {
        let Some(list) = list else {
            return Ok(self.broker.answers().await.into_iter().map(|message| message.payload).collect());
        };
        let mut lists = self.lists.lock().await;
        let subscriber = lists.get_mut(list).ok_or("no such list")?;
        let mut answers = Vec::new();
        while let Some(Some(message)) = subscriber.next().now_or_never() {
            answers.push(message.payload);
        }
        Ok(answers)
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, String> {
        let letters = self.broker.messages("dead", 0).await.into_iter();
        letters
            .map(|letter| {
                let reason = letter.headers.get("Reason").ok_or("a dead letter has no reason")?.to_string();
                Ok(DeadLetter { payload: letter.payload, reason })
            })
            .collect()
    }

    fn lease(&self) -> Duration {
        LEASE
    }

    fn keeps_priorities(&self) -> bool {
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_on_nats() {
    Broker::with(|all| async move {
        let numbers = AtomicU64::new(0);
        let make = move || {
            let broker = all.part(numbers.fetch_add(1, Ordering::Relaxed));
            async move {
                let (one, two) = (Arc::new(broker.queue()), Arc::new(broker.queue()));
                // A producer may come first, but needs a stream: an operator or the first gateway makes it.
                one.depth().await.expect("streams");
                QueueCase { one, two, broker: Arc::new(Nats { broker, lists: Mutex::default() }) }
            }
        };
        suites::queue(make).run().await.assert_passed();
    })
    .await;
}
