//! One client as the server sees it: its handshake, its ids, its requests under way.

use std::collections::{HashMap, HashSet};
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::server::{Frame, Outlet, Server, lock};
use super::subscribers::{Filter, Interest};
use super::wire::{
    Envelope, Fault, INVALID_PARAMS, INVALID_REQUEST, LEGACY_VERSIONS, METHOD_NOT_FOUND, MODERN_VERSION, Params,
    SUBSCRIPTION_ID, UNSUPPORTED_VERSION, answer, is_request_id, notification, quote,
};
use super::{conformance, tools};

/// One client: a stdio connection, an HTTP session, or all who come without a session.
#[derive(Debug)]
pub(super) struct Peer {
    pub server: Arc<Server>,
    /// Counts up from 1.
    pub number: u64,
    /// Tool calls so far.
    pub calls: AtomicU64,
    /// Set by the tool `forget`: the session is as good as deleted.
    pub forgotten: AtomicBool,
    /// What a client of the conformance fixture said and did so far.
    pub session: Arc<conformance::Session>,
    kind: Kind,
    requests: Mutex<Requests>,
}

/// What a [`Peer`] stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Handshake, order and ids are checked.
    Connection,
    /// Whoever comes without a session: nothing to check across messages.
    Anybody,
}

#[derive(Debug, Default)]
struct Requests {
    stage: Stage,
    /// The revision that `initialize` settled.
    version: Option<&'static str>,
    used_ids: HashSet<String>,
    running: HashMap<String, CancellationToken>,
    /// Questions of the server that wait for the client's answer.
    asked: HashMap<String, oneshot::Sender<String>>,
    questions: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    New,
    Greeted,
    Open,
}

/// How a message came, and where its answer goes.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    /// Whether it is a request of the modern era.
    pub modern: bool,
    pub outlet: Outlet,
    /// Whether the end of the outlet cancels the request (modern HTTP).
    pub ends_with_outlet: bool,
    /// The HTTP headers as a JSON object.
    pub headers: Option<String>,
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Request {
    pub id: String,
    pub method: String,
    pub params: Box<RawValue>,
    pub arrival: Arrival,
}

impl Peer {
    pub(super) fn new(server: &Arc<Server>, kind: Kind) -> Arc<Self> {
        Arc::new(Self {
            server: Arc::clone(server),
            number: server.counters.peers.fetch_add(1, Relaxed) + 1,
            calls: AtomicU64::new(0),
            forgotten: AtomicBool::new(false),
            session: Arc::default(),
            kind,
            requests: Mutex::default(),
        })
    }

