//! The legacy sessions of the door.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use gateway_core::{Error, ErrorKind, Result};

use crate::config::McpConfig;
use crate::core::SESSION;
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
        let id = format!("{SESSION}{:032x}", rand::random::<u128>());
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

    /// Takes in a session that another process had, where nobody was quicker.
    pub(crate) fn adopt(&self, session: Session) -> Arc<Session> {
        Arc::clone(&self.live.entry(session.id.clone()).or_insert_with(|| Arc::new(session)))
    }

    pub(crate) fn remove(&self, session: &Arc<Session>) {
        self.live.remove_if(&session.id, |_, live| Arc::ptr_eq(live, session));
    }

    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.live.iter().map(|session| Arc::clone(&session)).collect()
    }

    /// How long a session lives without use.
    pub(crate) fn ttl_of(&self, session: &Session) -> Duration {
        if session.owned_context().is_some() { self.own_ttl } else { self.ttl }
    }

    /// Those that should be brought together with their records, each until it has been.
    pub(crate) fn due(&self, store_tells: bool) -> Vec<Arc<Session>> {
        let is_due = |session: &Arc<Session>| {
            session.is_due(self.ttl_of(session), store_tells)
                && !session.kept.is_queued.swap(true, std::sync::atomic::Ordering::Relaxed)
        };
        self.live.iter().filter(|session| is_due(session)).map(|session| Arc::clone(&session)).collect()
    }

    /// Takes out the sessions whose time is over, and gives up streams that nobody came back for.
    pub(crate) fn tidy(&self) -> Vec<Arc<Session>> {
        let mut over = Vec::new();
        self.live.retain(|_, session| {
            session.streams.tidy(self.resume_window);
            let is_over = session.is_over(self.ttl_of(session));
            if is_over {
                over.push(Arc::clone(session));
            }
            !is_over
        });
        over
    }

    /// Takes all out.
    pub(crate) fn clear(&self) -> Vec<Arc<Session>> {
        let all = self.all();
        self.live.clear();
        all
    }
}
