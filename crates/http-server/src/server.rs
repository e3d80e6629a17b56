//! The server: its settings and its doors.

use std::sync::Arc;

use axum::body::Body;
use http::Request;

use crate::config::HttpServerConfig;
use crate::connection::Connection;
use crate::door::HttpDoor;
use crate::guard::Rules;
use crate::passage::Passage;

/// Doors behind one guard. [`serve`](crate::serve) runs it. Clones share everything.
#[derive(Clone, Debug)]
pub struct HttpServer {
    config: Arc<HttpServerConfig>,
    rules: Arc<Rules>,
    /// Asked in this order, before `last`.
    doors: Vec<Arc<dyn HttpDoor>>,
    last: Arc<dyn HttpDoor>,
}

impl HttpServer {
    /// A server with one door, whose requests are all that no other door takes.
    pub fn new(config: HttpServerConfig, last: Arc<dyn HttpDoor>) -> Self {
        let rules = Arc::new(Rules::new(&config));
        Self { config: Arc::new(config), rules, doors: Vec::new(), last }
    }

    /// With a door that is asked for its paths after those added before it, and before the one of
    /// [`new`](Self::new).
    pub fn with_door(mut self, door: Arc<dyn HttpDoor>) -> Self {
        self.doors.push(door);
        self
    }

    /// Answers one request that reached the program by other ways than [`serve`](crate::serve). Its caller does
    /// not count as local, and is never told that the gateway stops.
    pub fn answer(&self, request: Request<Body>) -> Passage<'_> {
        Passage::begin(self, None, request)
    }

    /// Answers one request that came on `connection`.
    pub(crate) fn answer_on<'a>(&'a self, connection: &'a Arc<Connection>, request: Request<Body>) -> Passage<'a> {
        Passage::begin(self, Some(connection), request)
    }

    pub(crate) fn config(&self) -> &HttpServerConfig {
        &self.config
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(crate) fn door_of(&self, path: &str) -> &dyn HttpDoor {
        self.doors.iter().find(|door| door.serves(path)).unwrap_or(&self.last).as_ref()
    }
}
