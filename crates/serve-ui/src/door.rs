//! The door: which path leads where.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use gateway_core::{Error, ErrorKind, Gateway, Queue, Usage};
use http::header::{ALLOW, LOCATION};
use http::{HeaderValue, Method, Request, StatusCode};
use http_server::{Answer, Caller, HttpDoor, Refusal, check_json_type, read_body};
use maud::Markup;
use tracing::Instrument as _;

use crate::asked::{Asked, Behind};
use crate::config::UiConfig;
use crate::failure::Failure;
use crate::{
    answer, assets, live, overview, own_page, run, search, server_form, servers, sessions, shell, tools, usage,
};

/// The dashboard of a gateway, at `/ui`.
///
/// Counts and the live log come from a [`Usage`], the depth of the queue from a [`Queue`]; where there is none, the
/// page says how to have one.
#[derive(Clone, Debug)]
pub struct UiDoor {
    behind: Arc<Behind>,
}

impl UiDoor {
    /// The dashboard of `gateway`. Hand it to an [`HttpServer`](http_server::HttpServer).
    pub fn new(gateway: Gateway, config: UiConfig) -> Self {
        Self { behind: Arc::new(Behind { gateway, config, usage: None, queue: None }) }
    }

    /// With somebody who counts.
    #[must_use]
    pub fn with_usage(self, usage: Arc<dyn Usage>) -> Self {
        self.changed(|behind| behind.usage = Some(usage))
    }

    /// With the queue whose depth is shown.
    #[must_use]
    pub fn with_queue(self, queue: Arc<dyn Queue>) -> Self {
        self.changed(|behind| behind.queue = Some(queue))
    }

    fn changed(self, change: impl FnOnce(&mut Behind)) -> Self {
        let Behind { gateway, config, usage, queue } = &*self.behind;
        let (usage, queue) = (usage.clone(), queue.clone());
        let mut behind = Behind { gateway: gateway.clone(), config: config.clone(), usage, queue };
        change(&mut behind);
        Self { behind: Arc::new(behind) }
    }

    async fn respond(&self, caller: Caller, request: Request<Body>) -> Result<Response, Failure> {
        let path = request.uri().path().to_owned();
        match *request.method() {
            Method::GET | Method::HEAD => match path.as_str() {
                "/ui" => Ok(answer::html(StatusCode::OK, shell::page())),
                "/ui/" => Ok(moved_here()),
                "/ui/ui.css" => Ok(assets::style()),
                "/ui/ui.js" => Ok(assets::script()),
                "/ui/icon.svg" => Ok(assets::icon()),
                _ => Err(unknown()),
            },
            Method::POST => {
                let asked = self.admitted(caller, request).await?;
                if path == "/ui/live" {
                    return live::stream(asked);
                }
                fragment(&path, &asked).await.map(|markup| answer::html(StatusCode::OK, markup))
            }
            _ => Ok(no_such_method()),
        }
    }

    /// Reads a request of the page and asks the engine to admit its sender.
    async fn admitted(&self, caller: Caller, request: Request<Body>) -> Result<Asked<'_>, Failure> {
        let (parts, body) = request.into_parts();
        own_page::check(&caller, &parts)?;
        check_json_type(&parts.headers, caller.page)?;
        let Behind { gateway, config, .. } = &*self.behind;
        let body = read_body(gateway, &caller, &parts.headers, body, config.body).await?;
        let context = caller.admit_for(gateway, Some(config.call_timeout()), None).await?;
        Ok(Asked { behind: &self.behind, caller, context, body })
    }
}

impl HttpDoor for UiDoor {
    fn serves(&self, path: &str) -> bool {
        path == "/ui" || path.starts_with("/ui/")
    }

    fn answer(&self, mut caller: Caller, request: Request<Body>) -> Answer<'_> {
        caller.door = "ui";
        let request_id = Arc::clone(&caller.request_id);
        let span = tracing::debug_span!("ui", %request_id, method = %request.method(), path = request.uri().path());
        let answered = async move {
            let answered = self.respond(caller, request).await;
            secured(answered.unwrap_or_else(|failure| refused(&failure, &request_id)))
        };
        Box::pin(answered.instrument(span))
    }

    fn refuse(&self, refusal: Refusal, request_id: &str, _: &Method) -> Response {
        secured(refused(&refusal.into(), request_id))
    }
}

/// What the page asks for by POST.
async fn fragment(path: &str, asked: &Asked<'_>) -> Result<Markup, Failure> {
    match path {
        "/ui/overview" => overview::show(asked).await,
        "/ui/servers" => servers::list(asked),
        "/ui/servers/add" => server_form::add(asked).await,
        "/ui/servers/remove" => server_form::remove(asked).await,
        "/ui/tools" => tools::list(asked),
        "/ui/tools/search" => search::search(asked).await,
        "/ui/tools/form" => run::form(asked),
        "/ui/tools/run" => run::run(asked).await,
        "/ui/sessions" => sessions::list(asked).await,
        "/ui/sessions/create" => sessions::create(asked).await,
        "/ui/sessions/show" => sessions::show(asked).await,
        "/ui/sessions/delete" => sessions::delete(asked).await,
        "/ui/usage" => usage::show(asked).await,
        _ => Err(unknown()),
    }
}

fn unknown() -> Failure {
    Error::new(ErrorKind::NotFound, "the dashboard has no such page; open /ui").into()
}

fn refused(failure: &Failure, request_id: &str) -> Response {
    failure.log(request_id);
    answer::html(failure.status, failure.render())
}

fn moved_here() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/ui"));
    response
}

fn no_such_method() -> Response {
    let refusal =
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "the dashboard takes GET and POST");
    let mut response = answer::html(refusal.status, Failure::from(refusal).render());
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
    response
}

fn secured(mut response: Response) -> Response {
    answer::secure(response.headers_mut());
    response
}
