//! Running a tool by hand.

use std::time::{Duration, Instant};

use gateway_core::{Error, ErrorKind, RawJson, ToolCall, ToolEntry, ToolReply};
use maud::{Markup, html};
use serde::Deserialize;

use crate::arguments::{Filled, Mistake, arguments};
use crate::asked::Asked;
use crate::failure::Failure;
use crate::form::{fields, skeleton};
use crate::format::{cut, pretty, sentence, took};
use crate::parts::{Tone, badge};
use crate::result;
use crate::schema::fields_of;
use crate::tools::{hints, is_destructive};

/// Longest description above a form, in bytes.
const DESCRIPTION: usize = 8 * 1024;

#[derive(Debug, Deserialize)]
struct Wanted {
    /// Its name across servers.
    tool: String,
    /// `form` or `json`.
    #[serde(default)]
    how: String,
    #[serde(default)]
    fields: Filled,
    #[serde(default)]
    json: String,
    #[serde(default)]
    confirmed: bool,
}

/// A tool's form.
pub(crate) fn form(asked: &Asked<'_>) -> Result<Markup, Failure> {
    let wanted: Wanted = asked.read()?;
    Ok(form_of(&find(asked, &wanted.tool)?))
}

/// Runs a tool with what the form says.
pub(crate) async fn run(asked: &Asked<'_>) -> Result<Markup, Failure> {
    let wanted: Wanted = asked.read()?;
    let entry = find(asked, &wanted.tool)?;
    if is_destructive(entry.tool.annotations()) && !wanted.confirmed {
        return Err(Failure::invalid(
            "its server says that this tool may destroy something: confirm that you want that",
        ));
    }
    let text = if wanted.how == "json" {
        wanted.json
    } else {
        let fields = fields_of(entry.tool.input_schema().as_str()).unwrap_or_default();
        match arguments(&fields, &wanted.fields) {
            Ok(text) => text,
            Err(mistakes) => return Ok(mistaken(&mistakes)),
        }
    };
    let text = if text.trim().is_empty() { "{}".to_owned() } else { text };
    let arguments =
        RawJson::parse(text).map_err(|error| Failure::invalid(format!("the arguments are not valid JSON: {error}")))?;
    let begun = Instant::now();
    let call = ToolCall::new(&*entry.qualified_name, arguments);
    match asked.gateway().call(&asked.context, call).await {
        Ok(reply) => Ok(answered(&reply, begun.elapsed())),
        Err(error) => Ok(failed(&error, begun.elapsed())),
    }
}

fn find(asked: &Asked<'_>, name: &str) -> Result<ToolEntry, Failure> {
    let found = asked.gateway().tool(&asked.context, name);
    found.ok_or_else(|| Error::new(ErrorKind::NotFound, "this tool is not there any more; reload the list").into())
}

fn form_of(entry: &ToolEntry) -> Markup {
    let tool = &entry.tool;
    let declared = fields_of(tool.input_schema().as_str());
    let known = declared.as_deref().unwrap_or_default();
    let start = if declared.is_some() { "form" } else { "json" };
    html! {
        header.drawer-head {
            h2 { (tool.title().unwrap_or(tool.name())) }
            p.meta { span.key { (entry.qualified_name) } (hints(tool.annotations())) }
        }
        @if !tool.description().is_empty() { p.description.whole { (cut(tool.description(), DESCRIPTION)) } }
        form data-form="tools/run" data-target="run-result" data-cancellable novalidate[declared.is_none()] {
            input type="hidden" name="tool" value=(entry.qualified_name);
            fieldset.switch {
                legend.hidden { "How to give the arguments" }
                label { input type="radio" name="how" value="form" checked[start == "form"] disabled[declared.is_none()]; span { "Form" } }
                label { input type="radio" name="how" value="json" checked[start == "json"]; span { "JSON" } }
            }
            div data-when="form" hidden[start != "form"] {
                @if known.is_empty() { p.muted { "This tool declares no arguments." } }
                (fields(known))
            }
            div.field data-when="json" hidden[start != "json"] {
                label for="arguments-json" { span.name { "Arguments" } span.type { "JSON object" } }
                textarea.json id="arguments-json" name="json" rows="10" spellcheck="false" { (skeleton(known)) }
            }
            @if is_destructive(tool.annotations()) {
                label.check.danger {
                    input type="checkbox" name="confirmed" required;
                    span { "Its server says that this tool may destroy something. Run it anyway." }
                }
            }
            div.actions { button.primary type="submit" { "Run" } button type="button" data-cancel hidden { "Cancel" } }
        }
        div id="run-result" role="region" aria-live="polite" aria-label="Result" {}
        details.raw { summary { "Declaration" } pre tabindex="0" { (pretty(tool.raw().as_str())) } }
    }
}

fn mistaken(mistakes: &[Mistake]) -> Markup {
    html! {
        div.notice.bad role="alert" data-mistakes {
            p { "The arguments are not complete:" }
            ul { @for mistake in mistakes { li data-mistake=(mistake.pointer) { b { (mistake.pointer.trim_start_matches('/')) } " " (mistake.message) } } }
        }
    }
}

fn answered(reply: &ToolReply, time: Duration) -> Markup {
    let is_error = result::is_error(&reply.result);
    html! {
        section.result.failed[is_error] {
            p.meta {
                @if is_error { (badge(Tone::Bad, "the tool failed")) } @else { (badge(Tone::Good, "ok")) }
                span { (took(time)) } span.server { (reply.server) }
            }
            (result::show(&reply.result))
        }
    }
}

fn failed(error: &Error, time: Duration) -> Markup {
    let retry = error.retry_after_ms();
    let words = sentence(error.message());
    let details = error.details().cloned();
    html! {
        section.result.failed {
            p.meta { (badge(Tone::Bad, error.kind().as_str())) span { (took(time)) } }
            div.notice.bad role="alert" {
                p { (words) }
                @if let Some(milliseconds) = retry { p { "Try again in " (took(Duration::from_millis(milliseconds))) "." } }
                @if let Some(details) = details { pre tabindex="0" { (pretty(details.as_str())) } }
            }
        }
    }
}
