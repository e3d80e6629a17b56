//! Reading a server's lists: all pages, with an end in any case.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time;

use super::catalogue::excerpt;
use super::connection::Connection;
use super::supervisor::own_limit;
use crate::{
    Declaration, Era, Error, ErrorKind, OfferKind, RawJson, Result, ServerOffer, ServerSpec, ServerTools, UpstreamInfo,
    UpstreamRequest,
};

/// More pages than any server needs; one that sends more is lying.
const MAX_PAGES: usize = 1_000;

/// Most entries of one list.
const MAX_ENTRIES: usize = 100_000;

/// Longest cursor, in bytes: each is remembered while a list is read.
const MAX_CURSOR: usize = 16 * 1024;

/// Most bytes that the declarations of one list may take.
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// The tools of one server. Each page must come within the server's request time-out.
pub(super) async fn read(spec: &Arc<ServerSpec>, connection: &Connection) -> Result<ServerTools> {
    let info = connection.upstream().info();
    let list = if info.declares("tools") {
        read_list(spec, connection, "tools/list", "tools").await?
    } else {
        // A server without the capability is not asked: the method need not exist there.
        List::default()
    };
    let mut tools = ServerTools::new(spec.name(), about(info), list.entries).with_warnings(list.warnings);
    if info.era == Era::Modern && !spec.is_command() {
        tools = tools.without_broken_headers();
    }
    for rejected in tools.rejected() {
        tracing::warn!(server = spec.name(), tool = rejected.name, reason = rejected.reason, "tool rejected");
    }
    Ok(tools)
}

/// What one server offers besides tools. A list that cannot be read is empty: prompts and resources must
/// not keep a server's tools from anybody.
pub(super) async fn read_offer(spec: &Arc<ServerSpec>, connection: &Connection) -> ServerOffer {
    let info = connection.upstream().info();
    let read = async |kind: OfferKind| {
        if !info.declares(kind.capability()) {
            return Vec::new();
        }
        let entries = match read_list(spec, connection, kind.list_method(), kind.list_member()).await {
            Ok(list) => list.entries,
            Err(error) => {
                // Servers without templates often do not know the method.
                tracing::debug!(server = spec.name(), method = kind.list_method(), %error, "a list cannot be read");
                Vec::new()
            }
        };
        let mut keys = HashSet::new();
        let declared = entries.into_iter().filter_map(|raw| Declaration::parse(kind, raw));
        declared.filter(|declaration| keys.insert(declaration.key().to_owned())).collect()
    };
    let prompts = read(OfferKind::Prompt).await;
    let resources = read(OfferKind::Resource).await;
    ServerOffer::new(prompts, resources, read(OfferKind::ResourceTemplate).await)
}

#[derive(Default)]
struct List {
    entries: Vec<RawJson>,
    warnings: Vec<String>,
}

async fn read_list(
    spec: &Arc<ServerSpec>,
    connection: &Connection,
    method: &'static str,
    member: &'static str,
) -> Result<List> {
    let mut pages = Pages { method, member, ..Pages::default() };
    let mut cursor = None;
    loop {
        let page = ask(spec, connection, method, cursor.as_deref()).await?;
        match pages.take(&page)? {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    for warning in &pages.list.warnings {
        tracing::warn!(server = spec.name(), warning, method, "list");
    }
    Ok(pages.list)
}

#[derive(Default)]
struct Pages {
    method: &'static str,
    member: &'static str,
    list: List,
    bytes: usize,
    cursors: HashSet<String>,
}

impl Pages {
    /// Takes one page over and returns the cursor of the next.
    fn take(&mut self, page: &RawJson) -> Result<Option<String>> {
        let Self { method, member, .. } = *self;
        let unreadable =
            || Error::new(ErrorKind::UpstreamFailed, format!("its answer to {method} is no list of {member}"));
        let read: HashMap<Cow<'_, str>, &RawValue> = page.read().map_err(|error| unreadable().with_source(error))?;
        let entries = read.get(member).ok_or_else(unreadable)?;
        let entries: Vec<&RawValue> =
            serde_json::from_str(entries.get()).map_err(|error| unreadable().with_source(error))?;
        let warnings = &mut self.list.warnings;
        for entry in entries {
            self.bytes += entry.get().len();
            if self.list.entries.len() >= MAX_ENTRIES || self.bytes > MAX_BYTES {
                warnings.push(format!(
                    "the list is cut after {} {member}: more than {MAX_ENTRIES} {member} or {MAX_BYTES} bytes",
                    self.list.entries.len()
                ));
                return Ok(None);
            }
            // Detached, since a slice would keep the whole page's message alive.
            self.list.entries.push(RawJson::slice_of(page.as_bytes(), entry).detached());
        }
        let cursor = read.get("nextCursor").map(|cursor| serde_json::from_str::<Option<String>>(cursor.get()));
        let cursor = cursor.transpose().map_err(|error| unreadable().with_source(error))?.flatten();
        let Some(cursor) = cursor else { return Ok(None) };
        if cursor.len() > MAX_CURSOR {
            warnings.push(format!("the list is cut before a cursor of more than {MAX_CURSOR} bytes"));
            return Ok(None);
        }
        if self.cursors.len() + 1 >= MAX_PAGES {
            warnings.push(format!("the list is cut after {MAX_PAGES} pages"));
            return Ok(None);
        }
        if !self.cursors.insert(cursor.clone()) {
            warnings.push(format!("the server repeats the cursor {:?}; the list ends there", excerpt(&cursor)));
            return Ok(None);
        }
        Ok(Some(cursor))
    }
}

async fn ask(
    spec: &Arc<ServerSpec>,
    connection: &Connection,
    method: &'static str,
    cursor: Option<&str>,
) -> Result<RawJson> {
    let params = match cursor {
        None => RawJson::empty_object(),
        Some(cursor) => RawJson::from_value(&serde_json::json!({ "cursor": cursor }))
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot write a cursor").with_source(error))?,
    };
    let limit = own_limit(spec);
    let request = UpstreamRequest::new(method, params);
    time::timeout(limit, connection.request(request)).await.unwrap_or_else(|_| {
        let limit = limit.as_millis();
        Err(Error::new(ErrorKind::UpstreamTimeout, format!("no answer within {limit} ms")))
    })
}

/// What a server says of itself, for routers.
fn about(info: &UpstreamInfo) -> String {
    #[derive(Deserialize, Default)]
    struct ServerInfo {
        title: Option<String>,
        description: Option<String>,
    }
    let server_info: ServerInfo = info.server_info.as_ref().and_then(|raw| raw.read().ok()).unwrap_or_default();
    [server_info.title, server_info.description, info.instructions.clone()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n")
}
