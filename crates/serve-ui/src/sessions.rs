//! Sessions: who has which servers for how long.

use std::time::{Duration, SystemTime};

use gateway_core::{Error, ErrorKind, NewSession, RawJson, SessionStatus};
use http_server::is_session_id;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use crate::asked::Asked;
use crate::failure::Failure;
use crate::format::{moment, plural, pretty};
use crate::parts::{Pages, empty, state};

/// Sessions on one page.
const PAGE: usize = 50;

#[derive(Debug, Deserialize)]
struct Which {
    id: String,
}

/// The list.
pub(crate) async fn list(asked: &Asked<'_>) -> Result<Markup, Failure> {
    #[derive(Deserialize)]
    struct Wanted {
        #[serde(default)]
        page: usize,
    }
    let Wanted { page } = asked.read()?;
    let mut sessions = asked.gateway().sessions(&asked.context).await?;
    sessions.sort_by_key(|session| std::cmp::Reverse(session.created_at));
    let pages = Pages::new(page, PAGE, sessions.len());
    let now = SystemTime::now();
    Ok(html! {
        @if sessions.is_empty() {
            (empty("No sessions", &html! { "Callers without a session share the default one. Make a session to try servers that others do not see." }))
        }
        ul.cards { @for session in pages.of(&sessions) { (card(session, now)) } }
        (pages.bar())
    })
}

/// Makes a session.
pub(crate) async fn create(asked: &Asked<'_>) -> Result<Markup, Failure> {
    #[derive(Deserialize)]
    struct New {
        #[serde(default)]
        ttl_minutes: String,
        #[serde(default)]
        metadata: String,
    }
    let New { ttl_minutes, metadata } = asked.read()?;
    let ttl = match ttl_minutes.trim() {
        "" => None,
        minutes => {
            let minutes: u32 = minutes.parse().ok().filter(|minutes| *minutes > 0).ok_or_else(|| {
                Failure::invalid("the life of a session must be a whole number of minutes, at least 1")
            })?;
            Some(Duration::from_secs(u64::from(minutes) * 60))
        }
    };
    let metadata = match metadata.trim() {
        "" => None,
        text => Some(
            RawJson::parse(text.to_owned())
                .map_err(|error| Failure::invalid(format!("the metadata is not valid JSON: {error}")))?,
        ),
    };
    let session = asked.gateway().create_session(&asked.context, NewSession { metadata, ttl }).await?;
    Ok(html! { div.notice.good role="status" {
        p { "Made the session " code { (session.id) } " with " (plural(session.servers.len(), "server")) "." }
    } })
}

/// One session.
pub(crate) async fn show(asked: &Asked<'_>) -> Result<Markup, Failure> {
    let id = named(asked)?;
    let session = asked.gateway().session(&asked.context, &id).await?;
    let now = SystemTime::now();
    Ok(html! {
        header.drawer-head { h2 { "Session" } p.meta { code { (session.id) } } }
        dl.facts {
            div { dt { "Made" } dd { (moment(session.created_at, now)) } }
            div { dt { "Last used" } dd { (moment(session.last_accessed, now)) } }
            div { dt { "Ends" } dd { (moment(session.expires_at, now)) " unless it is used" } }
        }
        @if session.metadata.as_str() != "{}" { h3 { "Metadata" } pre tabindex="0" { (pretty(session.metadata.as_str())) } }
        h3 { "Servers" }
        @if session.servers.is_empty() { p.muted { "It has none." } }
        ul.plain { @for server in &session.servers {
            li {
                details {
                    summary { b { (server.spec.name()) } " " (state(server.state)) " " (plural(server.tools.len(), "tool")) }
                    p.tools { @for tool in server.tools.iter().take(500) { code { (tool) } " " } }
                }
            }
        } }
        div.actions { (enter(&session.id)) }
    })
}

/// Ends a session.
pub(crate) async fn delete(asked: &Asked<'_>) -> Result<Markup, Failure> {
    let id = named(asked)?;
    asked.gateway().delete_session(&asked.context, &id).await?;
    Ok(
        html! { div.notice.good role="status" data-ended=(id) { p { "The session " code { (id) } " has ended, with its connections." } } },
    )
}

fn named(asked: &Asked<'_>) -> Result<String, Failure> {
    let Which { id } = asked.read()?;
    if !is_session_id(&id) {
        return Err(Error::new(ErrorKind::NotFound, "there is no session with this id").into());
    }
    Ok(id)
}

fn card(session: &SessionStatus, now: SystemTime) -> Markup {
    let body = json!({ "id": session.id }).to_string();
    let tools: usize = session.servers.iter().map(|server| server.tools.len()).sum();
    let question = format!("End the session {} and all of its connections?", session.id);
    html! {
        li.card.session data-session-id=(session.id) {
            div.head {
                h3.code { (session.id) }
                span.space {}
                button.small type="button" data-open="sessions/show" data-body=(body) aria-label=(format!("Inspect {}", session.id)) { "Inspect" }
                (enter(&session.id))
                button.small.danger type="button" data-do="sessions/delete" data-body=(body) data-confirm=(question)
                    data-reload="sessions" aria-label=(format!("End {}", session.id)) { "End" }
            }
            dl.facts {
                div { dt { "Servers" } dd { (session.servers.len()) } }
                div { dt { "Tools" } dd { (tools) } }
                div { dt { "Made" } dd { (moment(session.created_at, now)) } }
                div { dt { "Last used" } dd { (moment(session.last_accessed, now)) } }
                div { dt { "Ends" } dd { (moment(session.expires_at, now)) } }
            }
        }
    }
}

/// The button that makes the page work in a session.
fn enter(id: &str) -> Markup {
    html! { button.small type="button" data-enter=(id) { "Work in it" } }
}
