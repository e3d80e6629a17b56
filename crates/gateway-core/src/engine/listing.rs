//! Reading a server's tools: all pages, with an end in any case.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time;

use super::catalogue::excerpt;
use super::connection::Connection;
use super::supervisor::own_limit;
use crate::{Error, ErrorKind, RawJson, Result, ServerSpec, ServerTools, UpstreamInfo, UpstreamRequest};

/// More pages than any server needs; one that sends more is lying.
const MAX_PAGES: usize = 1_000;

/// Most tools of one server.
const MAX_TOOLS: usize = 100_000;

/// Longest cursor, in bytes: each is remembered while a list is read.
const MAX_CURSOR: usize = 16 * 1024;

/// Most bytes that one server's declarations may take.
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// The tools of one server. Each page must come within the server's request time-out.
pub(super) async fn read(spec: &Arc<ServerSpec>, connection: &Connection) -> Result<ServerTools> {
    let info = connection.upstream().info();
    let mut pages = Pages::default();
    if offers_tools(info) {
        let mut cursor = None;
        loop {
            let page = ask(spec, connection, cursor.as_deref()).await?;
            match pages.take(&page)? {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
    }
    for warning in &pages.warnings {
        tracing::warn!(server = spec.name(), warning, "tool list");
    }
    let tools = ServerTools::new(spec.name(), about(info), pages.tools).with_warnings(pages.warnings);
    for rejected in tools.rejected() {
        tracing::warn!(server = spec.name(), tool = rejected.name, reason = rejected.reason, "tool rejected");
    }
    Ok(tools)
}

#[derive(Default)]
struct Pages {
    tools: Vec<RawJson>,
    bytes: usize,
    cursors: HashSet<String>,
    warnings: Vec<String>,
}

impl Pages {
    /// Takes one page over and returns the cursor of the next.
    fn take(&mut self, page: &RawJson) -> Result<Option<String>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page<'a> {
            #[serde(borrow)]
            tools: Vec<&'a RawValue>,
            next_cursor: Option<String>,
        }
        let read: Page<'_> = page.read().map_err(|error| {
            Error::new(ErrorKind::UpstreamFailed, "its answer to tools/list is no list of tools").with_source(error)
        })?;
        for tool in read.tools {
            self.bytes += tool.get().len();
            if self.tools.len() >= MAX_TOOLS || self.bytes > MAX_BYTES {
                self.warnings.push(format!(
                    "the list is cut after {} tools: more than {MAX_TOOLS} tools or {MAX_BYTES} bytes",
                    self.tools.len()
                ));
                return Ok(None);
            }
            // Detached, since a slice would keep the whole page's message alive.
            self.tools.push(RawJson::slice_of(page.as_bytes(), tool).detached());
        }
        let Some(cursor) = read.next_cursor else { return Ok(None) };
        if cursor.len() > MAX_CURSOR {
            self.warnings.push(format!("the list is cut before a cursor of more than {MAX_CURSOR} bytes"));
            return Ok(None);
        }
        if self.cursors.len() + 1 >= MAX_PAGES {
            self.warnings.push(format!("the list is cut after {MAX_PAGES} pages"));
            return Ok(None);
        }
        if !self.cursors.insert(cursor.clone()) {
            self.warnings.push(format!("the server repeats the cursor {:?}; the list ends there", excerpt(&cursor)));
            return Ok(None);
        }
        Ok(Some(cursor))
    }
}

async fn ask(spec: &Arc<ServerSpec>, connection: &Connection, cursor: Option<&str>) -> Result<RawJson> {
    let params = match cursor {
        None => RawJson::empty_object(),
        Some(cursor) => RawJson::from_value(&serde_json::json!({ "cursor": cursor }))
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot write a cursor").with_source(error))?,
    };
    let limit = own_limit(spec);
    let request = UpstreamRequest::new("tools/list", params);
    time::timeout(limit, connection.request(request)).await.unwrap_or_else(|_| {
        let limit = limit.as_millis();
        Err(Error::new(ErrorKind::UpstreamTimeout, format!("no answer within {limit} ms")))
    })
}

/// Whether the server declares the `tools` capability. A server without it is not asked: the method
/// need not exist there.
fn offers_tools(info: &UpstreamInfo) -> bool {
    #[derive(Deserialize)]
    struct Capabilities<'a> {
        #[serde(borrow)]
        tools: Option<&'a RawValue>,
    }
    info.capabilities.read::<Capabilities<'_>>().is_ok_and(|capabilities| capabilities.tools.is_some())
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
