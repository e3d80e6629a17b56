//! The session that `initialize` opened, of the revisions up to 2025-11-25. The client does not know of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use gateway_core::RawJson;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use mcp_wire::{Id, header};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

const SESSION_ID: HeaderName = HeaderName::from_static(header::SESSION_ID);
const PROTOCOL_VERSION: HeaderName = HeaderName::from_static(header::PROTOCOL_VERSION);

/// One session with the gateway.
#[derive(Debug)]
pub(super) struct Session {
    /// The headers of every message in it.
    pub(super) headers: HeaderMap,
    /// What the gateway tells of when it changes.
    pub(super) lists: Vec<&'static str>,
    /// Cancelled when another session takes its place.
    pub(super) ended: CancellationToken,
    is_heard: AtomicBool,
}

/// How the client opened its session, to do the same again when the gateway has lost it.
#[derive(Clone, Debug)]
pub(super) struct Greeting {
    /// The client's `initialize`.
    pub(super) initialize: Bytes,
    /// Its id.
    pub(super) id: Id,
    /// The client's `notifications/initialized`, once it has sent it.
    pub(super) initialized: Option<Bytes>,
}

/// The session that counts now.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    now: Mutex<(Option<Arc<Session>>, Option<Greeting>)>,
    /// Held while a lost session is opened anew: by one, while the others wait for it.
    pub(super) opening: tokio::sync::Mutex<()>,
}

impl Session {
    /// The session of an answer to `initialize` with the result `result`; `id` came in the answer's head.
    pub(super) fn new(id: Option<HeaderValue>, result: &RawJson, ended: CancellationToken) -> Self {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Initialized {
            protocol_version: Option<String>,
        }
        let initialized: Initialized = result.read().unwrap_or_default();
        let version = initialized.protocol_version.and_then(|version| HeaderValue::from_str(&version).ok());
        let mut headers = HeaderMap::new();
        headers.extend(id.map(|id| (SESSION_ID, id)));
        headers.extend(version.map(|version| (PROTOCOL_VERSION, version)));
        Self { headers, lists: changing_lists(result), ended, is_heard: AtomicBool::new(false) }
    }

    /// Notes that somebody listens to it; `false` where somebody did before.
    pub(super) fn begin_to_hear(&self) -> bool {
        !self.is_heard.swap(true, Ordering::AcqRel)
    }

    /// Whether the gateway knows it by an id, so that it can be lost.
    pub(super) fn has_id(&self) -> bool {
        self.headers.contains_key(SESSION_ID)
    }
}

impl Sessions {
    /// The session that counts now.
    pub(super) fn current(&self) -> Option<Arc<Session>> {
        self.lock().0.clone()
    }

    /// How it was opened.
    pub(super) fn greeting(&self) -> Option<Greeting> {
        self.lock().1.clone()
    }

    /// Puts a session that the client has opened in the place of the one before, which it returns.
    pub(super) fn begin(&self, session: Arc<Session>, greeting: Greeting) -> Option<Arc<Session>> {
        let mut now = self.lock();
        now.1 = Some(greeting);
        now.0.replace(session)
    }

    /// Notes that the client knows its session to be open.
    pub(super) fn confirm(&self, initialized: Bytes) {
        if let Some(greeting) = &mut self.lock().1 {
            greeting.initialized = Some(initialized);
        }
    }

    /// Puts a session that was opened anew in the place of the lost one.
    pub(super) fn replace(&self, session: Arc<Session>) {
        self.lock().0 = Some(session);
    }

    fn lock(&self) -> MutexGuard<'_, (Option<Arc<Session>>, Option<Greeting>)> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The notifications with which a server of these capabilities tells that a list of its has changed.
fn changing_lists(result: &RawJson) -> Vec<&'static str> {
    #[derive(Default, Deserialize)]
    struct Result {
        #[serde(default)]
        capabilities: Capabilities,
    }
    #[derive(Default, Deserialize)]
    struct Capabilities {
        #[serde(default)]
        tools: List,
        #[serde(default)]
        prompts: List,
        #[serde(default)]
        resources: List,
    }
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct List {
        #[serde(default)]
        list_changed: bool,
    }
    let Result { capabilities } = result.read().unwrap_or_default();
    let lists = [
        (capabilities.tools, "notifications/tools/list_changed"),
        (capabilities.prompts, "notifications/prompts/list_changed"),
        (capabilities.resources, "notifications/resources/list_changed"),
    ];
    lists.into_iter().filter(|(list, _)| list.list_changed).map(|(_, method)| method).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_from_the_answer() {
        let check = |id: Option<&'static str>, result: &str, headers: &[(&str, &str)], lists: &[&str]| {
            let result = RawJson::parse(result.to_owned()).expect("JSON");
            let session = Session::new(id.map(HeaderValue::from_static), &result, CancellationToken::new());
            let mut found: Vec<_> =
                session.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().expect("ASCII"))).collect();
            found.sort_unstable();
            assert_eq!((found.as_slice(), session.lists.as_slice(), session.has_id()), (headers, lists, id.is_some()));
        };
        check(
            Some("s1"),
            r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"prompts":{},"resources":{"listChanged":true,"subscribe":true},"logging":{}}}"#,
            &[("mcp-protocol-version", "2025-06-18"), ("mcp-session-id", "s1")],
            &["notifications/tools/list_changed", "notifications/resources/list_changed"],
        );
        check(None, r#"{"protocolVersion":5}"#, &[], &[]);
        check(None, r#"{"protocolVersion":"a\nb"}"#, &[], &[]);
        check(None, r#"{"protocolVersion":"2024-11-05"}"#, &[("mcp-protocol-version", "2024-11-05")], &[]);
    }
}
