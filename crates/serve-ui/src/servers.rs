//! The servers, and how they are.

use gateway_core::{Endpoint, ServerSpec, ServerState, ServerStatus};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;

use crate::asked::Asked;
use crate::failure::Failure;
use crate::format::{plural, sentence};
use crate::parts::{Pages, empty, state};

/// Servers on one page.
const PAGE: usize = 50;

#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    filter: String,
    #[serde(default)]
    page: usize,
}

/// Whether nothing is wrong with a server that is in use.
pub(crate) fn is_in_order(server: &ServerStatus) -> bool {
    match server.state {
        ServerState::Disabled | ServerState::Idle | ServerState::Ready => true,
        ServerState::Connecting => server.last_error.is_none(),
        ServerState::Degraded | ServerState::BackingOff | ServerState::Failed => false,
    }
}

/// The list.
pub(crate) fn list(asked: &Asked<'_>) -> Result<Markup, Failure> {
    let Wanted { filter, page } = asked.read()?;
    let all = asked.servers();
    let filter = filter.trim().to_lowercase();
    let mut shown: Vec<&ServerStatus> = all.iter().filter(|server| matches(server, &filter)).collect();
    // What needs a look comes first; otherwise the configured order stays.
    shown.sort_by_key(|server| is_in_order(server));
    let pages = Pages::new(page, PAGE, shown.len());
    Ok(html! {
        @if all.is_empty() {
            (empty("No servers yet", &html! { "Add one here, or name them in a servers file (" code { "servers.json" } ")." }))
        } @else if shown.is_empty() {
            (empty("No server matches", &html! { "Try other words." }))
        }
        ul.cards { @for server in pages.of(&shown) { (card(server)) } }
        (pages.bar())
    })
}

fn matches(server: &ServerStatus, filter: &str) -> bool {
    let spec = &server.spec;
    filter.is_empty()
        || spec.name().to_lowercase().contains(filter)
        || spec.transport().contains(filter)
        || address(spec).is_some_and(|address| address.to_lowercase().contains(filter))
}

fn card(server: &ServerStatus) -> Markup {
    let (spec, id) = (&server.spec, server.spec.uuid());
    let body = json!({ "uuid": id }).to_string();
    let question = format!(
        "Remove the server “{}” and its {}? Calls under way fail.",
        spec.name(),
        plural(server.tools.len(), "tool")
    );
    html! {
        li.card.server data-server=(spec.name()) {
            div.head {
                h3 { (spec.name()) }
                (state(server.state))
                span.space {}
                button.small.danger type="button" data-do="servers/remove" data-body=(body) data-confirm=(question)
                    data-reload="servers" aria-label=(format!("Remove {}", spec.name())) { "Remove" }
            }
            dl.facts {
                div { dt { "Transport" } dd { (spec.transport()) } }
                div { dt { "Tools" } dd {
                    @if server.tools.is_empty() { "0" }
                    @else { button.link type="button" data-go="tools" data-set-server=(spec.name()) { (server.tools.len()) } }
                } }
                @if let Some(version) = &server.protocol_version { div { dt { "Protocol" } dd { (version) } } }
                @if let Some(process) = server.process_id { div { dt { "Process" } dd { (process) } } }
                @if spec.shared() { div { dt { "Shared" } dd { "by all sessions" } } }
                @if let Some(address) = address(spec) {
                    div { dt { @if spec.is_command() { "Command" } @else { "URL" } } dd.code { (address) } }
                }
            }
            @if let Some(error) = &server.last_error { div.notice.bad { p { b { "Last error " } (sentence(error)) } } }
            @if !server.warnings.is_empty() || !server.rejected.is_empty() { (remarks(server)) }
            @if !server.stderr_tail.is_empty() { (stderr(server)) }
        }
    }
}

fn remarks(server: &ServerStatus) -> Markup {
    html! {
        details id=(format!("remarks-{}", server.spec.uuid())) {
            summary { (plural(server.warnings.len() + server.rejected.len(), "remark")) " about its tools" }
            ul {
                @for warning in &server.warnings { li { (sentence(warning)) } }
                @for rejected in &server.rejected {
                    li { b { (rejected.name.as_deref().unwrap_or("(without a name)")) } ": " (rejected.reason) }
                }
            }
        }
    }
}

fn stderr(server: &ServerStatus) -> Markup {
    html! {
        details id=(format!("stderr-{}", server.spec.uuid())) {
            summary { "Standard error · last " (plural(server.stderr_tail.len(), "line")) }
            pre.stderr tabindex="0" { (server.stderr_tail.join("\n")) }
        }
    }
}

/// Where a server is, without what may be secret: a program without its arguments, a URL without user, password and
/// query.
fn address(spec: &ServerSpec) -> Option<String> {
    match spec.endpoint() {
        Endpoint::Command(command) => Some(command.program.clone()),
        Endpoint::Url(url) => {
            let plain = url.url.split(['?', '#']).next().unwrap_or_default();
            let (scheme, rest) = plain.split_once("://")?;
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            Some(format!("{scheme}://{}{path}", authority.rsplit('@').next().unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gateway_core::{RejectedTool, Url};

    use super::*;

    fn server(url: &str) -> ServerStatus {
        let endpoint = Endpoint::Url(Url { url: url.to_owned(), ..Url::default() });
        ServerStatus {
            spec: Arc::new(ServerSpec::new("<i>name</i>", "http", endpoint).expect("valid")),
            state: ServerState::Failed,
            last_error: Some("<script>alert(1)</script>".to_owned()),
            stderr_tail: vec!["</pre><img src=x onerror=alert(1)>".to_owned()],
            tools: vec!["t".to_owned()],
            rejected: vec![RejectedTool { name: Some("<u>".to_owned()), reason: "<s>".to_owned() }],
            warnings: vec!["<b onclick=x>".to_owned()],
            protocol_version: Some("<p>".to_owned()),
            process_id: None,
            about: String::new(),
        }
    }

    #[test]
    fn what_a_server_says_is_text() {
        let text = card(&server("https://user:hush@host/<a>?key=hush")).into_string();
        for bad in ["<i>", "<script", "<img", "<u>", "<s>", "<b onclick", "<a>", "<p></", "hush"] {
            assert!(!text.contains(bad), "{bad}: {text}");
        }
        assert!(text.contains("https://host/&lt;a&gt;"), "{text}");
    }
}
