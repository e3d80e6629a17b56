//! An upstream server that lives in the test's own process and does what it is told.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gateway_core::{Error, ErrorKind, Listener, Notification, RawJson, Result, UpstreamEvents};
use serde_json::json;

type Reply = Pin<Box<dyn Future<Output = Result<RawJson>> + Send>>;

/// What a tool does with its arguments.
#[derive(Clone)]
pub struct Answer(Arc<dyn Fn(RawJson, Option<Listener>) -> Reply + Send + Sync>);

impl Answer {
    /// Whatever `run` does.
    pub fn new<F, Fut>(run: F) -> Self
    where
        F: Fn(RawJson, Option<Listener>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<RawJson>> + Send + 'static,
    {
        Self(Arc::new(move |arguments, listener| Box::pin(run(arguments, listener))))
    }

    /// This result, byte for byte.
    pub fn result(text: &str) -> Self {
        let result = json(text);
        Self::new(move |_, _| std::future::ready(Ok(result.clone())))
    }

    /// One text part with the arguments' own text.
    pub fn echo() -> Self {
        Self::new(|arguments, _| std::future::ready(Ok(text_result(arguments.as_str()))))
    }

    /// This error.
    pub fn error(kind: ErrorKind, message: &'static str) -> Self {
        Self::new(move |_, _| std::future::ready(Err(Error::new(kind, message))))
    }

    /// No answer, ever.
    pub fn hang() -> Self {
        Self::new(|_, _| std::future::pending())
    }

    /// The same, later.
    #[must_use]
    pub fn after(self, pause: Duration) -> Self {
        Self::new(move |arguments, listener| {
            let answer = (self.0)(arguments, listener);
            async move {
                tokio::time::sleep(pause).await;
                answer.await
            }
        })
    }

    /// `steps` progress notifications, then a text.
    pub fn progress(steps: usize) -> Self {
        Self::new(move |_, listener| {
            for step in 1..=steps {
                let params = json!({"progressToken": 1, "progress": step, "total": steps});
                let notification = Notification {
                    method: "notifications/progress".to_owned(),
                    params: RawJson::from_value(&params).expect("is JSON"),
                };
                if let Some(listener) = &listener {
                    listener.deliver(notification);
                }
            }
            std::future::ready(Ok(text_result("done")))
        })
    }
}

/// A scripted server. Clones are the same server.
#[derive(Clone, Default)]
pub struct FakeServer(Arc<Script>);

#[derive(Default)]
struct Script {
    tools: Mutex<Vec<(String, RawJson, Answer)>>,
    pages: Mutex<Option<Vec<RawJson>>>,
    failures: Mutex<VecDeque<Option<ErrorKind>>>,
    /// One entry for each connection that is open.
    pub(super) open: Mutex<Vec<(usize, Arc<dyn UpstreamEvents>)>>,
    connects: AtomicUsize,
    closes: AtomicUsize,
    lists: AtomicUsize,
    calls: AtomicUsize,
    cancelled: AtomicUsize,
    methods: Mutex<Vec<(String, Answer)>>,
    heard: Mutex<Vec<Notification>>,
}

impl std::fmt::Debug for FakeServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeServer").field("connects", &self.connects()).finish_non_exhaustive()
    }
}

impl FakeServer {
    /// A server without tools.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more tool.
    #[must_use]
    pub fn with_tool(self, name: &str, description: &str, answer: Answer) -> Self {
        self.add_tool(name, description, answer);
        self
    }

    /// With these `tools/list` results, page by page, instead of its tools' own. The cursor of a page
    /// is its place; write `nextCursor` into the pages.
    #[must_use]
    pub fn with_pages(self, pages: &[&str]) -> Self {
        *lock(&self.0.pages) = Some(pages.iter().map(|page| json(page)).collect());
        self
    }

    /// With an answer to another method, which gets the request's params: `resources/read`.
    #[must_use]
    pub fn with_method(self, method: &str, answer: Answer) -> Self {
        lock(&self.0.methods).push((method.to_owned(), answer));
        self
    }

    /// The next attempts to connect fail with these kinds, in this order; `None` never ends.
    #[must_use]
    pub fn with_failed_connects(self, kinds: &[Option<ErrorKind>]) -> Self {
        lock(&self.0.failures).extend(kinds);
        self
    }

    /// Adds a tool now; [`announce`](Self::announce) tells clients.
    pub fn add_tool(&self, name: &str, description: &str, answer: Answer) {
        let declaration = json!({"name": name, "description": description, "inputSchema": {"type": "object"}});
        let declaration = RawJson::from_value(&declaration).expect("is JSON");
        lock(&self.0.tools).push((name.to_owned(), declaration, answer));
    }

    /// Sends `notifications/tools/list_changed` on every open connection.
    pub fn announce(&self) {
        self.say("notifications/tools/list_changed", "{}");
    }

