//! The names of the tools or prompts of several servers, and which of them each name means.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::naming;
use crate::{Prefix, ToolRef};

/// A thing by its place: the server's in a list of servers, and its own in the server's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) server: u32,
    pub(super) item: u32,
}

impl Place {
    pub(super) fn new(server: usize, item: usize) -> Self {
        Self { server: u32::try_from(server).unwrap_or(u32::MAX), item: u32::try_from(item).unwrap_or(u32::MAX) }
    }
}

impl From<Place> for ToolRef {
    fn from(place: Place) -> Self {
        Self { server: place.server, tool: place.item }
    }
}

/// Names across servers. Names are resolved by this table and never by splitting them.
#[derive(Debug, Default)]
pub(super) struct NameTable {
    shown: Vec<Vec<Arc<str>>>,
    by_name: HashMap<Arc<str>, Place>,
    by_plain: HashMap<Box<str>, Vec<Place>>,
}

impl NameTable {
    /// Gives everything its name. `servers` are names of servers, each with the names of its things; their
    /// order decides collisions.
    pub(super) fn new(servers: &[(&str, Vec<&str>)], prefix: Prefix) -> Self {
        let mut table = Self::default();
        for (server, (_, items)) in servers.iter().enumerate() {
            for (item, name) in items.iter().enumerate() {
                table.by_plain.entry((*name).into()).or_default().push(Place::new(server, item));
            }
        }
        for (server, (server_name, items)) in servers.iter().enumerate() {
            let enter = |(item, name): (usize, &&str)| table.enter(Place::new(server, item), server_name, name, prefix);
            let shown = items.iter().enumerate().map(enter).collect();
            table.shown.push(shown);
        }
        table
    }

    /// What a thing is called across servers.
    pub(super) fn shown(&self, place: Place) -> Option<&Arc<str>> {
        self.shown.get(place.server as usize)?.get(place.item as usize)
    }

    /// The names of one server's things, in its order.
    pub(super) fn of_server(&self, server: usize) -> &[Arc<str>] {
        self.shown.get(server).map_or(&[], Vec::as_slice)
    }

    /// The thing that has this name across servers.
    pub(super) fn named(&self, name: &str) -> Option<Place> {
        self.by_name.get(name).copied()
    }

    /// The things that their servers call so.
    pub(super) fn called(&self, plain: &str) -> &[Place] {
        self.by_plain.get(plain).map_or(&[], Vec::as_slice)
    }

    /// Enters one thing and returns its name.
    fn enter(&mut self, place: Place, server: &str, item: &str, prefix: Prefix) -> Arc<str> {
        let full = naming::qualified(server, item);
        let same = self.called(item);
        let plain = match prefix {
            Prefix::Always => false,
            Prefix::OnCollision => same.len() == 1,
            Prefix::Never => same.first() == Some(&place),
        };
        let wanted = if plain { naming::plain(server, item) } else { full.clone() };
        let name = self.claim(wanted, place, server, item);
        // The full form always works, whatever the thing is shown as.
        if let Entry::Vacant(vacant) = self.by_name.entry(full.into()) {
            vacant.insert(place);
        }
        name
    }

    fn claim(&mut self, wanted: String, place: Place, server: &str, item: &str) -> Arc<str> {
        let mut name: Arc<str> = wanted.into();
        let mut round = 0;
        while self.by_name.contains_key(&name) {
            name = naming::distinguished(&name, server, item, round).into();
            round += 1;
        }
        self.by_name.insert(Arc::clone(&name), place);
        name
    }
}
