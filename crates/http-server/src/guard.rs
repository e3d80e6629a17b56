//! The guard before all doors: who may speak to the gateway at all.
//!
//! A gateway on loopback is reachable by every web page that its user opens. So each request is asked for
//! the name that it was sent to (against DNS rebinding) and for the page that sent it.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use gateway_core::{Credentials, Secret, TraceContext};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Version};

use crate::caller::{Caller, Page};
use crate::config::HttpServerConfig;
use crate::connection::Connection;
use crate::head::Head;
use crate::names::{Host, Origins, Words};
use crate::refusal::Refusal;

/// The rules, read once.
#[derive(Debug)]
pub(crate) struct Rules {
    hosts: Vec<String>,
    origins: Origins,
    admin_origins: Origins,
    header_limit_bytes: usize,
    max_headers: usize,
}

impl Rules {
    pub(crate) fn new(config: &HttpServerConfig) -> Self {
        let origins = if config.allowed_origins.is_empty() {
            Origins::loopback()
        } else {
            Origins::new(&config.allowed_origins, Words::Meant)
        };
        Self {
            hosts: config.allowed_hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            origins,
            admin_origins: Origins::new(&config.admin_origins, Words::Unknown),
            header_limit_bytes: config.header_limit_bytes,
            max_headers: config.max_headers,
        }
    }

    /// Whether the gateway is called by a name that it answers to; says whether it is a loopback one.
    fn host(&self, head: &Head<'_>, request: &Request<Body>, local: Option<IpAddr>) -> Result<bool, Refusal> {
        let written = head.host.text("Host")?;
        let target = request.uri().authority().map(http::uri::Authority::as_str);
        let Some(first) = written.or(target) else {
            return Err(Refusal::invalid("the header Host is missing"));
        };
        let mut loopback = true;
        // A target in absolute form has its own name; both must be right.
        for text in [Some(first), target].into_iter().flatten() {
            let Some(host) = Host::parse(text) else {
                return Err(Refusal::invalid("the header Host is no host name"));
            };
            let is_loopback = host.is_loopback();
            let allowed = is_loopback
                || self.hosts.iter().any(|entry| host.matches(entry))
                || (local.is_some() && host.address() == local);
            if !allowed {
                return Err(Refusal::forbidden(format!(
                    "the gateway does not answer to the host name {:?}; add it to server.allowed_hosts if it should",
                    host.name
                )));
            }
            loopback &= is_loopback;
        }
        Ok(loopback)
    }

    fn page(&self, head: &Head<'_>) -> Result<Page, Refusal> {
        match head.origin.text("Origin")? {
            None if head.traces.browser => Ok(Page::Unnamed),
            None => Ok(Page::None),
            Some(origin) if self.admin_origins.contain(origin) => Ok(Page::Admin),
            Some(origin) if self.origins.contain(origin) => Ok(Page::Ordinary),
            Some(origin) => Err(Refusal::forbidden(format!(
                "web pages of {origin:?} may not use this gateway; add the origin to server.allowed_origins if they may"
            ))),
        }
    }

    fn size(&self, head: &Head<'_>) -> Result<(), Refusal> {
        let too_large =
            |message| Err(Refusal::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large", message));
        if head.size.bytes > self.header_limit_bytes {
            return too_large(format!("the headers have more than {} bytes", self.header_limit_bytes));
        }
        if head.size.fields > self.max_headers {
            return too_large(format!("there are more than {} headers", self.max_headers));
        }
        Ok(())
    }

    /// Whether a request may go to its door, and who sent it.
    pub(crate) fn check(
        &self,
        head: &Head<'_>,
        request: &Request<Body>,
        connection: Option<&Arc<Connection>>,
        request_id: &Arc<str>,
    ) -> Result<Caller, Refusal> {
        self.size(head)?;
        let local_address = connection.and_then(|connection| connection.local).map(|local| local.ip().to_canonical());
        let loopback_host = self.host(head, request, local_address)?;
        let page = self.page(head)?;
        let loopback_peer = connection.is_some_and(|connection| connection.peer.ip().to_canonical().is_loopback());
        // A proxy on this machine looks like a local program. Most say what they are; nginx as it comes
        // does not, but it speaks HTTP/1.0.
        let direct = !head.traces.proxy && request.version() >= Version::HTTP_11;
        Ok(Caller {
            request_id: Arc::clone(request_id),
            session_id: head.session_id.text("X-Session-ID")?.map(|id| id.trim().to_owned()),
            credentials: Credentials {
                token: token(head)?,
                local: loopback_peer && loopback_host && direct && page == Page::None,
            },
            page,
            trace: trace(request.headers()),
            door: "",
            connection: connection.cloned(),
        })
    }
}

/// What the sender says of the trace; what has not the right form is as good as none (W3C Trace Context, 3.3).
fn trace(headers: &HeaderMap) -> Option<TraceContext> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    TraceContext::parse(text("traceparent")?, text("tracestate"))
}

fn token(head: &Head<'_>) -> Result<Option<Secret>, Refusal> {
    let bearer = head.authorization.text("Authorization")?.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let api_key = head.api_key.text("X-API-Key")?.map(str::trim);
    match (bearer, api_key) {
        (Some(bearer), Some(key)) if bearer != key => {
            Err(Refusal::invalid("Authorization and X-API-Key carry different keys; send one of them"))
        }
        (bearer, key) => Ok(bearer.or(key).map(Secret::new)),
    }
}