    /// The revision that its handshake settled.
    pub(super) fn version(&self) -> Option<&'static str> {
        lock(&self.requests).version
    }

    /// Takes one message. A request is answered through its outlet, at once or later.
    pub(super) fn receive(self: &Arc<Self>, envelope: &Envelope<'_>, arrival: Arrival) {
        let id = envelope.id.map(RawValue::get);
        let outlet = arrival.outlet.clone();
        if let Err(fault) = self.accept(envelope, arrival) {
            let message = fault.message(id.filter(|id| is_request_id(id)));
            outlet.send(Frame::Answer { status: fault.status, message });
        }
    }

    /// Asks the client and returns its answer: `{"result":..}` or `{"error":..}`.
    pub(super) async fn ask(&self, outlet: &Outlet, method: &str, params: &str) -> Option<String> {
        let (sender, receiver) = oneshot::channel();
        let id = {
            let mut requests = lock(&self.requests);
            requests.questions += 1;
            let id = format!(r#""ask-{}""#, requests.questions);
            requests.asked.insert(id.clone(), sender);
            id
        };
        let method = quote(method);
        let message = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{method},"params":{params}}}"#);
        outlet.send(Frame::Other(message.into_bytes()));
        receiver.await.ok()
    }

    /// What this client hears where it asked for nothing in particular.
    pub(super) fn interest(&self) -> Interest {
        Interest::Session(Arc::clone(&self.session))
    }

    fn accept(self: &Arc<Self>, envelope: &Envelope<'_>, arrival: Arrival) -> Result<(), Fault> {
        if envelope.jsonrpc.as_deref() != Some("2.0") {
            return Err(Fault::new(INVALID_REQUEST, "`jsonrpc` must be \"2.0\""));
        }
        let params = envelope.params.unwrap_or(empty_object());
        if !params.get().starts_with('{') {
            return Err(Fault::new(INVALID_REQUEST, "`params` must be an object"));
        }
        match (envelope.method.as_deref(), envelope.id) {
            (None, Some(id)) => self.take_answer(id.get(), envelope),
            (None, None) => Err(Fault::new(INVALID_REQUEST, "neither `method` nor `id`")),
            (Some(method), None) => {
                self.take_notification(method, params, arrival);
                Ok(())
            }
            (Some(method), Some(id)) => {
                let (id, method, params) = (id.get().to_owned(), method.to_owned(), params.to_owned());
                self.check_request(&id, &method, arrival.modern)?;
                self.start(Request { id, method, params, arrival });
                Ok(())
            }
        }
    }

    fn take_answer(&self, id: &str, envelope: &Envelope<'_>) -> Result<(), Fault> {
        let text = match (envelope.result, envelope.error) {
            (Some(result), None) => format!(r#"{{"result":{}}}"#, result.get()),
            (None, Some(error)) => format!(r#"{{"error":{}}}"#, error.get()),
            _ => return Err(Fault::new(INVALID_REQUEST, "an answer has either `result` or `error`")),
        };
        match lock(&self.requests).asked.remove(id) {
            // Whoever asked may be gone by now.
            Some(asker) => drop(asker.send(text)),
            None => return Err(Fault::new(INVALID_REQUEST, format!("nobody asked {id}"))),
        }
        Ok(())
    }

    fn take_notification(&self, method: &str, params: &RawValue, arrival: Arrival) {
        match method {
            "notifications/initialized" => {
                let mut requests = lock(&self.requests);
                if requests.stage != Stage::Greeted {
                    return;
                }
                requests.stage = Stage::Open;
                drop(requests);
                if self.server.options.exit_after_handshake {
                    std::process::exit(0);
                }
                // Over HTTP the outlet of a notification is closed at once; there it is GET that subscribes.
                self.server.subscribers.add(arrival.outlet, self.interest());
            }
            "notifications/cancelled" => {
                let params: Params<'_> = serde_json::from_str(params.get()).unwrap_or_default();
                let id = params.request_id.map(RawValue::get).unwrap_or_default();
                if let Some(token) = lock(&self.requests).running.get(id) {
                    token.cancel();
                }
            }
            _ => {}
        }
    }

    fn check_request(&self, id: &str, method: &str, modern: bool) -> Result<(), Fault> {
        if !is_request_id(id) {
            return Err(Fault::new(INVALID_REQUEST, "`id` must be a string or an integer"));
        }
        if self.kind == Kind::Anybody {
            return Ok(());
        }
        let mut requests = lock(&self.requests);
        if !requests.used_ids.insert(id.to_owned()) {
            return Err(Fault::new(INVALID_REQUEST, format!("the id {id} was used before")));
        }
        if modern || method == "ping" {
            return Ok(());
        }
        match (method, requests.stage) {
            ("initialize", Stage::New) => Ok(()),
            ("initialize", _) => Err(Fault::new(INVALID_REQUEST, "initialized before")),
            (_, Stage::Open) => Ok(()),
            _ => Err(Fault::new(INVALID_REQUEST, "the handshake is not done")),
        }
    }

    fn start(self: &Arc<Self>, request: Request) {
        let (peer, token) = (Arc::clone(self), self.server.stop.child_token());
        lock(&self.requests).running.insert(request.id.clone(), token.clone());
        // A subscription is no work: it only stands open.
        let counted = u64::from(request.method != "subscriptions/listen");
        self.server.counters.running.fetch_add(counted, Relaxed);
        self.server.requests.spawn(async move {
            let counters = &peer.server.counters;
            let outlet = &request.arrival.outlet;
            let disconnected =
                async { if request.arrival.ends_with_outlet { outlet.0.closed().await } else { pending().await } };
            tokio::select! {
                biased;
                () = token.cancelled() => {
                    counters.cancelled_by_notification.fetch_add(counted, Relaxed);
                }
                () = disconnected => {
                    counters.cancelled_by_disconnect.fetch_add(counted, Relaxed);
                }
                frame = peer.answer(&request) => {
                    // Counted down first: who has the answer must not find the request under way.
                    counters.running.fetch_sub(counted, Relaxed);
                    lock(&peer.requests).running.remove(&request.id);
                    outlet.send(frame);
                    return;
                }
            }
            counters.running.fetch_sub(counted, Relaxed);
            lock(&peer.requests).running.remove(&request.id);
        });
    }

    async fn answer(&self, request: &Request) -> Frame {
        match self.result(request).await {
            Ok(result) => Frame::Answer { status: 200, message: answer(&request.id, &result) },
            Err(fault) => {
                let status = if request.arrival.modern { fault.status } else { 200 };
                Frame::Answer { status, message: fault.message(Some(&request.id)) }
            }
        }
    }

    async fn result(&self, request: &Request) -> Result<String, Fault> {
        let params: Params<'_> = serde_json::from_str(request.params.get())
            .map_err(|error| Fault::new(INVALID_PARAMS, format!("params: {error}")))?;
        let modern = request.arrival.modern;
        if self.server.options.conformance
            && let Some(result) = conformance::result(self, request, &params).await
        {
            return result;
        }
        match request.method.as_str() {
            "initialize" if !modern => self.greet(&params).await,
            "server/discover" if modern => self.discover().await,
            "ping" if !modern => Ok("{}".to_owned()),
            "tools/list" => {
                let page = self.server.page("tools", &self.server.tools(), params.cursor.as_deref())?;
                Ok(format!("{{{}{page}}}", list_head(modern)))
            }
            "tools/call" => tools::call(self, request, &params).await,
            "subscriptions/listen" if modern => self.listen(request, &params).await,
            method => Err(Fault::new(METHOD_NOT_FOUND, format!("Method not found: {method}"))),
        }
    }

    async fn greet(&self, params: &Params<'_>) -> Result<String, Fault> {
        let (Some(asked), Some(capabilities), Some(client)) =
            (params.protocol_version.as_deref(), params.capabilities, &params.client_info)
        else {
            let why = "initialize needs protocolVersion, capabilities and clientInfo";
            return Err(Fault::new(INVALID_PARAMS, why));
        };
        if !capabilities.get().starts_with('{') || client.name.is_empty() || client.version.is_empty() {
            return Err(Fault::new(INVALID_PARAMS, "capabilities or clientInfo are not as they must be"));
        }
        self.maybe_hang().await;
        self.session.greet(capabilities);
        let version = LEGACY_VERSIONS.into_iter().find(|&known| known == asked).unwrap_or(LEGACY_VERSIONS[0]);
        {
            let mut requests = lock(&self.requests);
            (requests.stage, requests.version) = (Stage::Greeted, Some(version));
        }
        let name = quote(&self.server.options.name);
        let more = self.server.more_capabilities();
        Ok(format!(
            concat!(
                r#"{{"x-unknown":1.0,"protocolVersion":"{version}","capabilities":{{"tools":{{"listChanged":true}},"logging":{{}}{more},"experimental":{{"x":{{"n":1e1}}}}}},"#,
                r#""serverInfo":{{"name":{name},"title":"Reference server","version":"1.0"}},"instructions":"Call the tools to see what a transport does."}}"#
            ),
            version = version,
            more = more,
            name = name,
        ))
    }

    async fn discover(&self) -> Result<String, Fault> {
        self.maybe_hang().await;
        if self.server.options.exit_after_handshake {
            // Discovery is the whole handshake; its answer needs a moment to leave.
            self.server.requests.spawn(async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                std::process::exit(0);
            });
        }
        let name = quote(&self.server.options.name);
        let more = self.server.more_capabilities();
        Ok(format!(
            concat!(
                r#"{{"resultType":"complete","x-unknown":1.0,"supportedVersions":{versions},"capabilities":{{"tools":{{"listChanged":true}},"logging":{{}}{more}}},"#,
                r#""instructions":"Call the tools to see what a transport does.","ttlMs":0,"cacheScope":"public","#,
                r#""_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":{name},"title":"Reference server","version":"1.0"}}}}}}"#
            ),
            versions = self.server.supported_versions(),
            more = more,
            name = name,
        ))
    }

    async fn maybe_hang(&self) {
        if self.server.options.hang_handshake {
            pending().await
        }
    }

    async fn listen(&self, request: &Request, params: &Params<'_>) -> Result<String, Fault> {
        let wanted = params.notifications.ok_or_else(|| Fault::new(INVALID_PARAMS, "`notifications` is missing"))?;
        let wanted: Filter = serde_json::from_str(wanted.get())
            .map_err(|error| Fault::new(INVALID_PARAMS, format!("notifications: {error}")))?;
        let honoured = if self.server.options.conformance { wanted } else { wanted.only_tools() };
        let acknowledged =
            format!(r#"{{"notifications":{},"_meta":{{"{SUBSCRIPTION_ID}":{}}}}}"#, honoured.as_json(), request.id);
        let outlet = &request.arrival.outlet;
        outlet.send(Frame::Other(notification("notifications/subscriptions/acknowledged", &acknowledged)));
        self.server.subscribers.add(outlet.clone(), Interest::Listen { id: request.id.clone(), filter: honoured });
        pending().await
    }
}

impl Server {
    /// What is wrong with the modern envelope of a request, if anything.
    pub(super) fn check_modern(&self, params: &Params<'_>) -> Result<(), Fault> {
        let meta = params.meta.as_ref();
        let Some(version) = meta.and_then(|meta| meta.version.as_deref()) else {
            return Err(Fault::new(INVALID_PARAMS, "`_meta` does not name the protocol version"));
        };
        if version != MODERN_VERSION || !self.options.era.modern() {
            let data = format!(r#"{{"supported":{},"requested":{}}}"#, self.supported_versions(), quote(version));
            return Err(Fault::new(UNSUPPORTED_VERSION, "Unsupported protocol version").with_data(data));
        }
        let capabilities = meta.and_then(|meta| meta.capabilities);
        if !capabilities.is_some_and(|object| object.get().starts_with('{')) {
            return Err(Fault::new(INVALID_PARAMS, "`_meta` does not name the client's capabilities"));
        }
        Ok(())
    }

    /// Capabilities besides tools and logging, to go after them.
    fn more_capabilities(&self) -> &'static str {
        if self.options.conformance { conformance::CAPABILITIES } else { "" }
    }

    /// The revisions that it speaks, as a JSON array.
    pub(super) fn supported_versions(&self) -> String {
        let era = self.options.era;
        let modern = era.modern().then_some(MODERN_VERSION);
        let legacy = LEGACY_VERSIONS.into_iter().filter(|_| era.legacy());
        serde_json::Value::from_iter(modern.into_iter().chain(legacy)).to_string()
    }
}

/// What stands before the items of a list: modern results say how long they may be kept.
pub(super) fn list_head(modern: bool) -> &'static str {
    if modern { r#""resultType":"complete","ttlMs":0,"cacheScope":"public","# } else { "" }
}

fn empty_object() -> &'static RawValue {
    serde_json::from_str("{}").expect("`{}` is JSON")
}
