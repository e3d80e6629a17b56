//! Prompts, resources and resource templates of a set of servers, and what their names and URIs mean.
//! Immutable.
//!
//! A URI that several servers use is shown with its server in front: `notes+file:///a.txt`. That is a URI
//! whose scheme says where it comes from, and taking the front off gives the server's own URI back.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use uuid::Uuid;

use super::catalogue::{Visible, excerpt};
use super::names::{NameSheet, NameTable, Place};
use super::uri_template;
use crate::{Declaration, Error, ErrorKind, OfferEntry, OfferKind, Prefix, Result, ServerOffer, ServerSpec, Target};

/// The offers of a list of servers.
#[derive(Debug)]
pub(crate) struct Directory {
    servers: Vec<Shelf>,
    prompts: NameTable,
    resources: UriTable,
    templates: UriTable,
}

#[derive(Debug)]
struct Shelf {
    name: Arc<str>,
    uuid: Uuid,
    /// What stands before its URIs where they need it: `notes+`.
    front: String,
    offer: Arc<ServerOffer>,
}

/// What the URIs, or templates, of several servers are shown as.
#[derive(Debug, Default)]
struct UriTable {
    shown: Vec<Vec<Arc<str>>>,
    by_uri: HashMap<Box<str>, Vec<Place>>,
}

impl Directory {
    /// Servers come in the session's order, which decides collisions.
    pub(super) fn new(servers: Vec<(Arc<ServerSpec>, Arc<ServerOffer>)>, prefix: Prefix) -> Self {
        let mut fronts = HashSet::new();
        let servers: Vec<_> = servers
            .into_iter()
            .map(|(spec, offer)| Shelf {
                name: spec.name().into(),
                uuid: spec.uuid(),
                front: front(spec.name(), &mut fronts),
                offer,
            })
            .collect();
        let sheet = |shelf: &Shelf| Arc::new(NameSheet::new(&shelf.name, keys(shelf, OfferKind::Prompt)));
        let prompts = NameTable::new(servers.iter().map(sheet).collect(), prefix);
        let resources = UriTable::new(&servers, OfferKind::Resource, prefix);
        let templates = UriTable::new(&servers, OfferKind::ResourceTemplate, prefix);
        Self { servers, prompts, resources, templates }
    }

    /// Whether it was made of these servers with these offers.
    pub(super) fn is_of(&self, servers: &[(Arc<ServerSpec>, Arc<ServerOffer>)]) -> bool {
        let own = self.servers.iter().map(|shelf| (shelf.uuid, shelf.offer.content_hash()));
        own.eq(servers.iter().map(|(spec, offer)| (spec.uuid(), offer.content_hash())))
    }

    /// All declarations of one kind that are visible, server by server.
    pub(crate) fn entries(&self, kind: OfferKind, visible: Visible<'_>) -> Vec<OfferEntry> {
        let mut entries = Vec::new();
        for (server, shelf) in self.servers.iter().enumerate() {
            let shown = |item| {
                let place = Place::new(server, item);
                match kind {
                    OfferKind::Prompt => self.prompts.shown(place),
                    OfferKind::Resource => self.resources.shown(place),
                    OfferKind::ResourceTemplate => self.templates.shown(place),
                }
            };
            for (item, declaration) in shelf.offer.of(kind).iter().enumerate() {
                let Some(shown) = shown(item) else { continue };
                if visible(&shelf.name, declaration.key()) {
                    entries.push(OfferEntry {
                        server: Arc::clone(&shelf.name),
                        server_uuid: shelf.uuid,
                        key: Arc::clone(shown),
                        declaration: Arc::clone(declaration),
                    });
                }
            }
        }
        entries
    }

    /// The place of the server that a target means, and what that server calls it.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` where several servers may be meant.
    pub(crate) fn resolve(&self, target: &Target, visible: Visible<'_>) -> Result<(usize, String)> {
        match target {
            Target::Prompt(name) => self.prompt(name, visible),
            Target::Resource(uri) => self.resource(uri, visible),
            Target::ResourceTemplate(template) => self.template(template, visible),
        }
    }

