//! What counting costs a call: `cargo bench -p gateway-usage`.
//!
//! `call` is the layer round a call that is answered at once, beside `nothing`, the same without the layer: their difference is the price. With
//! several threads it is that of one call while the others do the same.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use divan::Bencher;
use futures_util::FutureExt as _;
use gateway_core::{
    Admission, Call, Context, Feedback as _, Invoke, Layer, RawJson, Result, ToolCall, ToolSearch, Usage as _,
    UsageGroup, UsageQuery,
};
use gateway_testkit::fakes::{Answer, FakeServer, gateway_with};
use gateway_usage::{UsageConfig, UsageRecorder};

fn main() {
    divan::main();
}

/// How many tools there are.
const TOOLS: usize = 100;

/// Answers at once.
#[derive(Debug)]
struct AtOnce(RawJson);

#[async_trait]
impl Invoke for AtOnce {
    async fn invoke(&self, _context: &Context, _call: &Call) -> Result<RawJson> {
        Ok(self.0.clone())
    }
}

/// Keeps the calls of a gateway.
#[derive(Debug, Default)]
struct Seen(Mutex<Vec<Call>>);

#[derive(Debug)]
struct SeenLayer(Arc<Seen>);

#[derive(Debug)]
struct Seeing(Arc<Seen>, Arc<dyn Invoke>);

impl Layer for SeenLayer {
    fn layer(&self, inner: Arc<dyn Invoke>) -> Arc<dyn Invoke> {
        Arc::new(Seeing(Arc::clone(&self.0), inner))
    }
}

#[async_trait]
impl Invoke for Seeing {
    async fn invoke(&self, context: &Context, call: &Call) -> Result<RawJson> {
        self.0.0.lock().expect("nobody panics").push(call.clone());
        self.1.invoke(context, call).await
    }
}

/// A caller, and a call of each tool with some arguments.
fn calls() -> (Context, Vec<Call>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    runtime.block_on(async {
        let server = (0..TOOLS)
            .fold(FakeServer::new(), |server, tool| server.with_tool(&format!("get_thing_{tool}"), "", Answer::echo()));
        let seen = Arc::new(Seen::default());
        let gateway = gateway_with(&[("some-server", &server)], Default::default(), |builder| {
            builder.with_layer(Arc::new(SeenLayer(Arc::clone(&seen))))
        })
        .await;
        let admission = Admission { door: "rest", request_id: "a-request".to_owned(), ..Admission::default() };
        let context = gateway.admit(admission).await.expect("anybody may");
        for tool in 0..TOOLS {
            let arguments = RawJson::parse(r#"{"city":"Paris","days":3,"units":"metric"}"#).expect("JSON");
            let call = ToolCall::new(format!("get_thing_{tool}"), arguments);
            gateway.call(&context, call).await.expect("answered");
        }
        let calls = std::mem::take(&mut *seen.0.lock().expect("nobody panics"));
        (context, calls)
    })
}

/// A result of so many bytes.
fn result(bytes: usize) -> RawJson {
    let text = "it will rain ".repeat(bytes / 13 + 1);
    RawJson::parse(format!(r#"{{"content":[{{"type":"text","text":"{text}"}}],"isError":false}}"#)).expect("JSON")
}

fn run(bencher: Bencher<'_, '_>, invoke: &dyn Invoke) {
    let (context, calls) = calls();
    let next = std::sync::atomic::AtomicUsize::new(0);
    bencher.bench(|| {
        let place = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % calls.len();
        invoke.invoke(&context, &calls[place]).now_or_never().expect("answered at once").is_ok()
    });
}

#[divan::bench(args = [1_000, 100_000], threads = [1, 2])]
fn nothing(bencher: Bencher<'_, '_>, bytes: usize) {
    run(bencher, &AtOnce(result(bytes)));
}

#[divan::bench(args = [1_000, 100_000], threads = [1, 2])]
fn call(bencher: Bencher<'_, '_>, bytes: usize) {
    let recorder = Arc::new(UsageRecorder::new(UsageConfig::default()));
    run(bencher, &*recorder.layer().layer(Arc::new(AtOnce(result(bytes)))));
}

#[divan::bench]
fn call_while_somebody_listens(bencher: Bencher<'_, '_>) {
    let recorder = Arc::new(UsageRecorder::new(UsageConfig::default()));
    let _live = recorder.live();
    run(bencher, &*recorder.layer().layer(Arc::new(AtOnce(result(1_000)))));
}

#[divan::bench]
fn search_in_vain(bencher: Bencher<'_, '_>) {
    let recorder = UsageRecorder::new(UsageConfig::default());
    let (context, _) = calls();
    let took = Duration::from_micros(40);
    bencher.bench(|| {
        recorder.searched(&ToolSearch { context: &context, query: "book a flight to Paris", matches: &[], took });
    });
}

/// A report of the last hour, after a hundred thousand calls of a hundred tools.
#[divan::bench]
fn report(bencher: Bencher<'_, '_>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime starts");
    let recorder = Arc::new(UsageRecorder::new(UsageConfig::default()));
    let (context, calls) = calls();
    let counted = recorder.layer().layer(Arc::new(AtOnce(result(1_000))));
    for call in calls.iter().cycle().take(100_000) {
        counted.invoke(&context, call).now_or_never().expect("answered at once").expect("a result");
    }
    let query = UsageQuery { window: Duration::from_secs(3600), group: UsageGroup::Tool, limit: 20 };
    bencher.bench_local(|| runtime.block_on(recorder.report(&query, &[])).expect("a report").total.calls);
}
