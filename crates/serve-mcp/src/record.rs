//! A legacy session as the store keeps it, so that it goes on at another replica or after a restart.

use std::collections::BTreeSet;

use gateway_core::{LogLevel, Principal, RawJson};
use mcp_wire::Revision;
use serde::{Deserialize, Serialize};

use crate::config::Expose;

/// Longest record. A longer one is written without the watched resources; where that is too long as well, the session
/// stays with its process.
const MAX_BYTES: usize = 256 * 1024;

/// A legacy session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SessionRecord {
    revision: String,
    capabilities: RawJson,
    expose: String,
    /// The gateway's session that it uses.
    pub(crate) gateway_session: Option<String>,
    pub(crate) owns_gateway_session: bool,
    principal: String,
    authenticated: bool,
    pub(crate) wishes: Wishes,
    /// It is over, and is being taken away.
    #[serde(default)]
    pub(crate) ended: bool,
}

/// What a client can wish anew in the course of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wishes {
    pub(crate) log_level: Option<LogLevel>,
    /// The resources that it watches, by the URIs that it knows them by.
    pub(crate) watched: BTreeSet<String>,
}

impl Wishes {
    /// `mine` and `theirs`, who both began with these: what either has changed counts, and of two levels mine.
    pub(crate) fn merge(&self, mine: &Self, theirs: &Self) -> Self {
        let log_level = if mine.log_level == self.log_level { theirs.log_level } else { mine.log_level };
        let is_kept = |uri: &&String| mine.watched.contains(*uri) || !self.watched.contains(*uri);
        let new = mine.watched.difference(&self.watched);
        let watched = theirs.watched.iter().filter(is_kept).chain(new).cloned().collect();
        Self { log_level, watched }
    }
}

impl SessionRecord {
    pub(crate) fn new(
        (revision, expose): (Revision, Expose),
        capabilities: &RawJson,
        principal: &Principal,
        (gateway_session, owns_gateway_session): (Option<&str>, bool),
        wishes: Wishes,
    ) -> Self {
        Self {
            revision: revision.as_str().to_owned(),
            capabilities: capabilities.clone(),
            expose: expose.as_str().to_owned(),
            gateway_session: gateway_session.map(str::to_owned),
            owns_gateway_session,
            principal: principal.id.clone(),
            authenticated: principal.authenticated,
            wishes,
            ended: false,
        }
    }

    /// Whether this caller opened it.
    pub(crate) fn is_of(&self, principal: &Principal) -> bool {
        self.principal == principal.id && self.authenticated == principal.authenticated
    }

    /// The revision of the protocol and what the client sees; `None` where this gateway knows no such.
    pub(crate) fn manner(&self) -> Option<(Revision, Expose)> {
        let revision = Revision::parse(&self.revision).filter(|revision| *revision != Revision::MODERN)?;
        Some((revision, Expose::parse(&self.expose)?))
    }

    pub(crate) fn capabilities(&self) -> RawJson {
        self.capabilities.detached()
    }

    /// The same of a session that is over.
    pub(crate) fn into_ended(self) -> Self {
        Self { ended: true, ..self }
    }

    /// Its bytes; `None` where they are too many.
    pub(crate) fn to_bytes(&self) -> Option<Vec<u8>> {
        let written = |record: &Self| serde_json::to_vec(record).ok().filter(|bytes| bytes.len() <= MAX_BYTES);
        written(self).or_else(|| {
            let wishes = Wishes { watched: BTreeSet::new(), ..self.wishes.clone() };
            written(&Self { wishes, ..self.clone() })
        })
    }

    /// The record in these bytes; `None` where they are none that this gateway can read.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(log_level: Option<LogLevel>, watched: &str) -> Wishes {
        Wishes { log_level, watched: watched.split_whitespace().map(str::to_owned).collect() }
    }

    #[test]
    fn what_either_changed_counts() {
        use LogLevel::{Debug, Error, Info};
        let check = |base: Wishes, mine: Wishes, theirs: Wishes, expected: Wishes| {
            assert_eq!(base.merge(&mine, &theirs), expected, "{base:?} {mine:?} {theirs:?}");
        };
        check(wishes(None, ""), wishes(None, ""), wishes(Some(Info), "a b"), wishes(Some(Info), "a b"));
        check(
            wishes(Some(Info), "a b"),
            wishes(Some(Error), "a c"),
            wishes(Some(Debug), "b d"),
            wishes(Some(Error), "c d"),
        );
        check(wishes(Some(Info), "a"), wishes(Some(Info), ""), wishes(None, "a b"), wishes(None, "b"));
    }

    #[test]
    fn a_record_that_is_too_long_leaves_out_what_it_can() {
        let principal = Principal { id: "ann".to_owned(), authenticated: true };
        let record = |capabilities: &str, watched: String| {
            let wishes = Wishes { log_level: Some(LogLevel::Info), watched: BTreeSet::from([watched]) };
            let capabilities = RawJson::parse(capabilities.to_owned()).expect("JSON");
            let manner = (Revision::LATEST_LEGACY, Expose::All);
            SessionRecord::new(manner, &capabilities, &principal, (Some("sess_1"), true), wishes)
        };
        let small = record(r#"{"roots":{}}"#, "a:b".to_owned());
        assert_eq!(SessionRecord::from_bytes(&small.to_bytes().expect("short")), Some(small.clone()));
        assert_eq!(small.manner(), Some((Revision::LATEST_LEGACY, Expose::All)));
        let long = record("{}", "x".repeat(MAX_BYTES)).to_bytes().expect("short without the URI");
        let read = SessionRecord::from_bytes(&long).expect("readable");
        assert_eq!(read.wishes, wishes(Some(LogLevel::Info), ""));
        let hopeless = format!(r#"{{"x":"{}"}}"#, "x".repeat(MAX_BYTES));
        assert_eq!(record(&hopeless, String::new()).to_bytes(), None);
        assert_eq!(SessionRecord::from_bytes(b"{}"), None);
    }
}