    /// What a URI of one server is shown as.
    pub(crate) fn shown_uri(&self, server: Uuid, uri: &str) -> String {
        let Some(place) = self.servers.iter().position(|shelf| shelf.uuid == server) else { return uri.to_owned() };
        let listed = self.resources.places(uri).iter().find(|found| found.server as usize == place);
        let shown = listed.and_then(|&found| self.resources.shown(found));
        shown.map_or_else(|| uri.to_owned(), |shown| (**shown).to_owned())
    }

    fn prompt(&self, name: &str, visible: Visible<'_>) -> Result<(usize, String)> {
        let found = |place: Place| {
            let shelf = self.servers.get(place.server as usize)?;
            let declaration = shelf.offer.of(OfferKind::Prompt).get(place.item as usize)?;
            let is_visible = visible(&shelf.name, declaration.key());
            is_visible.then(|| (place.server as usize, declaration.key().to_owned()))
        };
        if let Some(found) = self.prompts.named(name).and_then(found) {
            return Ok(found);
        }
        let plain: Vec<_> = self.prompts.called(name).iter().filter_map(|&place| found(place)).collect();
        self.only("prompt", name, plain)
    }

    fn resource(&self, uri: &str, visible: Visible<'_>) -> Result<(usize, String)> {
        let fronted = self.without_front(uri);
        let knows = |place: usize, uri: &str| {
            let shelf = &self.servers[place];
            visible(&shelf.name, uri)
                && (keys(shelf, OfferKind::Resource).any(|key| key == uri)
                    || keys(shelf, OfferKind::ResourceTemplate).any(|template| uri_template::matches(template, uri)))
        };
        if let Some((place, own)) = fronted
            && knows(place, own)
        {
            return Ok((place, own.to_owned()));
        }
        let listed = |place: &Place| visible(&self.servers[place.server as usize].name, uri);
        let listed: Vec<_> = self.resources.places(uri).iter().filter(|place| listed(place)).collect();
        if let Some(first) = listed.first() {
            // Shown as it is, and so meant: the others are shown with their server in front.
            let shown = self.resources.shown(**first);
            if listed.len() == 1 || shown.is_some_and(|shown| **shown == *uri) {
                return Ok((first.server as usize, uri.to_owned()));
            }
            return self.only(
                "resource",
                uri,
                listed.iter().map(|place| (place.server as usize, uri.to_owned())).collect(),
            );
        }
        if let Some((place, own)) = fronted.filter(|(place, own)| visible(&self.servers[*place].name, own)) {
            return Ok((place, own.to_owned()));
        }
        // Not listed: results name resources that no list has.
        let all = || (0..self.servers.len()).filter(|&place| visible(&self.servers[place].name, uri));
        let matching: Vec<_> = all().filter(|&place| knows(place, uri)).collect();
        let related: Vec<_> = match matching.len() {
            0 => all().filter(|&place| shares_scheme(&self.servers[place], uri)).collect(),
            _ => matching,
        };
        self.only("resource", uri, related.into_iter().map(|place| (place, uri.to_owned())).collect())
    }

    fn template(&self, template: &str, visible: Visible<'_>) -> Result<(usize, String)> {
        let found = |place: usize, own: &str| {
            let shelf = &self.servers[place];
            let is_there =
                keys(shelf, OfferKind::ResourceTemplate).chain(keys(shelf, OfferKind::Resource)).any(|key| key == own);
            (is_there && visible(&shelf.name, own)).then(|| (place, own.to_owned()))
        };
        if let Some(found) = self.without_front(template).and_then(|(place, own)| found(place, own)) {
            return Ok(found);
        }
        let plain: Vec<_> = (0..self.servers.len()).filter_map(|place| found(place, template)).collect();
        self.only("resource template", template, plain)
    }

    fn only(&self, what: &str, name: &str, found: Vec<(usize, String)>) -> Result<(usize, String)> {
        let servers = || found.iter().map(|(place, _)| &*self.servers[*place].name).collect::<Vec<_>>().join(", ");
        match found.len() {
            1 => {}
            0 => return Err(Error::new(ErrorKind::NotFound, format!("there is no {what} `{}`", excerpt(name)))),
            _ => {
                let servers = servers();
                let message = format!("several servers have a {what} `{}`: {servers}", excerpt(name));
                return Err(Error::new(ErrorKind::Conflict, message));
            }
        }
        found.into_iter().next().ok_or_else(|| Error::new(ErrorKind::Internal, "one is none"))
    }

