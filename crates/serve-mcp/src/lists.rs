//! The gateway's own lists: `tools/list`, `prompts/list`, `resources/list`, `resources/templates/list`.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use gateway_core::{Context, ListMarks, OfferKind, RawJson, ToolEntry};

use crate::config::Expose;
use crate::core::Request;
use crate::failure::Failure;
use crate::input::json_text;
use crate::search;

/// For so long a client may keep a page, in milliseconds.
const TTL_MS: u64 = 1_000;

/// One entry: what it is called by, and its declaration.
struct Entry {
    key: Arc<str>,
    declaration: RawJson,
}

/// `tools/list`.
pub(crate) async fn tools(request: &Request) -> Result<RawJson, Failure> {
    let context = ready(request, |seen, now| seen.tools = now.tools).await?;
    let entries: Vec<Entry> = match request.client.expose {
        Expose::All => request.core.gateway.tools(&context).into_iter().map(tool_entry).collect(),
        Expose::Search => {
            let own =
                search::declarations().into_iter().map(|(name, raw)| Entry { key: name.into(), declaration: raw });
            let is_pinned =
                |tool: &ToolEntry| request.core.config.pinned.iter().any(|name| **name == *tool.qualified_name);
            let pinned = match request.core.config.pinned.is_empty() {
                true => Vec::new(),
                false => request.core.gateway.tools(&context),
            };
            own.chain(pinned.into_iter().filter(is_pinned).map(tool_entry)).collect()
        }
    };
    page(request, "tools", "name", &entries)
}

/// `prompts/list`, `resources/list` or `resources/templates/list`.
pub(crate) async fn offers(request: &Request, kind: OfferKind) -> Result<RawJson, Failure> {
    let entries: Vec<Entry> = match request.client.expose {
        Expose::Search => Vec::new(),
        Expose::All => {
            let context = ready(request, |seen, now| match kind {
                OfferKind::Prompt => seen.prompts = now.prompts,
                OfferKind::Resource | OfferKind::ResourceTemplate => seen.resources = now.resources,
            });
            let context = context.await?;
            let offers = request.core.gateway.offers(&context, kind);
            offers
                .iter()
                .map(|entry| Entry { key: Arc::clone(&entry.key), declaration: entry.declaration.raw().clone() })
                .collect()
        }
    };
    page(request, kind.list_member(), kind.key_member(), &entries)
}

/// The caller's context, when the servers that are just being started have told what they have. `see` notes what
/// the client is about to see, so that it is not told of it as a change.
async fn ready(request: &Request, see: impl FnOnce(&mut ListMarks, ListMarks)) -> Result<Context, Failure> {
    let gateway = &request.core.gateway;
    let context = request.sender.admit(gateway, None).await?;
    gateway.listed(&context, request.core.config.first_list_patience()).await;
    if let Some(session) = &request.session {
        let now = gateway.list_marks(&context);
        session.see(|seen| see(seen, now));
    }
    Ok(context)
}

fn tool_entry(tool: ToolEntry) -> Entry {
    Entry { key: tool.qualified_name, declaration: tool.tool.raw().clone() }
}

/// The page that the request's cursor names. A cursor is the key of the last entry before it, so that a list
/// may change while it is read.
fn page(request: &Request, member: &str, key_member: &str, entries: &[Entry]) -> Result<RawJson, Failure> {
    let start = match request.params.get("cursor").filter(|cursor| cursor.as_str() != "null") {
        None => 0,
        Some(cursor) => {
            let unknown =
                || Failure::invalid("`cursor` is not one that this list gave, or its place is gone; begin anew");
            let cursor: String = cursor.read().map_err(|_| unknown())?;
            let key = BASE64.decode(cursor).ok().and_then(|key| String::from_utf8(key).ok()).ok_or_else(unknown)?;
            let last = entries.iter().position(|entry| *entry.key == *key).ok_or_else(unknown)?;
            last + 1
        }
    };
    let size = request.core.config.page_size.max(1);
    let end = entries.len().min(start.saturating_add(size));
    let mut text =
        Vec::with_capacity(entries[start..end].iter().map(|entry| entry.declaration.as_bytes().len() + 80).sum());
    text.push(b'{');
    if request.client.is_modern() {
        let hints = format!(r#""resultType":"complete","ttlMs":{TTL_MS},"cacheScope":"private","#);
        text.extend_from_slice(hints.as_bytes());
    }
    text.extend_from_slice(format!("\"{member}\":[").as_bytes());
    for (place, entry) in entries[start..end].iter().enumerate() {
        if place > 0 {
            text.push(b',');
        }
        let declaration = mcp_wire::with_member(&entry.declaration, key_member, json_text(&entry.key).as_str());
        text.extend_from_slice(declaration.as_bytes());
    }
    text.push(b']');
    if let Some(last) = entries[start..end].last().filter(|_| end < entries.len()) {
        text.extend_from_slice(format!(r#","nextCursor":"{}""#, BASE64.encode(last.key.as_bytes())).as_bytes());
    }
    text.push(b'}');
    RawJson::parse(text).map_err(|_| Failure::new(mcp_wire::code::INTERNAL_ERROR, "the list cannot be written"))
}
