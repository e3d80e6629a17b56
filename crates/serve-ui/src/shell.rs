//! The page without data: what everybody may see who passes the guard.

use maud::{DOCTYPE, Markup, html};

use crate::icons::Icon;
use crate::usage::{GROUPS, WINDOWS};

/// The views: the word in the address, the name, the sign.
const VIEWS: [(&str, &str, Icon); 6] = [
    ("overview", "Overview", Icon::Overview),
    ("servers", "Servers", Icon::Servers),
    ("tools", "Tools", Icon::Tools),
    ("sessions", "Sessions", Icon::Sessions),
    ("log", "Log", Icon::Log),
    ("usage", "Usage", Icon::Usage),
];

/// The page.
pub(crate) fn page() -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { "MCP Gateway" }
                link rel="icon" href="/ui/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/ui/ui.css";
                // Not deferred: the chosen colours must be there before anything is drawn.
                script src="/ui/ui.js" {}
            }
            body {
                a.skip href="#main" { "Skip to content" }
                (top())
                (navigation())
                main id="main" tabindex="-1" {
                    noscript { div.notice.warn { p { "This page needs JavaScript." } } }
                    div id="toasts" role="region" aria-live="polite" aria-label="Messages" {}
                    (overview()) (servers()) (tools()) (sessions()) (log()) (usage())
                }
                (dialogs())
            }
        }
    }
}

fn top() -> Markup {
    html! {
        header.top {
            a.brand href="#overview" { img src="/ui/icon.svg" width="22" height="22" alt=""; span { "MCP Gateway" } }
            span.connection id="connection" role="status" { "" }
            span.space {}
            div.in-session id="in-session" hidden {
                span.words { "In session " } code id="session-name" {}
                button.small type="button" id="leave-session" { "Leave" }
            }
            button.icon-only type="button" id="forget-key" hidden title="Forget the API key" aria-label="Forget the API key" { (Icon::Key.draw()) }
            button.icon-only type="button" id="theme" title="Light or dark" aria-label="Switch between light, dark and the system's colours" { (Icon::Theme.draw()) }
        }
    }
}

fn navigation() -> Markup {
    html! {
        nav.side aria-label="Views" { ul { @for (view, name, icon) in VIEWS {
            li { a href=(format!("#{view}")) data-view-link=(view) { (icon.draw()) span { (name) } } }
        } } }
    }
}

/// A view; only one of them is shown.
fn view(name: &str, title: &str, tools: &Markup, body: &Markup) -> Markup {
    html! {
        section.view id=(format!("view-{name}")) data-view=(name) aria-labelledby=(format!("title-{name}")) hidden {
            header.view-head { h1 id=(format!("title-{name}")) tabindex="-1" { (title) } (tools) }
            (body)
        }
    }
}

/// Where a fragment goes, and the form that says which.
fn region(name: &str, form: Option<&str>, every_seconds: Option<u32>) -> Markup {
    html! {
        div.region id=(format!("region-{name}")) data-region=(name) data-params=[form] data-every=[every_seconds] aria-busy="true" {
            div.loading aria-hidden="true" { span {} span {} span {} }
        }
    }
}

fn window(selected: u64) -> Markup {
    html! {
        label.inline { span { "Window" } select name="window" { @for (seconds, name) in WINDOWS {
            option value=(seconds) selected[seconds == selected] { (name) }
        } } }
    }
}

fn filter(placeholder: &str, label: &str) -> Markup {
    html! { input type="search" name="filter" placeholder=(placeholder) aria-label=(label) autocomplete="off" spellcheck="false"; }
}

fn overview() -> Markup {
    let tools = html! { form.controls id="overview-params" data-region-form="overview" { (window(3_600)) } };
    view("overview", "Overview", &tools, &region("overview", Some("overview-params"), Some(5)))
}

fn servers() -> Markup {
    let tools = html! {
        form.controls id="servers-params" data-region-form="servers" { (filter("Filter", "Filter servers")) }
        button.primary type="button" data-dialog="add-server" { (Icon::Plus.draw()) "Add server" }
    };
    view("servers", "Servers", &tools, &region("servers", Some("servers-params"), Some(5)))
}

fn tools() -> Markup {
    let body = html! {
        section.panel.finder {
            form.search data-form="tools/search" data-target="found" role="search" {
                (Icon::Search.draw())
                input type="search" name="query" maxlength="4000" placeholder="Describe what the tool should do" aria-label="Search tools by a description" autocomplete="off";
                button.primary type="submit" { "Search" }
            }
            div id="found" role="region" aria-live="polite" aria-label="What the search found" {}
        }
        form.controls.wide id="tools-params" data-region-form="tools" {
            (filter("Filter by words", "Filter tools by words"))
            input type="search" name="server" list="tool-servers" placeholder="All servers" aria-label="Only tools of this server" autocomplete="off";
        }
        (region("tools", Some("tools-params"), None))
    };
    view("tools", "Tools", &html! {}, &body)
}

fn sessions() -> Markup {
    let tools = html! { button.primary type="button" data-dialog="new-session" { (Icon::Plus.draw()) "New session" } };
    view("sessions", "Sessions", &tools, &region("sessions", None, Some(10)))
}