    /// The server that stands in front of a URI, and the rest.
    fn without_front<'u>(&self, uri: &'u str) -> Option<(usize, &'u str)> {
        let (_, rest) = uri.split_once('+')?;
        let front = &uri[..uri.len() - rest.len()];
        let place = self.servers.iter().position(|shelf| shelf.front == front)?;
        Some((place, rest))
    }
}

impl UriTable {
    fn new(servers: &[Shelf], kind: OfferKind, prefix: Prefix) -> Self {
        let mut table = Self::default();
        for (server, shelf) in servers.iter().enumerate() {
            for (item, uri) in keys(shelf, kind).enumerate() {
                table.by_uri.entry(uri.into()).or_default().push(Place::new(server, item));
            }
        }
        for (server, shelf) in servers.iter().enumerate() {
            let show = |(item, uri): (usize, &str)| -> Arc<str> {
                let same = table.places(uri);
                let as_it_is = match prefix {
                    Prefix::Always => false,
                    Prefix::OnCollision => same.len() == 1,
                    Prefix::Never => same.first() == Some(&Place::new(server, item)),
                };
                if as_it_is { uri.into() } else { format!("{}{uri}", shelf.front).into() }
            };
            let shown = keys(shelf, kind).enumerate().map(show).collect();
            table.shown.push(shown);
        }
        table
    }

    fn shown(&self, place: Place) -> Option<&Arc<str>> {
        self.shown.get(place.server as usize)?.get(place.item as usize)
    }

    fn places(&self, uri: &str) -> &[Place] {
        self.by_uri.get(uri).map_or(&[], Vec::as_slice)
    }
}

fn keys(shelf: &Shelf, kind: OfferKind) -> impl Iterator<Item = &str> {
    shelf.offer.of(kind).iter().map(|declaration: &Arc<Declaration>| declaration.key())
}

/// What stands before a server's URIs: its name as the beginning of a URI scheme (RFC 3986, section 3.1), and
/// `+`. No two servers have the same.
fn front(name: &str, taken: &mut HashSet<String>) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') { c.to_ascii_lowercase() } else { '-' };
    let mut stem: String = name.chars().map(safe).collect();
    if !stem.starts_with(|c: char| c.is_ascii_alphabetic()) {
        stem.insert(0, 's');
    }
    let mut front = format!("{stem}+");
    let mut round = 2;
    while !taken.insert(front.clone()) {
        front = format!("{stem}-{round}+");
        round += 1;
    }
    front
}

