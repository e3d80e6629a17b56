//! The legacy sessions of the door.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use gateway_core::{Error, ErrorKind, Result};

use crate::config::McpConfig;
use crate::session::{Opening, Session};

/// All legacy sessions over HTTP, by their ids.
#[derive(Debug)]
pub(crate) struct Sessions {
    live: DashMap<String, Arc<Session>>,
    max: usize,
    ttl: Duration,
    own_ttl: Duration,
    resume_window: Duration,
}

impl Sessions {
    pub(crate) fn new(config: &McpConfig) -> Self {
        Self {
            live: DashMap::new(),
            max: config.max_sessions,
            ttl: config.session_ttl(),
            own_ttl: config.own_session_ttl(),
            resume_window: config.resume_window(),
        }
    }

    /// Opens a session.
    ///
    /// # Errors
    /// `RateLimited` where there are too many.
    pub(crate) fn open(&self, opening: Opening) -> Result<Arc<Session>> {
        self.check_room()?;
        let id = format!("mcp_{:032x}", rand::random::<u128>());
        let session = Arc::new(Session::new(id.clone(), opening));
        self.live.insert(id, Arc::clone(&session));
        Ok(session)
    }

    /// Whether there is room for one more.
    ///
    /// # Errors
    /// `RateLimited` where there is none.
    pub(crate) fn check_room(&self) -> Result<()> {
        if self.live.len() < self.max {
            return Ok(());
        }
        let message = format!("there are {} MCP sessions already; close some or raise mcp.max_sessions", self.max);
        Err(Error::new(ErrorKind::RateLimited, message).with_retry_after_ms(10_000))
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<Session>> {
        self.live.get(id).map(|session| Arc::clone(&session))
    }

    pub(crate) fn remove(&self, id: &str) -> Option<Arc<Session>> {
        self.live.remove(id).map(|(_, session)| session)
    }

    /// Takes out the sessions whose time is over, and gives up streams that nobody came back for.
    pub(crate) fn tidy(&self) -> Vec<Arc<Session>> {
        let mut over = Vec::new();
        self.live.retain(|_, session| {
            session.streams.tidy(self.resume_window);
            let ttl = if session.owned_context().is_some() { self.own_ttl } else { self.ttl };
            let is_over = session.is_over(ttl);
            if is_over {
                over.push(Arc::clone(session));
            }
            !is_over
        });
        over
    }

    /// Takes all out.
    pub(crate) fn clear(&self) -> Vec<Arc<Session>> {
        let all = self.live.iter().map(|session| Arc::clone(&session)).collect();
        self.live.clear();
        all
    }
}
