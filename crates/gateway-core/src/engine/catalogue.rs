//! All tools of a set of servers, with the table that resolves names. Immutable.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio::task::JoinError;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::names::{NameSheet, NameTable, Place};
use crate::{Error, ErrorKind, Index, Prefix, RawJson, Result, Router, ServerSpec, ServerTools, ToolEntry, ToolRef};

/// Most candidates that a message names; the details have all.
const MAX_CANDIDATES: usize = 10;

/// The tools of a list of servers.
#[derive(Debug)]
pub(crate) struct Catalogue {
    servers: Vec<Shelf>,
    by_name: HashMap<Arc<str>, u32>,
    names: NameTable,
    index: OnceCell<Arc<dyn Index>>,
    /// The index of the catalogue that this one replaced, as long as it has none of its own: a router makes the
    /// next index of what lives of the last one.
    last_index: Mutex<Option<Arc<dyn Index>>>,
    total: usize,
    content_hash: u64,
}

/// One server's part.
#[derive(Debug)]
struct Shelf {
    names: Arc<NameSheet>,
    uuid: Uuid,
    tools: Arc<ServerTools>,
}

impl Shelf {
    fn name(&self) -> &Arc<str> {
        self.names.server()
    }
}

/// A hash of servers, by their identities and the hashes of what they have.
pub(super) fn hash_of(servers: impl Iterator<Item = impl Hash>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for server in servers {
        server.hash(&mut hasher);
    }
    hasher.finish()
}

/// Whether the caller may see a tool, by the names of its server and itself.
pub(crate) type Visible<'a> = &'a (dyn Fn(&str, &str) -> bool + Send + Sync);

impl Catalogue {
    /// Gives every tool its name. Servers come in the session's order, which decides collisions. What `before`,
    /// the catalogue that this one replaces, has of the same tools is used again.
    pub(super) fn new(
        servers: Vec<(Arc<ServerSpec>, Arc<ServerTools>)>,
        prefix: Prefix,
        before: Option<&Self>,
    ) -> Self {
        let known: HashMap<_, _> =
            before.iter().flat_map(|before| &before.servers).map(|shelf| (Arc::as_ptr(&shelf.tools), shelf)).collect();
        let shelf = |(spec, tools): (Arc<ServerSpec>, Arc<ServerTools>)| {
            let known = known.get(&Arc::as_ptr(&tools)).filter(|known| **known.name() == *spec.name());
            let names = known.map_or_else(
                || Arc::new(NameSheet::new(spec.name(), tools.tools().iter().map(|tool| tool.name()))),
                |known| Arc::clone(&known.names),
            );
            Shelf { names, uuid: spec.uuid(), tools }
        };
        let servers: Vec<_> = servers.into_iter().map(shelf).collect();
        let by_name = (0..servers.len() as u32)
            .zip(&servers)
            .rev()
            .map(|(place, shelf)| (Arc::clone(shelf.name()), place))
            .collect();
        let names = NameTable::new(servers.iter().map(|shelf| Arc::clone(&shelf.names)).collect(), prefix);
        let total = servers.iter().map(|shelf| shelf.tools.tools().len()).sum();
        let last_index = Mutex::new(before.and_then(Self::living_index));
        let content_hash = hash_of(servers.iter().map(|shelf| (shelf.uuid, shelf.tools.content_hash())));
        Self { servers, by_name, names, index: OnceCell::new(), last_index, total, content_hash }
    }

    /// Whether it was made of these servers with these tools.
    pub(super) fn is_of(&self, servers: &[(Arc<ServerSpec>, Arc<ServerTools>)]) -> bool {
        let own = self.servers.iter().map(|shelf| (shelf.uuid, shelf.tools.content_hash()));
        own.eq(servers.iter().map(|(spec, tools)| (spec.uuid(), tools.content_hash())))
    }

    /// How many tools there are.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// A hash of its servers and their tools; equal content has an equal hash within one process.
    pub(super) fn content_hash(&self) -> u64 {
        self.content_hash
    }

    /// The place of a server, by name or UUID.
    pub(crate) fn server(&self, which: &str) -> Option<u32> {
        self.by_name.get(which).copied().or_else(|| {
            let uuid = Uuid::parse_str(which).ok()?;
            u32::try_from(self.servers.iter().position(|shelf| shelf.uuid == uuid)?).ok()
        })
    }

    /// One tool with all that doors show of it.
    pub(crate) fn entry(&self, tool_ref: ToolRef) -> Option<ToolEntry> {
        let shelf = self.servers.get(tool_ref.server as usize)?;
        Some(ToolEntry {
            server: Arc::clone(shelf.name()),
            server_uuid: shelf.uuid,
            qualified_name: Arc::clone(self.names.shown(place(tool_ref))?),
            tool: Arc::clone(shelf.tools.tools().get(tool_ref.tool as usize)?),
        })
    }

