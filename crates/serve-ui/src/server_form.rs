//! Adding and removing servers.

use gateway_core::mcp_servers::{self, Policy, Variables};
use gateway_core::{AddReport, ServerSelector};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::asked::Asked;
use crate::failure::Failure;
use crate::format::{plural, sentence};
use crate::parts::state;

/// What the form for a new server says. Lists are texts with one a line.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NewServer {
    how: String,
    name: String,
    url: String,
    transport: String,
    headers: String,
    command: String,
    args: String,
    env: String,
    cwd: String,
    json: String,
}

/// Adds servers, and says what became of each.
pub(crate) async fn add(asked: &Asked<'_>) -> Result<Markup, Failure> {
    asked.may_change_servers()?;
    let text = list_of(asked.read()?)?;
    let limits = asked.behind.config.server_limits.clone();
    // The page never reads the gateway's environment: a value that it may not show must not get into a server either.
    let entries = mcp_servers::parse_with(&text, &Policy { variables: Variables::Refused, limits })?;
    let (mut specs, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Ok(spec) => specs.push(spec),
            Err(error) => failed.push((error.name, error.error.message().to_owned())),
        }
    }
    let mut report = asked.gateway().add_servers(&asked.context, specs).await?;
    failed.append(&mut report.failed);
    report.failed = failed;
    Ok(outcome(&report))
}

/// Removes a server.
pub(crate) async fn remove(asked: &Asked<'_>) -> Result<Markup, Failure> {
    #[derive(Deserialize)]
    struct Which {
        uuid: Uuid,
    }
    asked.may_change_servers()?;
    let Which { uuid } = asked.read()?;
    let report = asked.gateway().remove_server(&asked.context, ServerSelector::Uuid(uuid)).await?;
    Ok(html! { div.notice.good role="status" {
        p { "The server " b { (report.removed.name()) } " is gone, and its " (plural(report.removed_tools, "tool")) " with it." }
    } })
}

fn outcome(report: &AddReport) -> Markup {
    html! {
        @for server in &report.added {
            div.notice.good role="status" {
                p { "Added " b { (server.spec.name()) } " " (state(server.state)) " " (plural(server.tools.len(), "tool")) }
                @if let Some(error) = &server.last_error { p { (sentence(error)) } }
            }
        }
        @for (name, error) in &report.failed { div.notice.bad role="alert" { p { b { (name) } ": " (error) } } }
        @if report.added.is_empty() && report.failed.is_empty() { div.notice.warn role="alert" { p { "The list has no servers." } } }
    }
}

/// The list of servers that a form means: JSON as every MCP client has it.
fn list_of(form: NewServer) -> Result<String, Failure> {
    if form.how == "json" {
        return Ok(form.json);
    }
    let name = form.name.trim();
    if name.is_empty() {
        return Err(Failure::invalid("the name is missing"));
    }
    let mut entry = Map::new();
    if form.how == "command" {
        entry.insert("command".to_owned(), json!(form.command.trim()));
        let args: Vec<&str> = form.args.lines().filter(|line| !line.trim().is_empty()).collect();
        entry.insert("args".to_owned(), json!(args));
        entry.insert("env".to_owned(), pairs(&form.env, '=', "env")?);
        if !form.cwd.trim().is_empty() {
            entry.insert("cwd".to_owned(), json!(form.cwd.trim()));
        }
    } else {
        entry.insert("url".to_owned(), json!(form.url.trim()));
        entry.insert("headers".to_owned(), pairs(&form.headers, ':', "headers")?);
        if !form.transport.is_empty() {
            entry.insert("transport".to_owned(), json!(form.transport));
        }
    }
    Ok(json!({ "mcpServers": { name: entry } }).to_string())
}

/// `NAME=value` or `Name: value`, one a line. A mistake names the line and not what stands in it, which may be secret.
fn pairs(text: &str, separator: char, field: &str) -> Result<Value, Failure> {
    let mut pairs = Map::new();
    for (place, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let Some((name, value)) = line.split_once(separator) else {
            return Err(Failure::invalid(format!("line {} of {field} has no `{separator}`", place + 1)));
        };
        let value = if separator == ':' { value.trim() } else { value };
        pairs.insert(name.trim().to_owned(), json!(value));
    }
    Ok(Value::Object(pairs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_become_lists() {
        let check = |form: Value, expected: Option<Value>| {
            let list = list_of(serde_json::from_value(form.clone()).expect("a form")).ok();
            let list = list.map(|list| serde_json::from_str::<Value>(&list).expect("JSON"));
            assert_eq!(list, expected, "{form}");
        };
        check(
            json!({"how":"url","name":" web ","url":" https://h/mcp ","headers":"Authorization: Bearer a:b\n\nX: y","transport":""}),
            Some(
                json!({"mcpServers":{"web":{"url":"https://h/mcp","headers":{"Authorization":"Bearer a:b","X":"y"}}}}),
            ),
        );
        check(
            json!({"how":"command","name":"a\"b","command":"npx","args":"-y\n\n two words ","env":"K= v=1","cwd":"/x"}),
            Some(
                json!({"mcpServers":{"a\"b":{"command":"npx","args":["-y"," two words "],"env":{"K":" v=1"},"cwd":"/x"}}}),
            ),
        );
        check(json!({"how":"json","json":"{\"mcpServers\":{}}"}), Some(json!({"mcpServers":{}})));
        check(json!({"how":"url","url":"https://h"}), None);
        check(json!({"how":"url","name":"x","headers":"secret-without-colon"}), None);
    }
}
