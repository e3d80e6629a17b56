//! What all connections of one reference server share.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::declarations::{declarations, echo_like};
use super::subscribers::{Change, Subscribers};
use super::wire::INVALID_PARAMS;
use super::{Options, conformance, wire::Fault};

/// One reference server: its tools, its counters, and the requests under way.
#[derive(Debug)]
pub struct Server {
    pub(super) options: Options,
    pub(super) counters: Counters,
    /// Ends every request under way without an answer.
    pub(super) stop: CancellationToken,
    pub(super) requests: TaskTracker,
    pub(super) subscribers: Subscribers,
    tools: Mutex<Vec<String>>,
    prompts: Mutex<Vec<String>>,
}

/// What the server counted since it started.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Connections over stdio, sessions over HTTP.
    pub peers: AtomicU64,
    /// Requests that `notifications/cancelled` ended.
    pub cancelled_by_notification: AtomicU64,
    /// Requests that the end of their response stream ended.
    pub cancelled_by_disconnect: AtomicU64,
    /// Requests under way, without subscriptions.
    pub running: AtomicU64,
    /// Source of page cursors that were never named before.
    pub pages: AtomicU64,
}

/// Where messages of one connection or one POST go.
#[derive(Clone, Debug)]
pub(super) struct Outlet(pub mpsc::UnboundedSender<Frame>);

/// One message on its way out.
#[derive(Debug)]
pub(super) enum Frame {
    /// Answers a request.
    Answer {
        /// The HTTP status for it, where it travels alone.
        status: u16,
        /// The message.
        message: Vec<u8>,
    },
    /// A notification, or a request of the server's.
    Other(Vec<u8>),
    /// The event stream ends here; a client that can resume it gets the rest when it comes back. Nothing
    /// where streams cannot be resumed.
    HangUp,
}

impl Server {
    /// A server with these options; nobody can reach it yet.
    pub fn new(options: Options) -> Arc<Self> {
        Arc::new(Self {
            tools: Mutex::new(if options.conformance { conformance::tools() } else { declarations(&options) }),
            prompts: Mutex::new(if options.conformance { conformance::prompts() } else { Vec::new() }),
            options,
            counters: Counters::default(),
            stop: CancellationToken::new(),
            requests: TaskTracker::new(),
            subscribers: Subscribers::default(),
        })
    }

    /// The declarations of its tools.
    pub(super) fn tools(&self) -> MutexGuard<'_, Vec<String>> {
        lock(&self.tools)
    }

    /// Adds a tool that behaves like `echo`.
    pub(super) fn add_tool(&self, name: &str) {
        self.tools().push(echo_like(name));
        self.subscribers.announce(&Change::Tools);
    }

    /// The declarations of its prompts.
    pub(super) fn prompts(&self) -> MutexGuard<'_, Vec<String>> {
        lock(&self.prompts)
    }

    /// The names of tools that were generated or added.
    pub(super) fn is_echo_like(&self, name: &str) -> bool {
        let declaration = echo_like(name);
        self.tools().contains(&declaration)
    }

    /// One page of a list as the inside of an object: `"tools":[..]`, say, and a cursor.
    pub(super) fn page(&self, key: &str, items: &[String], cursor: Option<&str>) -> Result<String, Fault> {
        let size = if self.options.page_size == 0 { items.len() } else { self.options.page_size };
        let start = match cursor {
            None => 0,
            Some(cursor) => cursor
                .strip_prefix("from:")
                .and_then(|number| number.parse::<usize>().ok())
                .or_else(|| cursor.starts_with("again:").then_some(0))
                .filter(|&start| start < items.len())
                .ok_or_else(|| Fault::new(INVALID_PARAMS, format!("unknown cursor {cursor}")))?,
        };
        let end = items.len().min(start.saturating_add(size));
        let next = if self.options.endless_cursor {
            Some("again:0".to_owned())
        } else if self.options.endless_pages {
            Some(format!("again:{}", self.counters.pages.fetch_add(1, Relaxed)))
        } else {
            (end < items.len()).then(|| format!("from:{end}"))
        };
        let next = next.map(|next| format!(r#","nextCursor":"{next}""#)).unwrap_or_default();
        Ok(format!(r#""{key}":[{}]{next}"#, items[start..end].join(",")))
    }
}

impl Frame {
    /// The message; empty where there is none.
    pub(super) fn message(&self) -> &[u8] {
        match self {
            Self::Answer { message, .. } | Self::Other(message) => message,
            Self::HangUp => &[],
        }
    }
}

impl Outlet {
    /// Sends a message; `false` where nobody takes it any more.
    pub(super) fn send(&self, frame: Frame) -> bool {
        self.0.send(frame).is_ok()
    }
}

/// Locks; a panic in another test's task must not hide what this one has to say.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(page: &str) -> Vec<String> {
        let page: serde_json::Value = serde_json::from_str(&format!("{{{page}}}")).expect("JSON");
        let tools = page["tools"].as_array().expect("an array").clone();
        tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
    }

    #[test]
    fn pages_hold_every_tool_once() {
        let server = Server::new(Options { page_size: 7, extra_tools: 3, ..Options::default() });
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = server.page("tools", &server.tools(), cursor.as_deref()).expect("a page");
            seen.extend(names(&page));
            let Some((_, rest)) = page.rsplit_once(r#""nextCursor":""#) else { break };
            cursor = Some(rest.trim_end_matches('"').to_owned());
        }
        assert_eq!(seen.len(), super::super::TOOLS.len() + 3);
        assert_eq!(seen.iter().collect::<std::collections::HashSet<_>>().len(), seen.len());
        assert!(server.page("tools", &server.tools(), Some("from:999")).is_err());
    }
}