fn log() -> Markup {
    let tools = html! {
        div.controls {
            input type="search" id="log-filter" placeholder="Filter" aria-label="Filter the log" autocomplete="off" spellcheck="false";
            label.inline { span.hidden { "Outcome" } select id="log-outcome" {
                option value="" { "All outcomes" } option value="ok" { "Only ok" } option value="failed" { "Only failed" }
            } }
            button type="button" id="log-pause" aria-pressed="false" { "Pause" }
            button type="button" id="log-clear" { "Clear" }
        }
    };
    let body = html! {
        p.muted id="log-status" role="status" { "Connecting…" }
        div.panel.scroll tabindex="0" {
            table.log { caption.hidden { "Requests as they end, the newest first" }
                thead { tr {
                    th scope="col" { "Time" } th scope="col" { "Door" } th scope="col" { "What" } th scope="col" { "Caller" }
                    th scope="col" { "Outcome" } th.number scope="col" { "Took" }
                } }
                tbody id="log-rows" {}
            }
            div.empty id="log-empty" { p.headline { "Nothing has happened yet" } p { "Calls and searches of every door appear here when they end." } }
        }
    };
    view("log", "Live log", &tools, &body)
}

fn usage() -> Markup {
    let tools = html! {
        form.controls id="usage-params" data-region-form="usage" {
            (window(86_400))
            label.inline { span { "Group" } select name="group" { @for (word, _, name) in GROUPS { option value=(word) { (name) } } } }
        }
    };
    view("usage", "Usage", &tools, &region("usage", Some("usage-params"), Some(30)))
}

fn dialogs() -> Markup {
    html! {
        dialog.drawer id="drawer" aria-label="Details" {
            (close_button())
            div id="drawer-body" {}
        }
        dialog id="add-server" aria-labelledby="add-server-title" {
            (close_button())
            h2 id="add-server-title" { "Add a server" }
            (add_server())
        }
        dialog id="new-session" aria-labelledby="new-session-title" {
            (close_button())
            h2 id="new-session-title" { "New session" }
            form data-form="sessions/create" data-target="new-session-result" data-reload="sessions" {
                (field("ttl_minutes", "Minutes without use until it ends", "empty: as configured", "text"))
                (lines("metadata", "Metadata", "a JSON object, or nothing"))
                div.actions { button.primary type="submit" { "Create" } }
            }
            div id="new-session-result" aria-live="polite" {}
        }
        dialog id="confirm" role="alertdialog" aria-labelledby="confirm-question" {
            p id="confirm-question" {}
            form method="dialog" { div.actions {
                button.danger.primary type="submit" value="yes" { "Yes" }
                button type="submit" value="no" autofocus { "No" }
            } }
        }
        dialog id="key-dialog" aria-labelledby="key-title" {
            h2 id="key-title" { "API key" }
            p { "This gateway asks for its key. The page keeps it until this tab is closed." }
            form id="key-form" method="dialog" {
                div.field { label for="key" { span.name { "Key" } } input type="password" id="key" autocomplete="off" required; }
                p.error id="key-error" role="alert" {}
                div.actions { button.primary type="submit" { "Continue" } }
            }
        }
    }
}

fn close_button() -> Markup {
    html! { button.close.icon-only type="button" data-close aria-label="Close" { (Icon::Close.draw()) } }
}

fn add_server() -> Markup {
    html! {
        form data-form="servers/add" data-target="add-server-result" data-reload="servers" {
            fieldset.switch {
                legend.hidden { "Kind of server" }
                @for (how, name) in [("url", "URL"), ("command", "Command"), ("json", "JSON")] {
                    label { input type="radio" name="how" value=(how) checked[how == "url"]; span { (name) } }
                }
            }
            div data-when="url command" { (field("name", "Name", "what the server is called here", "text")) }
            div data-when="url" {
                (field("url", "URL", "https://host/mcp", "text"))
                div.field { label for="add-transport" { span.name { "Transport" } } select id="add-transport" name="transport" {
                    option value="" { "found out by itself" } option value="http" { "Streamable HTTP" } option value="sse" { "HTTP+SSE (old)" }
                } }
                (lines("headers", "Headers", "Authorization: Bearer …"))
            }
            div data-when="command" hidden {
                (field("command", "Command", "npx", "text"))
                (lines("args", "Arguments", "one a line"))
                (lines("env", "Environment", "NAME=value, one a line"))
                (field("cwd", "Working directory", "the gateway's own", "text"))
                p.muted { "A server with a command starts a program on the gateway's machine. From a browser that needs the API key." }
            }
            div data-when="json" hidden { (lines("json", "Servers", "{\"mcpServers\": {\"NAME\": {\"url\": \"https://host/mcp\"}}}")) }
            div.actions { button.primary type="submit" { "Add" } }
        }
        div id="add-server-result" aria-live="polite" {}
    }
}

fn field(name: &str, label: &str, placeholder: &str, kind: &str) -> Markup {
    let id = format!("field-{name}");
    html! { div.field {
        label for=(id) { span.name { (label) } }
        input type=(kind) id=(id) name=(name) placeholder=(placeholder) autocomplete="off" spellcheck="false";
    } }
}

fn lines(name: &str, label: &str, placeholder: &str) -> Markup {
    let id = format!("field-{name}");
    html! { div.field {
        label for=(id) { span.name { (label) } }
        textarea id=(id) name=(name) rows="3" placeholder=(placeholder) spellcheck="false" {}
    } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_keeps_its_own_policy() {
        let text = page().into_string();
        for bad in [" style=", "<style", " onclick", "javascript:", "http://", "<script>"] {
            assert!(!text.contains(bad), "{bad}");
        }
        assert!(text.contains(r#"<script src="/ui/ui.js"></script>"#));
    }
}
