//! One connection to a reference server, for behaviours.

use std::any::Any;
use std::fmt::Write as _;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gateway_core::{Connect, Era, Error, Listener, RawJson, Upstream, UpstreamRequest};
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use super::TransportCase;
use crate::fakes::RecordedEvents;

/// How long something that must happen may take.
pub(super) const SOON: Duration = Duration::from_secs(10);

/// A live connection.
pub(super) struct Link {
    pub upstream: Arc<dyn Upstream>,
    pub events: Arc<RecordedEvents>,
    /// The server's name, which no other server has.
    pub name: String,
    _guard: Box<dyn Any + Send + Sync>,
}

/// What connecting takes besides the server's arguments.
#[derive(Default)]
pub(super) struct Extras {
    pub remembered_era: Option<Era>,
    pub events: RecordedEvents,
    pub max_message_bytes: Option<usize>,
}

impl TransportCase {
    /// Connects to a reference server that is started with `arguments`.
    pub(super) async fn open(&self, arguments: &[&str]) -> Result<Link, String> {
        self.open_with(arguments, Extras::default()).await
    }

    pub(super) async fn open_with(&self, arguments: &[&str], extras: Extras) -> Result<Link, String> {
        let connecting = self.try_open(arguments, extras);
        connecting.await.map_err(|error| format!("connect {arguments:?} failed: {error:?}"))
    }

    pub(super) async fn try_open(&self, arguments: &[&str], extras: Extras) -> Result<Link, Error> {
        let name = format!("testkit-{}", Uuid::new_v4().simple());
        let mut all = vec!["--name", name.as_str()];
        all.extend(arguments);
        let target = (self.target)(&all);
        let events = Arc::new(extras.events);
        let mut limits = target.spec.limits().clone();
        limits.max_message_bytes = extras.max_message_bytes.unwrap_or(limits.max_message_bytes);
        let connect = Connect {
            spec: Arc::new(target.spec.with_limits(limits)),
            remembered_era: extras.remembered_era,
            client_capabilities: RawJson::empty_object(),
            events: Arc::clone(&events) as _,
        };
        let upstream = self.transport.connect(connect).await?;
        Ok(Link { upstream, events, name, _guard: target.guard })
    }
}

impl Link {
    pub(super) async fn call(&self, tool: &str, arguments: &str) -> Result<RawJson, Error> {
        self.request(tool, arguments, None).await
    }

    /// Calls a tool that answers with text, and returns the text.
    pub(super) async fn text(&self, tool: &str, arguments: &str) -> Result<String, String> {
        let result = soon(tool, self.call(tool, arguments)).await?;
        text_of(&result.map_err(|error| format!("{tool} failed: {error:?}"))?)
    }

    pub(super) async fn heard_by(&self, listener: Listener, tool: &str, arguments: &str) -> Result<RawJson, Error> {
        self.request(tool, arguments, Some(listener)).await
    }

    async fn request(&self, tool: &str, arguments: &str, listener: Option<Listener>) -> Result<RawJson, Error> {
        let params = json(format!(r#"{{"name":"{tool}","arguments":{arguments}}}"#));
        self.upstream.request(UpstreamRequest { listener, ..UpstreamRequest::new("tools/call", params) }).await
    }

    /// How many requests the server has under way besides this one, and how many were cancelled.
    pub(super) async fn counts(&self) -> Result<Counts, String> {
        let text = self.text("cancelled", "{}").await?;
        serde_json::from_str(&text).map_err(|error| format!("{text}: {error}"))
    }

    /// Calls a tool that does not answer, beside everything else, and waits until the server has it.
    pub(super) async fn start(&self, tool: &'static str) -> Result<Started, String> {
        let upstream = Arc::clone(&self.upstream);
        let params = json(format!(r#"{{"name":"{tool}"}}"#));
        let before = self.counts().await?.running;
        let mut call = JoinSet::new();
        call.spawn(async move { upstream.request(UpstreamRequest::new("tools/call", params)).await });
        eventually("the server has the request", || async { Ok(self.counts().await?.running > before) }).await?;
        Ok(Started(call))
    }
}

/// A call under way. Dropping this drops the call.
pub(super) struct Started(JoinSet<Result<RawJson, Error>>);

impl Started {
    /// Whether it has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        self.0.try_join_next().is_some()
    }

    /// Its answer.
    pub(super) async fn answer(mut self) -> Result<Result<RawJson, Error>, String> {
        let ended = soon("a call under way", self.0.join_next()).await?;
        ended.ok_or("the call has ended before")?.map_err(|error| error.to_string())
    }
}

/// What the tool `cancelled` tells.
#[derive(Debug, Deserialize)]
pub(super) struct Counts {
    pub cancelled: u64,
    pub running: u64,
}

pub(super) fn json(text: impl Into<String>) -> RawJson {
    RawJson::parse(text.into()).expect("a behaviour writes valid JSON")
}

/// The text of the first part of a result's content.
pub(super) fn text_of(result: &RawJson) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Shape {
        content: Vec<Part>,
    }
    #[derive(Deserialize)]
    struct Part {
        text: String,
    }
    let shape: Shape = result.read().map_err(|error| format!("the result is no text: {error}"))?;
    shape.content.into_iter().next().map(|part| part.text).ok_or_else(|| "the result has no content".to_owned())
}

/// Waits until `holds`, for a while.
pub(super) async fn eventually<F>(what: &str, holds: impl Fn() -> F) -> Result<(), String>
where
    F: Future<Output = Result<bool, String>>,
{
    let end = Instant::now() + SOON;
    while !holds().await? {
        if Instant::now() > end {
            return Err(format!("within {SOON:?} it did not happen that {what}"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Waits for `work`, for a while.
pub(super) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> Result<T, String> {
    tokio::time::timeout(SOON, work).await.map_err(|_| format!("{what} took more than {SOON:?}"))
}

/// Processes of this machine whose arguments hold `name`, without zombies (Linux).
pub(super) fn processes_named(name: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|id: &u32| {
            let arguments = std::fs::read(Path::new("/proc").join(id.to_string()).join("cmdline"));
            String::from_utf8_lossy(&arguments.unwrap_or_default()).contains(name)
        })
        .collect()
}

/// An array of arguments for a table of requests.
pub(super) fn numbered(text: &str, number: usize, pause_ms: usize) -> String {
    let mut arguments = String::new();
    write!(arguments, r#"{{"text":"{text} {number}","ms":{pause_ms}}}"#).expect("writing to a String does not fail");
    arguments
}
