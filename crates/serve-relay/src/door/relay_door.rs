//! The door that passes requests on.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use gateway_core::{Auth, Error, ErrorKind};
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_server::{Answer, Caller, HttpDoor, Refusal, check_json_type, status_of};
use mcp_wire::{Id, code, header, write_error};
use tokio_util::task::TaskTracker;

use super::bodies::{BodyFault, Download, Upload};
use super::headers;
use crate::client::Client;
use crate::config::RelayConfig;
use crate::remote::PATH;

/// The methods of the MCP door.
const METHODS: [Method; 3] = [Method::GET, Method::POST, Method::DELETE];

/// `/mcp` of a gateway that runs elsewhere. Hand it to an [`HttpServer`](http_server::HttpServer).
///
/// Requests and answers pass as they come, piece by piece; a client that goes away closes its request there, too.
/// Who presents the key of this program is served with the key that the relay has for the gateway. Where this
/// program has no key, a client may bring its own for the gateway.
#[derive(Clone, Debug)]
pub struct RelayDoor {
    config: RelayConfig,
    auth: Arc<dyn Auth>,
    client: Client,
}

impl RelayDoor {
    /// A door to the gateway of `config`, for the callers whom `auth` admits.
    pub fn new(config: RelayConfig, auth: Arc<dyn Auth>) -> Self {
        // Nobody waits for these tasks: each ends with the request that uses its connection, and the server waits
        // for those.
        let client = Client::new(&config, TaskTracker::new());
        Self { config, auth, client }
    }

    async fn pass(&self, caller: &Caller, request: Request<Body>) -> Result<Response, Refusal> {
        let (head, body) = request.into_parts();
        if head.uri.path() != PATH {
            return Err(Refusal::of_kind(ErrorKind::NotFound, "there is no such path; MCP is at /mcp"));
        }
        if !METHODS.contains(&head.method) {
            let message = "this path takes GET, POST and DELETE";
            return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message));
        }
        let principal = self.auth.authenticate(&caller.credentials).await.map_err(|error| refusal(&error))?;
        let body = if head.method == Method::POST {
            check_json_type(&head.headers, caller.page)?;
            self.upload(&head.headers, body)?
        } else {
            Body::empty()
        };
        let ends = is_endless(&head.method, &head.headers).then(|| caller.draining());
        let mut request = Request::new(body);
        *request.uri_mut() = self.config.remote.uri(head.uri.query()).map_err(|error| refusal(&error))?;
        *request.method_mut() = head.method;
        *request.headers_mut() = headers::of_request(&self.config.remote.headers, &head.headers, &principal);
        let answer = self.client.send(request).await.map_err(|error| self.undelivered(&error))?;
        let (head, body) = answer.into_parts();
        let mut response = Response::new(Body::new(Download::new(body, ends, caller.killed())));
        *response.status_mut() = head.status;
        *response.headers_mut() = headers::of_response(&head.headers);
        Ok(response)
    }

    fn upload(&self, headers: &HeaderMap, body: Body) -> Result<Body, Refusal> {
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > self.config.body.bytes) {
            return Err(self.faulty(BodyFault::TooLarge));
        }
        Ok(Body::new(Upload::new(body, self.config.body)))
    }

    /// A request that came to nothing may have done so for the client's own body.
    fn undelivered(&self, error: &Error) -> Refusal {
        match BodyFault::among_causes(error) {
            Some(fault) => self.faulty(fault),
            None => refusal(error),
        }
    }

    fn faulty(&self, fault: BodyFault) -> Refusal {
        let limits = self.config.body;
        match fault {
            BodyFault::TooLarge => {
                Refusal::of_kind(ErrorKind::TooLarge, format!("the body has more than {} bytes", limits.bytes))
            }
            BodyFault::TooSlow => {
                let message = format!("the body did not arrive within {} ms", limits.timeout_ms);
                Refusal::of_kind(ErrorKind::DeadlineExceeded, message)
            }
        }
    }
}

impl HttpDoor for RelayDoor {
    /// Every path: this door says what is not there, too.
    fn serves(&self, _: &str) -> bool {
        true
    }

    fn answer(&self, caller: Caller, request: Request<Body>) -> Answer<'_> {
        Box::pin(async move {
            let method = request.method().clone();
            match self.pass(&caller, request).await {
                Ok(response) => response,
                Err(refusal) => self.refuse(refusal, &caller.request_id, &method),
            }
        })
    }

    fn refuse(&self, refusal: Refusal, request_id: &str, method: &Method) -> Response {
        let Refusal { status, kind, message } = refusal;
        if status.is_server_error() {
            tracing::warn!(request_id, %status, kind, "{message}");
        } else {
            tracing::debug!(request_id, %status, kind, "{message}");
        }
        let code = if status.is_server_error() { code::INTERNAL_ERROR } else { code::INVALID_REQUEST };
        let mut text = Vec::new();
        // The body of the request was not read, so its id is not known.
        write_error(&mut text, &Id::null(), code, &message, None);
        let length = HeaderValue::from(text.len());
        let mut response = Response::new(if *method == Method::HEAD { Body::empty() } else { Body::from(text) });
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, length);
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"gateway\""));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, POST, DELETE"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// Whether the answer goes on until somebody ends it: what the gateway says of its own accord, in either era.
fn is_endless(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::GET || headers.get(header::METHOD).is_some_and(|method| method == "subscriptions/listen")
}

fn refusal(error: &Error) -> Refusal {
    Refusal::new(status_of(error.kind()), error.kind().as_str(), error.message().to_owned())
}
