//! Who hears of changes that belong to no request.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use serde::Deserialize;

use super::conformance::Session;
use super::server::{Frame, Outlet, lock};
use super::wire::{SUBSCRIPTION_ID, quote};

/// Everybody who hears of changes.
#[derive(Debug, Default)]
pub(super) struct Subscribers(Mutex<Vec<Subscriber>>);

#[derive(Debug)]
struct Subscriber {
    outlet: Outlet,
    interest: Interest,
}

/// What a subscriber hears of.
#[derive(Debug)]
pub(super) enum Interest {
    /// A legacy connection: every list, and the resources that it subscribed to.
    Session(Arc<Session>),
    /// A `subscriptions/listen` request: what it named, tagged with its id.
    Listen { id: String, filter: Filter },
}

/// What a `subscriptions/listen` request named.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Filter {
    tools_list_changed: bool,
    prompts_list_changed: bool,
    resource_subscriptions: HashSet<String>,
}

/// Something that changed.
#[derive(Debug)]
pub(super) enum Change {
    Tools,
    Prompts,
    /// The resource of this URI.
    Resource(String),
}

impl Subscribers {
    pub(super) fn add(&self, outlet: Outlet, interest: Interest) {
        lock(&self.0).push(Subscriber { outlet, interest });
    }

    /// Tells everybody who wants to know; who is gone is forgotten.
    pub(super) fn announce(&self, change: &Change) {
        lock(&self.0).retain(|Subscriber { outlet, interest }| match interest.wants(change) {
            true => outlet.send(Frame::Other(change.message(interest))),
            false => !outlet.0.is_closed(),
        });
    }
}

impl Interest {
    fn wants(&self, change: &Change) -> bool {
        match (self, change) {
            (Self::Session(_), Change::Tools | Change::Prompts) => true,
            (Self::Session(session), Change::Resource(uri)) => session.watches(uri),
            (Self::Listen { filter, .. }, Change::Tools) => filter.tools_list_changed,
            (Self::Listen { filter, .. }, Change::Prompts) => filter.prompts_list_changed,
            (Self::Listen { filter, .. }, Change::Resource(uri)) => filter.resource_subscriptions.contains(uri),
        }
    }
}

impl Filter {
    /// The usual server has only tools to tell of.
    pub(super) fn only_tools(self) -> Self {
        Self { tools_list_changed: self.tools_list_changed, ..Self::default() }
    }

    /// The filter as it is acknowledged.
    pub(super) fn as_json(&self) -> String {
        let mut parts = Vec::new();
        if self.tools_list_changed {
            parts.push(r#""toolsListChanged":true"#.to_owned());
        }
        if self.prompts_list_changed {
            parts.push(r#""promptsListChanged":true"#.to_owned());
        }
        if !self.resource_subscriptions.is_empty() {
            let mut uris: Vec<String> = self.resource_subscriptions.iter().map(|uri| quote(uri)).collect();
            uris.sort();
            parts.push(format!(r#""resourceSubscriptions":[{}]"#, uris.join(",")));
        }
        format!("{{{}}}", parts.join(","))
    }
}

impl Change {
    fn message(&self, to: &Interest) -> Vec<u8> {
        let (method, uri) = match self {
            Self::Tools => ("notifications/tools/list_changed", None),
            Self::Prompts => ("notifications/prompts/list_changed", None),
            Self::Resource(uri) => ("notifications/resources/updated", Some(uri)),
        };
        let uri = uri.map(|uri| format!(r#""uri":{}"#, quote(uri)));
        let tag = match to {
            Interest::Listen { id, .. } => Some(format!(r#""_meta":{{"{SUBSCRIPTION_ID}":{id}}}"#)),
            Interest::Session(_) => None,
        };
        let params: Vec<String> = uri.into_iter().chain(tag).collect();
        // A notification without parameters has none, rather than an empty object.
        let params = if params.is_empty() { String::new() } else { format!(r#","params":{{{}}}"#, params.join(",")) };
        format!(r#"{{"jsonrpc":"2.0","method":"{method}"{params}}}"#).into_bytes()
    }
}
