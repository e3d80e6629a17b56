//! Somebody who counts, and a queue, that say what a test wants.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use gateway_core::{
    Begun, Claim, Error, ErrorKind, Job, Latency, QueryCount, Queue, QueueDepth, QueuedRequest, RequestRecord, Result,
    SearchLed, SearchUsage, Settlement, ToolEntry, Usage, UsageCounts, UsageEvent, UsageEventKind, UsagePoint,
    UsageQuery, UsageReport, UsageRow,
};
use tokio::sync::broadcast;

/// Reports the same numbers whatever happens, and tells events that a test makes.
#[derive(Debug)]
pub struct FakeUsage {
    events: broadcast::Sender<Arc<UsageEvent>>,
    pub asked: Mutex<Vec<UsageQuery>>,
}

impl FakeUsage {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { events: broadcast::channel(16).0, asked: Mutex::default() })
    }

    /// Something happens.
    pub fn tell(&self, query: &str) {
        let event = UsageEvent {
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(3661),
            request_id: "r-1".to_owned(),
            door: "mcp",
            caller: "somebody".to_owned(),
            session_id: Some("sess_0123456789abcdef0123".to_owned()),
            what: UsageEventKind::Search { query: query.to_owned(), matches: 3, best_score: 0.75 },
            outcome: "ok",
            error: None,
            took: Duration::from_micros(410),
        };
        let _ = self.events.send(Arc::new(event));
    }

    /// How many read the live log.
    pub fn listeners(&self) -> usize {
        self.events.receiver_count()
    }
}

fn counts(calls: u64) -> UsageCounts {
    let latency = Latency { p50_ms: 12.5, p90_ms: 40.0, p95_ms: 80.0, p99_ms: 120.0, max_ms: 300.0, mean_ms: 20.0 };
    UsageCounts { calls, errors: calls / 10, tool_errors: calls / 20, latency, ..UsageCounts::default() }
}

#[async_trait]
impl Usage for FakeUsage {
    async fn report(&self, query: &UsageQuery, tools: &[ToolEntry]) -> Result<UsageReport> {
        self.asked.lock().expect("no test panics with it").push(query.clone());
        if query.window > Duration::from_secs(100_000) {
            return Err(Error::new(ErrorKind::InvalidRequest, "only a day is kept (usage.retention_days)"));
        }
        let until = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let from = until - query.window;
        let step = query.window / 60;
        let point = |place: u32| UsagePoint { at: from + step * place, counts: counts(u64::from(place)), searches: 1 };
        let row = |key: &str| UsageRow { key: key.to_owned(), counts: counts(40) };
        Ok(UsageReport {
            from,
            until,
            total: counts(1200),
            series: (0..60).map(point).collect(),
            groups: vec![row("demo/<b>echo"), row("")],
            failing: vec![row("demo/fail")],
            slow: vec![row("demo/slow")],
            unused: tools.iter().map(|tool| format!("{}/{}", tool.server, tool.tool.name())).take(2).collect(),
            unused_total: tools.len(),
            searches: SearchUsage {
                total: 77,
                without_match: 1,
                unmatched_queries: vec![QueryCount { query: "bake <i>a cake".to_owned(), count: 3 }],
                led_to: vec![SearchLed { query: "say it again".to_owned(), tool: "demo/echo".to_owned(), count: 9 }],
                latency: Latency::default(),
            },
        })
    }

    fn live(&self) -> broadcast::Receiver<Arc<UsageEvent>> {
        self.events.subscribe()
    }
}

/// A queue of which only the depth is asked.
#[derive(Debug)]
pub struct FakeQueue(pub Option<QueueDepth>);

#[async_trait]
impl Queue for FakeQueue {
    fn name(&self) -> &'static str {
        "fake"
    }

    async fn push(&self, _: Job) -> Result<()> {
        unreachable!("the dashboard pushes nothing")
    }

    async fn claim(&self, _: usize, _: Duration) -> Result<Vec<Claim>> {
        unreachable!("the dashboard claims nothing")
    }

    async fn begin(&self, _: &Claim, _: &QueuedRequest) -> Result<Begun> {
        unreachable!("the dashboard begins nothing")
    }

    async fn renew(&self, _: &[Claim]) -> Result<Vec<String>> {
        unreachable!("the dashboard renews nothing")
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn settle(&self, _: &Claim, _: Settlement) -> Result<()> {
        unreachable!("the dashboard settles nothing")
    }

    async fn request(&self, _: &str) -> Result<Option<RequestRecord>> {
        Ok(None)
    }

    async fn depth(&self) -> Result<QueueDepth> {
        self.0.ok_or_else(|| Error::new(ErrorKind::Unavailable, "cannot reach the <broker>"))
    }
}
