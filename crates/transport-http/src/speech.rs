//! How we speak to a server once the era is chosen: the headers and `_meta` of every message.

use bytes::Bytes;
use gateway_core::{Era, Listener, RawJson, TraceContext};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::Full;
use mcp_wire::{ClientIdentity, HttpTarget, Meta, Revision, header, write_request};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const JSON_OR_EVENTS: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");
const METHOD: HeaderName = HeaderName::from_static(header::METHOD);
const NAME: HeaderName = HeaderName::from_static(header::NAME);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static(header::LAST_EVENT_ID);

/// The manner of speaking of one connection.
#[derive(Debug)]
pub(crate) struct Speech {
    target: HttpTarget,
    era: Era,
    session: Option<HeaderValue>,
    meta: Meta,
    /// Headers of every POST.
    post: HeaderMap,
    /// Headers of every GET and DELETE.
    bare: HeaderMap,
}

impl Speech {
    /// For messages of this revision; `None` is the time before one is chosen.
    pub(crate) fn new(
        target: &HttpTarget,
        client: &ClientIdentity,
        revision: Option<Revision>,
        session: Option<HeaderValue>,
    ) -> Self {
        let era = revision.map_or(Era::Legacy, Revision::era);
        let mut bare = target.headers.clone();
        if let Some(revision) = revision {
            let value = HeaderValue::from_static(revision.as_str());
            bare.insert(header::PROTOCOL_VERSION, value);
        }
        if let Some(session) = &session {
            bare.insert(header::SESSION_ID, session.clone());
        }
        let mut post = bare.clone();
        post.insert(ACCEPT, JSON_OR_EVENTS);
        post.insert(CONTENT_TYPE, JSON);
        Self { target: target.clone(), era, session, meta: client.meta(era), post, bare }
    }

    /// Whether the server knows us by a session.
    pub(crate) fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// The era we speak.
    pub(crate) fn era(&self) -> Era {
        self.era
    }

    /// A request of ours; `listener` is its caller's end, `trace` its place in a trace.
    pub(crate) fn ask(
        &self,
        id: i64,
        method: &str,
        params: &RawJson,
        listener: Option<&Listener>,
        trace: Option<&TraceContext>,
    ) -> Request<Full<Bytes>> {
        let mut body = Vec::new();
        let meta = self.meta.for_request(self.era, id, listener, trace);
        write_request(&mut body, id, method, params, &meta);
        let mut request = self.say(body);
        if let Some(trace) = trace {
            header::insert_trace(request.headers_mut(), trace);
        }
        if self.era == Era::Modern {
            let headers = request.headers_mut();
            headers.insert(METHOD, encoded(method));
            if let Some(name) = header::name_of(method, params) {
                headers.insert(NAME, encoded(&name));
            }
        }
        request
    }

    /// Adds the arguments that a modern server wants in headers, too (SEP-2243).
    pub(crate) fn add_params(&self, request: &mut Request<Full<Bytes>>, params: &[(String, String)]) {
        if self.era != Era::Modern {
            return;
        }
        for (name, value) in params {
            if let Ok(name) = HeaderName::try_from(format!("{}{name}", header::PARAM_PREFIX)) {
                request.headers_mut().insert(name, encoded(value));
            }
        }
    }

    /// A message of ours that is no request.
    pub(crate) fn say(&self, message: Vec<u8>) -> Request<Full<Bytes>> {
        self.request(Method::POST, self.post.clone(), message.into())
    }

    /// A request for the stream of what the server says of its own accord, or for the rest of a stream
    /// that broke off after the event `last_event_id`.
    pub(crate) fn listen(&self, last_event_id: Option<&str>) -> Request<Full<Bytes>> {
        let mut headers = self.bare.clone();
        headers.insert(ACCEPT, EVENTS);
        if let Some(id) = last_event_id.and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(LAST_EVENT_ID, id);
        }
        self.request(Method::GET, headers, Bytes::new())
    }

    /// The request that ends our session.
    pub(crate) fn leave(&self) -> Request<Full<Bytes>> {
        self.request(Method::DELETE, self.bare.clone(), Bytes::new())
    }

    fn request(&self, method: Method, headers: HeaderMap, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.target.path.clone();
        *request.headers_mut() = headers;
        request
    }
}

fn encoded(value: &str) -> HeaderValue {
    HeaderValue::from_str(&header::encode_value(value)).expect("an encoded value has printable ASCII only")
}
