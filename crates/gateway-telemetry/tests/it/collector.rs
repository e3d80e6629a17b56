//! A collector that remembers what it is sent (OTLP over HTTP).

use std::io::Read as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub struct Collector {
    pub address: String,
    got: Arc<Mutex<Got>>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Got {
    spans: Vec<Seen>,
    resource: Vec<KeyValue>,
    headers: Vec<HeaderMap>,
    bytes: Vec<u8>,
    /// Answers that it gives before it takes anything.
    refusals: Vec<StatusCode>,
}

/// A span in words.
#[derive(Clone, Debug)]
pub struct Seen {
    pub name: String,
    /// 32 hex digits.
    pub trace: String,
    /// 16 hex digits.
    pub id: String,
    pub parent: String,
    pub state: String,
    pub kind: i32,
    pub is_error: bool,
    attributes: Vec<KeyValue>,
}

impl Seen {
    fn of(span: Span) -> Self {
        Self {
            name: span.name,
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            state: span.trace_state,
            kind: span.kind,
            is_error: span.status.is_some_and(|status| status.code == 2),
            attributes: span.attributes,
        }
    }

    /// An attribute as text.
    pub fn says(&self, key: &str) -> Option<String> {
        value_of(&self.attributes, key)
    }

    /// `traceparent` of what is done within it.
    pub fn place(&self) -> String {
        format!("00-{}-{}-01", self.trace, self.id)
    }
}

impl Collector {
    pub async fn start() -> Self {
        let got = Arc::<Mutex<Got>>::default();
        let app = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&got));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        Self { address, got, serving }
    }

    /// Refuses the next requests with these.
    pub fn refuse(&self, refusals: &[StatusCode]) {
        self.got.lock().expect("no panic").refusals.extend(refusals);
    }

    pub fn spans(&self) -> Vec<Seen> {
        self.got.lock().expect("no panic").spans.clone()
    }

    /// The only span of this name.
    pub fn span(&self, name: &str) -> Seen {
        let spans = self.spans();
        let mut named = spans.iter().filter(|span| span.name == name);
        match (named.next(), named.next()) {
            (Some(span), None) => span.clone(),
            _ => panic!("there is not one `{name}` in {spans:#?}"),
        }
    }

    pub fn resource(&self, key: &str) -> Option<String> {
        value_of(&self.got.lock().expect("no panic").resource, key)
    }

    pub fn headers(&self) -> Vec<HeaderMap> {
        self.got.lock().expect("no panic").headers.clone()
    }

    /// Whether a text stands anywhere in what came.
    pub fn has_heard(&self, text: &str) -> bool {
        let got = self.got.lock().expect("no panic");
        got.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(got): State<Arc<Mutex<Got>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut got = got.lock().expect("no panic");
    if !got.refusals.is_empty() {
        return got.refusals.remove(0);
    }
    let mut text = Vec::new();
    if headers.get("content-encoding").is_some_and(|coding| coding == "gzip") {
        flate2::read::GzDecoder::new(&*body).read_to_end(&mut text).expect("is gzip");
    } else {
        text.extend_from_slice(&body);
    }
    got.headers.push(headers);
    let request = ExportTraceServiceRequest::decode(text.as_slice()).expect("is OTLP");
    got.bytes.extend(text);
    for resource in request.resource_spans {
        got.resource = resource.resource.map(|resource| resource.attributes).unwrap_or_default();
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        got.spans.extend(spans.map(Seen::of));
    }
    StatusCode::OK
}

fn value_of(pairs: &[KeyValue], key: &str) -> Option<String> {
    let value = pairs.iter().rfind(|pair| pair.key == key)?.value.clone()?.value?;
    Some(match value {
        any_value::Value::StringValue(text) => text,
        any_value::Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
