//! What one client said of itself, and asked for to last.

use std::collections::HashSet;
use std::sync::Mutex;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::Streams;
use super::resources;
use crate::reference::server::lock;
use crate::reference::wire::{Fault, INVALID_PARAMS, Params};

/// The levels of log messages, from the least.
const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// A legacy session's memory. Modern clients have none.
#[derive(Debug, Default)]
pub(in crate::reference) struct Session {
    capabilities: Mutex<Capabilities>,
    /// The place in [`LEVELS`] of the least that it wants to hear; at first it hears all.
    level: Mutex<usize>,
    watched: Mutex<HashSet<String>>,
    /// Streams that it can come back to.
    pub streams: Streams,
}

/// What a client can be asked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Capabilities {
    sampling: bool,
    elicitation: bool,
    roots: bool,
}

impl Session {
    /// Remembers the capabilities that `initialize` named.
    pub(in crate::reference) fn greet(&self, capabilities: &RawValue) {
        *lock(&self.capabilities) = Capabilities::parse(capabilities);
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        *lock(&self.capabilities)
    }

    /// Whether it subscribed to this resource.
    pub(in crate::reference) fn watches(&self, uri: &str) -> bool {
        lock(&self.watched).contains(uri)
    }

    pub(super) fn watch(&self, params: &Params<'_>) -> Result<String, Fault> {
        let uri = resources::uri(params)?;
        if !resources::exists(uri) {
            return Err(resources::not_found(uri, false));
        }
        lock(&self.watched).insert(uri.to_owned());
        Ok("{}".to_owned())
    }

    pub(super) fn unwatch(&self, params: &Params<'_>) -> Result<String, Fault> {
        lock(&self.watched).remove(resources::uri(params)?);
        Ok("{}".to_owned())
    }

    pub(super) fn set_level(&self, params: &str) -> Result<String, Fault> {
        #[derive(Deserialize)]
        struct Asked {
            level: String,
        }
        let asked: Asked =
            serde_json::from_str(params).map_err(|error| Fault::new(INVALID_PARAMS, format!("params: {error}")))?;
        let place = place(&asked.level).ok_or_else(|| Fault::new(INVALID_PARAMS, "no such level"))?;
        *lock(&self.level) = place;
        Ok("{}".to_owned())
    }

    /// Whether a log message of this level goes to the client. A modern one hears only what its request
    /// asked for (SEP-2575).
    pub(super) fn hears(&self, level: &str, modern: bool, params: &Params<'_>) -> bool {
        let asked = params.meta.as_ref().and_then(|meta| meta.log_level);
        let least = match (modern, asked) {
            (false, _) => Some(*lock(&self.level)),
            (true, asked) => asked.and_then(|text| place(text.get().trim_matches('"'))),
        };
        least.is_some_and(|least| place(level) >= Some(least))
    }
}

impl Capabilities {
    pub(super) fn parse(text: &RawValue) -> Self {
        #[derive(Default, Deserialize)]
        struct Declared {
            sampling: Option<IgnoredAny>,
            elicitation: Option<IgnoredAny>,
            roots: Option<IgnoredAny>,
        }
        let declared: Declared = serde_json::from_str(text.get()).unwrap_or_default();
        Self {
            sampling: declared.sampling.is_some(),
            elicitation: declared.elicitation.is_some(),
            roots: declared.roots.is_some(),
        }
    }

    pub(super) fn have(self, name: &str) -> bool {
        match name {
            "sampling" => self.sampling,
            "elicitation" => self.elicitation,
            "roots" => self.roots,
            _ => false,
        }
    }
}

fn place(level: &str) -> Option<usize> {
    LEVELS.iter().position(|&known| known == level)
}