    /// All tools that are visible, server by server.
    pub(crate) fn entries(&self, visible: Visible<'_>) -> Vec<ToolEntry> {
        let mut entries = Vec::with_capacity(self.total);
        for (server, shelf) in self.servers.iter().enumerate() {
            for (tool, qualified_name) in shelf.tools.tools().iter().zip(self.names.of_server(server)) {
                if visible(shelf.name(), tool.name()) {
                    entries.push(ToolEntry {
                        server: Arc::clone(shelf.name()),
                        server_uuid: shelf.uuid,
                        qualified_name: Arc::clone(qualified_name),
                        tool: Arc::clone(tool),
                    });
                }
            }
        }
        entries
    }

    /// Whether a predicate on names holds for a tool.
    pub(crate) fn is_visible(&self, tool_ref: ToolRef, visible: Visible<'_>) -> bool {
        self.servers.get(tool_ref.server as usize).is_some_and(|shelf| {
            let tool = shelf.tools.tools().get(tool_ref.tool as usize);
            tool.is_some_and(|tool| visible(shelf.name(), tool.name()))
        })
    }

    /// The tool that a name means, among those visible; by table, never by splitting.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` with the candidates where a plain name is ambiguous.
    pub(crate) fn resolve(&self, name: &str, server: Option<u32>, visible: Visible<'_>) -> Result<ToolRef> {
        let admits = |tool_ref: &ToolRef| {
            server.is_none_or(|server| tool_ref.server == server) && self.is_visible(*tool_ref, visible)
        };
        let plain = || self.names.called(name).iter().map(|&place| place.into()).filter(admits);
        let qualified = || self.names.named(name).map(Into::into).filter(admits);
        // With a server named, the tool's own name goes first: a server may well call a tool
        // `other__echo`.
        let found = if server.is_some() { plain().next().or_else(qualified) } else { qualified() };
        if let Some(tool_ref) = found {
            return Ok(tool_ref);
        }
        let mut candidates = plain();
        match (candidates.next(), candidates.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => Err(self.ambiguous(name, plain())),
            (None, _) => Err(Error::new(ErrorKind::NotFound, format!("there is no tool `{}`", excerpt(name)))),
        }
    }

    fn ambiguous(&self, name: &str, candidates: impl Iterator<Item = ToolRef>) -> Error {
        let names: Vec<_> =
            candidates.filter_map(|candidate| self.entry(candidate)).map(|entry| entry.qualified_name).collect();
        let shown = names.iter().take(MAX_CANDIDATES).map(|name| &**name).collect::<Vec<_>>().join(", ");
        let more = match names.len().saturating_sub(MAX_CANDIDATES) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let message =
            format!("several servers offer a tool `{}`: use one of {shown}{more}, or name the `server`", excerpt(name));
        let details = RawJson::from_value(&serde_json::json!({ "candidates": names }));
        let error = Error::new(ErrorKind::Conflict, message);
        match details {
            Ok(details) => error.with_details(details),
            Err(_) => error,
        }
    }

    /// The router's index over these tools, made once, in a task of `tasks`: a caller who goes away does
    /// not leave it to the next one to begin anew.
    pub(crate) async fn index(
        self: &Arc<Self>,
        router: &Arc<dyn Router>,
        tasks: &TaskTracker,
    ) -> Result<&Arc<dyn Index>> {
        if self.index.get().is_none() {
            let (catalogue, router) = (Arc::clone(self), Arc::clone(router));
            let making = tasks.spawn(async move { catalogue.make_index(router).await.map(drop) });
            making.await.unwrap_or_else(|panic| Err(indexing_failed(panic)))?;
        }
        self.index.get().ok_or_else(|| Error::new(ErrorKind::Internal, "index the tools: the index is not there"))
    }

    async fn make_index(&self, router: Arc<dyn Router>) -> Result<&Arc<dyn Index>> {
        self.index
            .get_or_try_init(|| async {
                let servers: Vec<_> = self.servers.iter().map(|shelf| Arc::clone(&shelf.tools)).collect();
                let handle = Handle::current();
                // Indexing takes long for many tools, and must not hold up other calls.
                let indexing = tokio::task::spawn_blocking(move || handle.block_on(router.index(&servers)));
                let index = indexing.await.unwrap_or_else(|panic| Err(indexing_failed(panic)))?;
                *self.last_index() = None;
                Ok(index)
            })
            .await
    }

    /// Its own index, or else the one that it was given.
    fn living_index(&self) -> Option<Arc<dyn Index>> {
        self.index.get().cloned().or_else(|| self.last_index().clone())
    }

