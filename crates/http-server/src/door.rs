//! What answers the requests that have passed the guard.

use std::fmt;
use std::pin::Pin;

use axum::body::Body;
use http::{Method, Request, Response};

use crate::caller::Caller;
use crate::refusal::Refusal;

/// An answer on its way.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Response<Body>> + Send + 'a>>;

/// Answers the requests for some paths, after the guard.
///
/// The server adds what every answer has: the request's id, CORS, and `Connection: close` where the gateway stops.
///
/// ```
/// use axum::body::Body;
/// use http::{Method, Request, Response};
/// use http_server::{Answer, Caller, HttpDoor, Refusal};
///
/// /// Greets whoever comes.
/// #[derive(Debug)]
/// struct Greeter;
///
/// impl HttpDoor for Greeter {
///     fn serves(&self, path: &str) -> bool {
///         path == "/hello"
///     }
///
///     fn answer(&self, caller: Caller, _: Request<Body>) -> Answer<'_> {
///         Box::pin(async move { Response::new(Body::from(format!("hello, {}\n", caller.request_id))) })
///     }
///
///     fn refuse(&self, refusal: Refusal, _: &str, _: &Method) -> Response<Body> {
///         let mut response = Response::new(Body::from(format!("{}\n", refusal.message)));
///         *response.status_mut() = refusal.status;
///         response
///     }
/// }
/// # assert!(Greeter.serves("/hello"));
/// ```
pub trait HttpDoor: fmt::Debug + Send + Sync + 'static {
    /// Whether requests for `path` are this door's. Not asked where no other door is left.
    fn serves(&self, path: &str) -> bool;

    /// Answers a request that has passed the guard, failures included. All work happens in the future that it
    /// returns: where that panics, or is overtaken by the end of the gateway, the request is refused instead.
    /// Where its client goes away the future is dropped; a body that the answer has may outlive it and must end
    /// by itself when the caller is [killed](Caller::killed).
    fn answer(&self, caller: Caller, request: Request<Body>) -> Answer<'_>;

    /// Writes the answer to a request that the guard refused, whose handler panicked, or that the end of the
    /// gateway overtook, and logs it.
    fn refuse(&self, refusal: Refusal, request_id: &str, method: &Method) -> Response<Body>;
}