    /// Sends a notification on every open connection.
    pub fn say(&self, method: &str, params: &str) {
        for (_, events) in lock(&self.0.open).iter() {
            events.notified(method, json(params));
        }
    }

    /// What every open connection hears of the gateway.
    pub fn events(&self) -> Vec<Arc<dyn UpstreamEvents>> {
        lock(&self.0.open).iter().map(|(_, events)| Arc::clone(events)).collect()
    }

    /// The notifications that the gateway sent so far.
    pub fn heard(&self) -> Vec<Notification> {
        lock(&self.0.heard).clone()
    }

    /// Breaks every open connection.
    pub fn kill(&self) {
        for (_, events) in lock(&self.0.open).drain(..) {
            events.closed(Error::new(ErrorKind::Unavailable, "the fake was killed"));
        }
    }

    /// Connections opened so far.
    pub fn connects(&self) -> usize {
        self.0.connects.load(Ordering::SeqCst)
    }

    /// Connections closed by the gateway so far.
    pub fn closes(&self) -> usize {
        self.0.closes.load(Ordering::SeqCst)
    }

    /// `tools/list` requests so far.
    pub fn lists(&self) -> usize {
        self.0.lists.load(Ordering::SeqCst)
    }

    /// `tools/call` requests so far.
    pub fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }

    /// Requests whose future was dropped before its answer.
    pub fn cancelled(&self) -> usize {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    pub(super) async fn connect(&self, events: Arc<dyn UpstreamEvents>) -> Result<usize> {
        let failure = lock(&self.0.failures).pop_front();
        match failure {
            Some(Some(kind)) => return Err(Error::new(kind, "the fake refuses")),
            Some(None) => std::future::pending().await,
            None => {}
        }
        let id = self.0.connects.fetch_add(1, Ordering::SeqCst);
        lock(&self.0.open).push((id, events));
        Ok(id)
    }

    pub(super) fn hear(&self, notification: Notification) {
        lock(&self.0.heard).push(notification);
    }

    /// Whether it answers a method of these.
    pub(super) fn answers(&self, prefix: &str) -> bool {
        lock(&self.0.methods).iter().any(|(method, _)| method.starts_with(prefix))
    }

    pub(super) fn is_open(&self, id: usize) -> bool {
        lock(&self.0.open).iter().any(|(open, _)| *open == id)
    }

    pub(super) fn close(&self, id: usize) {
        self.0.closes.fetch_add(1, Ordering::SeqCst);
        lock(&self.0.open).retain(|(open, _)| *open != id);
    }

    pub(super) async fn answer(&self, method: &str, params: &RawJson, listener: Option<Listener>) -> Result<RawJson> {
        let mut guard = CancelCount { server: self, done: false };
        let answer = match method {
            "tools/list" => self.list(params),
            "tools/call" => self.call(params, listener).await,
            "ping" => Ok(RawJson::empty_object()),
            _ => {
                let answer =
                    lock(&self.0.methods).iter().find(|(known, _)| known == method).map(|(_, answer)| answer.clone());
                match answer {
                    Some(answer) => (answer.0)(params.clone(), listener).await,
                    None => Err(Error::new(ErrorKind::UpstreamFailed, "the fake does not know this method")),
                }
            }
        };
        guard.done = true;
        answer
    }

    fn list(&self, params: &RawJson) -> Result<RawJson> {
        #[derive(serde::Deserialize)]
        struct Params {
            cursor: Option<String>,
        }
        self.0.lists.fetch_add(1, Ordering::SeqCst);
        let params: Params = params.read().expect("the engine writes valid params");
        let at: usize = params.cursor.map_or(0, |cursor| cursor.parse().expect("a cursor of ours"));
        if let Some(pages) = &*lock(&self.0.pages) {
            return Ok(pages[at].clone());
        }
        let tools: Vec<_> = lock(&self.0.tools).iter().map(|(_, tool, _)| tool.clone()).collect();
        Ok(RawJson::from_value(&json!({"tools": tools})).expect("is JSON"))
    }

    async fn call(&self, params: &RawJson, listener: Option<Listener>) -> Result<RawJson> {
        #[derive(serde::Deserialize)]
        struct Params {
            name: String,
            arguments: RawJson,
        }
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        let params: Params = params.read().expect("the engine writes valid params");
        let answer =
            lock(&self.0.tools).iter().find(|(name, ..)| *name == params.name).map(|(.., answer)| answer.clone());
        match answer {
            Some(answer) => (answer.0)(params.arguments, listener).await,
            None => Err(Error::new(ErrorKind::InvalidArguments, "the fake has no such tool")),
        }
    }
}

struct CancelCount<'a> {
    server: &'a FakeServer,
    done: bool,
}

impl Drop for CancelCount<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.server.0.cancelled.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn json(text: &str) -> RawJson {
    RawJson::parse(text.to_owned()).expect("the test writes valid JSON")
}

fn text_result(text: &str) -> RawJson {
    RawJson::from_value(&json!({"content": [{"type": "text", "text": text}]})).expect("is JSON")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