/// Whether a server has resources, or templates, whose URIs begin like this one.
fn shares_scheme(shelf: &Shelf, uri: &str) -> bool {
    let Some((scheme, _)) = uri.split_once(':') else { return false };
    let mut known = keys(shelf, OfferKind::Resource).chain(keys(shelf, OfferKind::ResourceTemplate));
    known.any(|key| key.split_once(':').is_some_and(|(own, _)| own == scheme))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Endpoint, RawJson, Url};

    fn shelf(
        server: &str,
        prompts: &[&str],
        resources: &[&str],
        templates: &[&str],
    ) -> (Arc<ServerSpec>, Arc<ServerOffer>) {
        let spec = ServerSpec::new(server, "http", Endpoint::Url(Url::default())).expect("valid name");
        let declare = |kind: OfferKind, keys: &[&str]| {
            let raw = |key: &&str| RawJson::from_value(&serde_json::json!({ kind.key_member(): key })).expect("JSON");
            keys.iter().map(|key| Declaration::parse(kind, raw(key)).expect("declared")).collect()
        };
        let offer = ServerOffer::new(
            declare(OfferKind::Prompt, prompts),
            declare(OfferKind::Resource, resources),
            declare(OfferKind::ResourceTemplate, templates),
        );
        (Arc::new(spec), Arc::new(offer))
    }

    fn two() -> Vec<(Arc<ServerSpec>, Arc<ServerOffer>)> {
        vec![
            shelf("Notes 1", &["ask"], &["file:///a", "file:///b"], &["note://{id}"]),
            shelf("git", &["ask", "tell"], &["file:///a", "git+https://h/x"], &["repo://{owner}/{+path}"]),
        ]
    }

    #[test]
    fn shown_names_and_uris_follow_the_prefix() {
        let check = |prefix: Prefix, kind: OfferKind, expected: &[&str]| {
            let directory = Directory::new(two(), prefix);
            let shown: Vec<_> =
                directory.entries(kind, &|_, _| true).iter().map(|entry| entry.key.to_string()).collect();
            assert_eq!(shown, expected, "{prefix:?} {kind:?}");
        };
        check(Prefix::Always, OfferKind::Prompt, &["Notes_1__ask", "git__ask", "git__tell"]);
        check(Prefix::Never, OfferKind::Prompt, &["ask", "git__ask", "tell"]);
        check(
            Prefix::Always,
            OfferKind::Resource,
            &["notes-1+file:///a", "notes-1+file:///b", "git+file:///a", "git+git+https://h/x"],
        );
        check(
            Prefix::OnCollision,
            OfferKind::Resource,
            &["notes-1+file:///a", "file:///b", "git+file:///a", "git+https://h/x"],
        );
        check(Prefix::Never, OfferKind::Resource, &["file:///a", "file:///b", "git+file:///a", "git+https://h/x"]);
        check(Prefix::OnCollision, OfferKind::ResourceTemplate, &["note://{id}", "repo://{owner}/{+path}"]);
    }

    #[test]
    fn what_is_shown_leads_back() {
        for prefix in [Prefix::Always, Prefix::OnCollision, Prefix::Never] {
            let directory = Directory::new(two(), prefix);
            for kind in OfferKind::ALL {
                for entry in directory.entries(kind, &|_, _| true) {
                    let target = match kind {
                        OfferKind::Prompt => Target::Prompt(entry.key.to_string()),
                        OfferKind::Resource => Target::Resource(entry.key.to_string()),
                        OfferKind::ResourceTemplate => Target::ResourceTemplate(entry.key.to_string()),
                    };
                    let (place, own) = directory.resolve(&target, &|_, _| true).expect("it is there");
                    assert_eq!(
                        (&*directory.servers[place].name, own.as_str()),
                        (&*entry.server, entry.declaration.key())
                    );
                    if kind == OfferKind::Resource {
                        assert_eq!(directory.shown_uri(entry.server_uuid, &own), *entry.key);
                    }
                }
            }
        }
    }

    #[test]
    fn uris_that_no_list_has_are_found_where_they_can_be() {
        let directory = Directory::new(two(), Prefix::Always);
        let check = |uri: &str, expected: std::result::Result<(usize, &str), ErrorKind>| {
            let found = directory.resolve(&Target::Resource(uri.to_owned()), &|_, _| true);
            let found = found.map_err(|error| error.kind());
            assert_eq!(
                found.as_ref().map(|(place, own)| (*place, own.as_str())).map_err(|kind| *kind),
                expected,
                "{uri}"
            );
        };
        check("file:///b", Ok((0, "file:///b")));
        check("file:///a", Err(ErrorKind::Conflict));
        check("note://7", Ok((0, "note://7")));
        check("repo://me/a/b/c", Ok((1, "repo://me/a/b/c")));
        check("notes-1+other://x", Ok((0, "other://x")));
        check("git+https://h/x", Ok((1, "git+https://h/x")));
        check("note:7", Ok((0, "note:7")));
        check("file:///c", Err(ErrorKind::Conflict));
        check("http://elsewhere", Err(ErrorKind::NotFound));
    }

    #[test]
    fn hidden_ones_do_not_exist() {
        let directory = Directory::new(two(), Prefix::Never);
        let visible: Visible<'_> = &|server, _| server == "git";
        assert_eq!(directory.entries(OfferKind::Resource, visible).len(), 2);
        let found = directory.resolve(&Target::Resource("file:///a".to_owned()), visible).expect("only one is visible");
        assert_eq!(found.0, 1);
        let hidden = directory.resolve(&Target::Prompt("Notes_1__ask".to_owned()), visible);
        assert_eq!(hidden.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    }
}
