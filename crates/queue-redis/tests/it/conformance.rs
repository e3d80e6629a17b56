//! What every queue must do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gateway_core::Priority;
use gateway_testkit::suites::{self, Broker, DeadLetter, QueueCase};
use queue_redis::{RedisQueue, RedisQueueConfig};
use serde_json::Value;

use crate::stage::Stage;

const LEASE: Duration = Duration::from_millis(1_000);

/// The queue as a client of Redis sees it.
struct PlainClient {
    stage: Mutex<Stage>,
    agent_queues: bool,
}

#[async_trait]
impl Broker for PlainClient {
    async fn produce(&self, payload: Bytes, priority: Priority) -> Result<(), String> {
        let mut stage = self.stage.lock().map_err(|error| error.to_string())?;
        let list = if self.agent_queues { stage.names.agent_queue(priority) } else { stage.names.requests.clone() };
        stage.run(redis::cmd("LPUSH").arg(list).arg(&*payload))
    }

    async fn reply_list(&self) -> Result<String, String> {
        Ok(self.stage.lock().map_err(|error| error.to_string())?.name(&uuid::Uuid::new_v4().to_string()))
    }

    async fn answers(&self, list: Option<&str>) -> Result<Vec<Bytes>, String> {
        let mut stage = self.stage.lock().map_err(|error| error.to_string())?;
        let list = list.map_or_else(|| stage.names.responses.clone(), str::to_owned);
        let taken: Option<Vec<Vec<u8>>> = stage.run(redis::cmd("RPOP").arg(list).arg(1_000))?;
        Ok(taken.unwrap_or_default().into_iter().map(Bytes::from).collect())
    }

    async fn dead_letters(&self) -> Result<Vec<DeadLetter>, String> {
        let mut stage = self.stage.lock().map_err(|error| error.to_string())?;
        let dead = stage.names.dead.clone();
        let read = |letter: &String| {
            let letter: Value = serde_json::from_str(letter).map_err(|error| error.to_string())?;
            let payload = match (letter["payload"].as_str(), letter["payload_base64"].as_str()) {
                (Some(text), None) => Bytes::copy_from_slice(text.as_bytes()),
                (None, Some(bytes)) => STANDARD.decode(bytes).map_err(|error| error.to_string())?.into(),
                _ => return Err(format!("{letter} has no payload, or two")),
            };
            Ok(DeadLetter { payload, reason: letter["reason"].as_str().unwrap_or_default().to_owned() })
        };
        stage.list(&dead).iter().rev().map(read).collect()
    }

    fn lease(&self) -> Duration {
        LEASE
    }

    fn keeps_priorities(&self) -> bool {
        self.agent_queues
    }
}

async fn check(agent_queues: bool) {
    let make = move || async move {
        let stage = Stage::new();
        let open = || {
            let config = RedisQueueConfig { lease: LEASE, agent_queues, ..stage.config() };
            Arc::new(RedisQueue::new(config).expect("the settings are right"))
        };
        let (one, two) = (open(), open());
        QueueCase { one, two, broker: Arc::new(PlainClient { stage: Mutex::new(stage), agent_queues }) }
    };
    suites::queue(make).run().await.assert_passed();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_does_what_every_queue_must_do() {
    check(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_lists_of_four_priorities_it_does_so_too() {
    check(true).await;
}