    fn last_index(&self) -> MutexGuard<'_, Option<Arc<dyn Index>>> {
        self.last_index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn indexing_failed(panic: JoinError) -> Error {
    Error::new(ErrorKind::Internal, "index the tools: the router broke off").with_source(panic)
}

fn place(tool_ref: ToolRef) -> Place {
    Place { server: tool_ref.server, item: tool_ref.tool }
}

/// The beginning of a text from outside, short enough for a message.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 100;
    // Somebody may read it on a terminal.
    let shown = text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
    let mut excerpt: String = shown.take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        excerpt.push('…');
    }
    excerpt
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Endpoint, Url};

    fn shelf(server: &str, tools: &[&str]) -> (Arc<ServerSpec>, Arc<ServerTools>) {
        let spec = ServerSpec::new(server, "http", Endpoint::Url(Url::default())).expect("valid name");
        let declared = tools
            .iter()
            .map(|name| serde_json::json!({"name": name, "inputSchema": {}}))
            .map(|tool| RawJson::from_value(&tool).expect("is JSON"))
            .collect();
        (Arc::new(spec), Arc::new(ServerTools::new(server, "", declared)))
    }

    fn names(prefix: Prefix, servers: &[(&str, &[&str])]) -> Vec<String> {
        let shelves = servers.iter().map(|(server, tools)| shelf(server, tools)).collect();
        let catalogue = Catalogue::new(shelves, prefix, None);
        catalogue.entries(&|_, _| true).iter().map(|entry| entry.qualified_name.to_string()).collect()
    }

    #[test]
    fn names_follow_the_prefix() {
        let servers: &[(&str, &[&str])] = &[("a", &["x", "y"]), ("b", &["x"])];
        assert_eq!(names(Prefix::Always, servers), ["a__x", "a__y", "b__x"]);
        assert_eq!(names(Prefix::OnCollision, servers), ["a__x", "y", "b__x"]);
        assert_eq!(names(Prefix::Never, servers), ["x", "y", "b__x"]);
    }

    #[test]
    fn names_are_unique_and_safe_whatever_servers_declare() {
        let long = "t".repeat(100);
        let servers: &[(&str, &[&str])] = &[("a b", &["x", "ü", long.as_str()]), ("a_b", &["x"]), ("a", &["b__x"])];
        let names = names(Prefix::Always, servers);
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
        for name in &names {
            assert!(name.len() <= 64, "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'), "{name}");
        }
    }

    #[test]
    fn resolves_by_table() {
        let shelves = vec![shelf("a", &["x", "only"]), shelf("b", &["x", "a__only"])];
        let catalogue = Catalogue::new(shelves, Prefix::Always, None);
        let check = |name: &str, server: Option<&str>, expected: std::result::Result<(u32, u32), ErrorKind>| {
            let server = server.map(|name| catalogue.server(name).expect("known server"));
            let found = catalogue.resolve(name, server, &|_, _| true);
            let found = found.map(|found| (found.server, found.tool)).map_err(|error| error.kind());
            assert_eq!(found, expected, "{name}");
        };
        check("a__x", None, Ok((0, 0)));
        check("only", None, Ok((0, 1)));
        check("x", None, Err(ErrorKind::Conflict));
        check("x", Some("b"), Ok((1, 0)));
        check("a__only", None, Ok((0, 1)));
        check("a__only", Some("b"), Ok((1, 1)));
        check("b__a__only", None, Ok((1, 1)));
        check("nope", None, Err(ErrorKind::NotFound));
        check("only", Some("b"), Err(ErrorKind::NotFound));
    }

    #[test]
    fn what_did_not_change_is_taken_over() {
        for prefix in [Prefix::Always, Prefix::OnCollision, Prefix::Never] {
            let shelves = vec![shelf("a", &["x", "y"]), shelf("b", &["x", "a__y"]), shelf("c", &["z"])];
            let before = Catalogue::new(shelves.clone(), prefix, None);
            let mut changed = shelves;
            changed[0] = shelf("a", &["x"]);
            changed.swap(1, 2);
            let after = Catalogue::new(changed.clone(), prefix, Some(&before));
            let is_old = |names: &Arc<NameSheet>| before.servers.iter().any(|shelf| Arc::ptr_eq(&shelf.names, names));
            let old: Vec<_> = after.servers.iter().map(|shelf| is_old(&shelf.names)).collect();
            assert_eq!(old, [false, true, true]);
            let fresh = Catalogue::new(changed, prefix, None);
            let names = |catalogue: &Catalogue| {
                let entries = catalogue.entries(&|_, _| true);
                entries.into_iter().map(|entry| entry.qualified_name).collect::<Vec<_>>()
            };
            assert_eq!(names(&after), names(&fresh));
        }
    }

    #[test]
    fn hidden_tools_do_not_exist() {
        let shelves = vec![shelf("a", &["x"]), shelf("b", &["x"])];
        let catalogue = Catalogue::new(shelves, Prefix::Always, None);
        let visible: Visible<'_> = &|server, _| server == "b";
        let found = catalogue.resolve("x", None, visible).expect("only one is visible");
        assert_eq!((found.server, found.tool), (1, 0));
        let hidden = catalogue.resolve("a__x", None, visible);
        assert_eq!(hidden.map_err(|error| error.kind()), Err(ErrorKind::NotFound));
    }
}
