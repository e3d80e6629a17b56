//! Doors over one queue, and what can be seen of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gateway_core::{EngineConfig, Gateway, Job, Priority, Queue, RawJson};
use gateway_testkit::fakes::{self, Answer, FakeServer};
use queue_memory::{MemoryQueue, MemoryQueueConfig};
use serde_json::{Value, json};
use serve_queue::{QueueDoor, QueueDoorConfig};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// No test waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub const ODD_RESULT: &str = r#"{ "_meta":{"z":1.50e+3}, "content":[{"type":"text","text":"caf\u00e9 \"one\""},{"type":"hologram","data":[ 1 ]}],"unknown":[]}"#;

/// What the server `demo` declares. The fake answers what it has been given by name.
const TOOLS: &str = r#"{"tools":[
    {"name":"echo","description":"Repeats the message","inputSchema":{"type":"object"}},
    {"name":"odd","description":"Answers strangely","inputSchema":{"type":"object"}},
    {"name":"fail","description":"Reports an error","inputSchema":{"type":"object"}},
    {"name":"hang","description":"Never answers","inputSchema":{"type":"object"}},
    {"name":"slow","description":"Answers after a while","inputSchema":{"type":"object"}},
    {"name":"panic","description":"Falls over","inputSchema":{"type":"object"}},
    {"name":"first-hangs","description":"Charges a card","inputSchema":{"type":"object"}},
    {"name":"first-hangs-safely","description":"Reads a file","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}},
    {"name":"hang-safely","description":"Never reads a file","inputSchema":{"type":"object"},"annotations":{"idempotentHint":true}}
]}"#;

/// A server whose calls are counted, for all connections to it.
pub fn demo() -> FakeServer {
    let first_hangs = || {
        let calls = AtomicUsize::new(0);
        Answer::new(move |_, _| {
            let place = calls.fetch_add(1, Ordering::SeqCst);
            async move {
                if place == 0 {
                    std::future::pending::<()>().await;
                }
                Ok(RawJson::parse(r#"{"content":[{"type":"text","text":"done"}]}"#).expect("JSON"))
            }
        })
    };
    FakeServer::new()
        .with_tool("echo", "", Answer::echo())
        .with_tool("odd", "", Answer::result(ODD_RESULT))
        .with_tool("fail", "", Answer::result(r#"{"content":[{"type":"text","text":"no"}],"isError":true}"#))
        .with_tool("hang", "", Answer::hang())
        .with_tool("slow", "", Answer::echo().after(Duration::from_millis(900)))
        .with_tool("panic", "", Answer::new(|_, _| async { panic!("a tool's own mistake") }))
        .with_tool("first-hangs", "", first_hangs())
        .with_tool("first-hangs-safely", "", first_hangs())
        .with_tool("hang-safely", "", Answer::hang())
        .with_pages(&[TOOLS])
}

pub async fn gateway(server: &FakeServer) -> Gateway {
    fakes::gateway_with(&[("demo", server)], EngineConfig::default(), |builder| builder).await
}

pub fn memory(lease_ms: u64) -> Arc<MemoryQueue> {
    let config = MemoryQueueConfig { lease: Duration::from_millis(lease_ms), ..MemoryQueueConfig::default() };
    Arc::new(MemoryQueue::new(config))
}

/// A door at work. Dropping it kills it.
pub struct Worker {
    pub door: QueueDoor,
    pub gateway: Gateway,
    pub stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Worker {
    pub async fn start(queue: &Arc<MemoryQueue>, server: &FakeServer) -> Self {
        Self::with(queue.clone(), server, QueueDoorConfig::default(), Duration::from_secs(5)).await
    }

    pub async fn with(queue: Arc<dyn Queue>, server: &FakeServer, config: QueueDoorConfig, grace: Duration) -> Self {
        let gateway = gateway(server).await;
        Self::at(gateway, queue, config, grace)
    }

    pub fn at(gateway: Gateway, queue: Arc<dyn Queue>, config: QueueDoorConfig, grace: Duration) -> Self {
        let door = QueueDoor::new(gateway.clone(), queue, config);
        let stop = CancellationToken::new();
        let (serving, token) = (door.clone(), stop.clone());
        let serving = tokio::spawn(async move { serving.serve(&token, grace).await });
        Self { door, gateway, stop, serving }
    }

    /// As if the process had been killed: nothing more is said to the queue.
    pub async fn kill(mut self) {
        self.serving.abort();
        let _ = (&mut self.serving).await;
    }

    /// Stops in order.
    pub async fn stop(mut self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, &mut self.serving).await.expect("it stops").expect("it does not panic");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Pushes an envelope as another program does: only the envelope has the request id.
pub async fn produce(queue: &Arc<MemoryQueue>, envelope: &str) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let request_id = format!("inside-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let payload = Bytes::copy_from_slice(envelope.as_bytes());
    queue.push(Job { request_id, payload, priority: Priority::Normal }).await.expect("pushed");
}

/// Pushes a call of a tool.
pub async fn call(queue: &Arc<MemoryQueue>, id: &str, tool: &str, more: Value) {
    let mut envelope =
        json!({"request_id": id, "action": "mcp_tool_call", "payload": {"tool_name": tool, "args": {"m": id}}});
    for (key, value) in more.as_object().expect("an object") {
        envelope[key] = value.clone();
    }
    produce(queue, &envelope.to_string()).await;
}

/// The next answer in a list.
pub async fn answer_in(queue: &MemoryQueue, list: Option<&str>) -> Value {
    let begin = Instant::now();
    loop {
        let answers = queue.take_answers(list);
        assert!(answers.len() <= 1, "one answer, not {}", answers.len());
        if let Some(answer) = answers.first() {
            return serde_json::from_slice(answer).expect("an answer is JSON");
        }
        assert!(begin.elapsed() < PATIENCE, "no answer comes");
        sleep(Duration::from_millis(5)).await;
    }
}

pub async fn answer(queue: &MemoryQueue) -> Value {
    answer_in(queue, None).await
}

/// Pushes an envelope, and returns its answer.
pub async fn ask(queue: &Arc<MemoryQueue>, envelope: Value) -> Value {
    produce(queue, &envelope.to_string()).await;
    answer(queue).await
}

/// Waits until something is so.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "{what} did not come true");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until the queue is empty and nobody holds anything.
pub async fn settled(queue: &MemoryQueue) {
    let begin = Instant::now();
    loop {
        let depth = queue.depth().await.expect("known");
        if depth.waiting + depth.claimed == 0 {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "the queue does not become empty: {depth:?}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Checks that an answer is an error of a kind, and returns what it says.
#[track_caller]
pub fn error(answer: &Value, kind: &str) -> String {
    assert_eq!((&answer["status"], &answer["kind"]), (&json!("error"), &json!(kind)), "{answer}");
    assert_eq!(answer["result"], Value::Null, "{answer}");
    answer["error"].as_str().expect("a sentence").to_owned()
}
