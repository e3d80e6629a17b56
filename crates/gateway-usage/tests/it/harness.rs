//! A gateway that is counted, and a clock that is set by hand.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use gateway_core::{
    Admission, Context, EngineConfig, Error, Gateway, RawJson, SearchRequest, ToolCall, ToolReply, Usage as _,
    UsageGroup, UsageQuery, UsageReport, UsageStore,
};
use gateway_testkit::fakes::{FakeServer, gateway_with};
use gateway_usage::{Clock, UsageConfig, UsageRecorder};

/// 17 seconds into a minute, 20 minutes into an hour.
pub const NOON: u64 = 1_764_001_217;

/// A clock that stands until it is set.
#[derive(Clone, Debug)]
pub struct HandClock(Arc<AtomicU64>);

impl HandClock {
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(NOON)))
    }

    pub fn clock(&self) -> Clock {
        let seconds = Arc::clone(&self.0);
        Arc::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.load(SeqCst)))
    }

    pub fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, SeqCst);
    }
}

/// A gateway whose calls and searches are counted.
pub struct Counted {
    pub gateway: Gateway,
    pub recorder: Arc<UsageRecorder>,
    pub clock: HandClock,
}

impl Counted {
    /// With these servers.
    pub async fn new(servers: &[(&str, &FakeServer)]) -> Self {
        Self::with(servers, UsageConfig::default(), HandClock::new(), None).await
    }

    /// With everything chosen.
    pub async fn with(
        servers: &[(&str, &FakeServer)],
        config: UsageConfig,
        clock: HandClock,
        store: Option<Arc<dyn UsageStore>>,
    ) -> Self {
        let recorder = UsageRecorder::new(config).with_clock(clock.clock());
        let recorder = match store {
            Some(store) => recorder.with_store(store),
            None => recorder,
        };
        let recorder = Arc::new(recorder);
        let gateway = gateway_with(servers, EngineConfig::default(), |builder| {
            builder.with_layer(recorder.layer()).with_feedback(Arc::<UsageRecorder>::clone(&recorder) as _)
        })
        .await;
        Self { gateway, recorder, clock }
    }

    pub async fn call(&self, context: &Context, tool: &str, arguments: &str) -> Result<ToolReply, Error> {
        let arguments = RawJson::parse(arguments.to_owned()).expect("valid JSON");
        self.gateway.call(context, ToolCall::new(tool, arguments)).await
    }

    pub async fn search(&self, context: &Context, query: &str) -> usize {
        let request = SearchRequest { query: query.to_owned(), limit: 5, min_score: 0.0, servers: None };
        self.gateway.search(context, request).await.expect("a good search").matches.len()
    }

    /// A caller at a door.
    pub async fn caller(&self, door: &'static str, session_id: Option<String>) -> Context {
        let admission =
            Admission { door, session_id, request_id: format!("request-at-{door}"), ..Admission::default() };
        self.gateway.admit(admission).await.expect("anybody may")
    }

    pub async fn report(&self, minutes: u64, group: UsageGroup) -> UsageReport {
        let query = UsageQuery { window: Duration::from_secs(minutes * 60), group, limit: 20 };
        let tools = self.gateway.tools(&self.caller("", None).await);
        self.recorder.report(&query, &tools).await.expect("a report")
    }

    /// How many calls of which group.
    pub async fn calls(&self, minutes: u64, group: UsageGroup) -> Vec<(String, u64)> {
        let rows = self.report(minutes, group).await.groups;
        rows.into_iter().map(|row| (row.key, row.counts.calls)).collect()
    }
}

/// Rows as they are easily written down.
pub fn rows(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(key, calls)| ((*key).to_owned(), *calls)).collect()
}

/// Keeps what is logged in this thread.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("nobody panics")).into_owned()
    }

    pub fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone()).finish();
        tracing::subscriber::set_default(subscriber)
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
