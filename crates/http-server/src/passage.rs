//! The way of one request: through the guard, to its door, and back with what every answer has.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use futures_util::FutureExt as _;
use futures_util::future::CatchUnwind;
use http::header::{self, HeaderName};
use http::{HeaderValue, Method, Request, Response};

use crate::connection::Connection;
use crate::cors;
use crate::door::{Answer, HttpDoor};
use crate::head::Head;
use crate::refusal::Refusal;
use crate::server::HttpServer;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The answer to one request, as a future.
///
/// Written by hand, since hyper wants a future that can be moved: an async block round the door's own future
/// would need a second box for each request.
#[must_use = "a request is answered while this is polled"]
pub struct Passage<'a> {
    work: Work<'a>,
    about: About<'a>,
}

enum Work<'a> {
    /// Nothing: the guard knew the answer. `None` once it is given.
    Answered(Option<Box<Response<Body>>>),
    /// The door is at work.
    Door(CatchUnwind<AssertUnwindSafe<Answer<'a>>>),
}

/// What the answer needs to know about its request.
struct About<'a> {
    door: &'a dyn HttpDoor,
    connection: Option<&'a Arc<Connection>>,
    method: Method,
    request_id: Arc<str>,
    /// The page that may read the answer.
    origin: Option<HeaderValue>,
}

impl<'a> Passage<'a> {
    /// Leads a request past the guard.
    pub(crate) fn begin(
        server: &'a HttpServer,
        connection: Option<&'a Arc<Connection>>,
        request: Request<Body>,
    ) -> Self {
        let door = server.door_of(request.uri().path());
        let method = request.method().clone();
        let head = Head::of(&request);
        let request_id = head.request_id();
        let is_preflight = method == Method::OPTIONS && head.traces.preflight && head.origin.is_present();
        let checked = server.rules().check(&head, &request, connection, &request_id);
        let mut about = About { door, connection, method, request_id, origin: None };
        let work = match checked {
            Err(refusal) => Work::answered(about.refuse(refusal)),
            Ok(caller) => {
                about.origin = request.headers().get(header::ORIGIN).cloned();
                if is_preflight {
                    Work::answered(cors::preflight(request.headers()))
                } else {
                    Work::Door(AssertUnwindSafe(door.answer(caller, request)).catch_unwind())
                }
            }
        };
        Self { work, about }
    }
}

impl Future for Passage<'_> {
    type Output = Response<Body>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Response<Body>> {
        let Self { work, about } = self.get_mut();
        let response = match work {
            Work::Answered(response) => *response.take().expect("a future is not polled after its end"),
            Work::Door(answer) => match answer.poll_unpin(task) {
                Poll::Ready(Ok(response)) => response,
                Poll::Ready(Err(_)) => about.refuse(Refusal::mistake()),
                // Whoever serves the connection polls it again when the time is over.
                Poll::Pending if about.is_killed() => about.refuse(Refusal::stopping()),
                Poll::Pending => return Poll::Pending,
            },
        };
        Poll::Ready(about.finish(response))
    }
}

impl Work<'_> {
    fn answered(response: Response<Body>) -> Self {
        Self::Answered(Some(Box::new(response)))
    }
}

impl About<'_> {
    fn refuse(&self, refusal: Refusal) -> Response<Body> {
        self.door.refuse(refusal, &self.request_id, &self.method)
    }

    fn is_killed(&self) -> bool {
        self.connection.is_some_and(|connection| connection.killed.is_cancelled())
    }

    /// Gives an answer its id and its CORS headers, and asks for the end of a connection that has to end.
    fn finish(&mut self, mut response: Response<Body>) -> Response<Body> {
        let headers = response.headers_mut();
        if let Ok(request_id) = HeaderValue::from_str(&self.request_id) {
            headers.insert(X_REQUEST_ID, request_id);
        }
        if self.connection.is_some_and(|connection| connection.draining.is_cancelled()) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        cors::share(headers, self.origin.take());
        response
    }
}
