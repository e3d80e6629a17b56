//! The form of a tool.

use maud::{Markup, html};

use crate::format::pretty;
use crate::schema::{Choice, Field, FieldKind, Scalar, TextForm};

/// The fields of a form.
pub(crate) fn fields(fields: &[Field]) -> Markup {
    html! { @for field in fields { (one(field, true)) } }
}

/// What a form would send as it comes, for the editor: the arguments that are required or have a default.
pub(crate) fn skeleton(fields: &[Field]) -> String {
    let members = fields.iter().filter(|field| field.required || field.default.is_some()).map(|field| {
        let key = serde_json::Value::from(field.name.as_str());
        let value = field.default.clone().unwrap_or_else(|| match &field.kind {
            FieldKind::Scalar(Scalar::Text(_)) => "\"\"".to_owned(),
            FieldKind::Scalar(Scalar::Number { .. }) => "0".to_owned(),
            FieldKind::Scalar(Scalar::Boolean) => "false".to_owned(),
            FieldKind::Choice(choices) => {
                choices.first().map_or_else(|| "null".to_owned(), |choice| choice.value.clone())
            }
            FieldKind::Choices(_) | FieldKind::List(_) => "[]".to_owned(),
            FieldKind::Group(members) => skeleton(members),
            FieldKind::Json => "null".to_owned(),
        });
        format!("{key}:{value}")
    });
    pretty(&format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
}

/// One field. It must be filled in only where all round it must be, too.
fn one(field: &Field, all_required: bool) -> Markup {
    let required = field.required && all_required;
    match &field.kind {
        FieldKind::Group(members) => html! {
            fieldset.group {
                legend { (name_of(field)) }
                (description(field))
                @for member in members { (one(member, required)) }
            }
        },
        FieldKind::Choices(choices) => html! {
            fieldset.group.choices data-field=(field.pointer) {
                legend { (name_of(field)) }
                (description(field))
                @for (place, choice) in choices.iter().enumerate() {
                    label.check {
                        input type="checkbox" name=(field.pointer) value=(place) data-many
                            checked[defaults(field).contains(&choice.value)];
                        span { (choice.label) }
                    }
                }
            }
        },
        _ => html! {
            div.field data-field=(field.pointer) {
                label for=(id_of(field)) { (name_of(field)) }
                (description(field))
                (control(field, required))
            }
        },
    }
}

fn name_of(field: &Field) -> Markup {
    html! {
        span.name { (field.name) }
        @if let Some(title) = &field.title { span.title { (title) } }
        @if field.required { span.required title="required" { "required" } }
        span.type { (type_of(&field.kind)) }
    }
}

fn description(field: &Field) -> Markup {
    html! { @if !field.description.is_empty() { p.help id=(help_of(field)) { (field.description) } } }
}

fn control(field: &Field, required: bool) -> Markup {
    let (id, name) = (id_of(field), &field.pointer);
    let help = (!field.description.is_empty()).then(|| help_of(field));
    let value = prefilled(field);
    match &field.kind {
        FieldKind::Scalar(Scalar::Number { min, max, .. }) => html! {
            input type="number" step="any" inputmode="decimal" id=(id) name=(name) value=[value] required[required]
                min=[min.as_deref()] max=[max.as_deref()] aria-describedby=[help];
        },
        FieldKind::Scalar(Scalar::Boolean) => {
            let choices = ["true", "false"].map(|word| Choice { value: word.to_owned(), label: word.to_owned() });
            select(field, &choices, required, |place| choices[place].value.clone())
        }
        FieldKind::Choice(choices) => select(field, choices, required, |place| place.to_string()),
        FieldKind::Scalar(Scalar::Text(form @ (TextForm::Line | TextForm::Date | TextForm::Secret))) => {
            let kind = match form {
                TextForm::Date => "date",
                TextForm::Secret => "password",
                _ => "text",
            };
            html! {
                input type=(kind) id=(id) name=(name) value=[value] required[required] autocomplete="off"
                    spellcheck="false" aria-describedby=[help];
            }
        }
        FieldKind::Scalar(Scalar::Text(TextForm::Lines)) => html! {
            textarea id=(id) name=(name) rows="3" required[required] aria-describedby=[help] { (value.unwrap_or_default()) }
        },
        FieldKind::List(_) => html! {
            textarea id=(id) name=(name) rows="3" placeholder="one a line" aria-describedby=[help] { (value.unwrap_or_default()) }
        },
        _ => html! {
            textarea.json id=(id) name=(name) rows="4" required[required] placeholder="JSON" spellcheck="false"
                aria-describedby=[help] { (value.unwrap_or_default()) }
        },
    }
}

fn select(field: &Field, choices: &[Choice], required: bool, value_of: impl Fn(usize) -> String) -> Markup {
    let default = defaults(field);
    let help = (!field.description.is_empty()).then(|| help_of(field));
    html! {
        select id=(id_of(field)) name=(field.pointer) required[required] aria-describedby=[help] {
            option value="" { @if required { "choose…" } @else { "not set" } }
            @for (place, choice) in choices.iter().enumerate() {
                option value=(value_of(place)) selected[default.contains(&choice.value)] { (choice.label) }
            }
        }
    }
}

/// The default as the control shows it.
fn prefilled(field: &Field) -> Option<String> {
    let default = field.default.as_deref().filter(|default| *default != "null")?;
    match field.kind {
        FieldKind::Scalar(Scalar::Text(_)) => serde_json::from_str(default).ok(),
        FieldKind::List(_) => {
            let items: Vec<serde_json::Value> = serde_json::from_str(default).ok()?;
            let lines = items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
            Some(lines.collect::<Vec<_>>().join("\n"))
        }
        FieldKind::Json => Some(pretty(default)),
        _ => Some(default.to_owned()),
    }
}

/// The default's values, as JSON texts.
fn defaults(field: &Field) -> Vec<String> {
    let Some(default) = field.default.as_deref() else { return Vec::new() };
    let items: Option<Vec<Box<serde_json::value::RawValue>>> = serde_json::from_str(default).ok();
    match (&field.kind, items) {
        (FieldKind::Choices(_), Some(items)) => items.iter().map(|item| item.get().to_owned()).collect(),
        _ => vec![default.to_owned()],
    }
}

fn type_of(kind: &FieldKind) -> &'static str {
    match kind {
        FieldKind::Scalar(Scalar::Text(TextForm::Date)) => "date",
        FieldKind::Scalar(Scalar::Text(_)) => "text",
        FieldKind::Scalar(Scalar::Number { integer: true, .. }) => "whole number",
        FieldKind::Scalar(Scalar::Number { .. }) => "number",
        FieldKind::Scalar(Scalar::Boolean) => "true or false",
        FieldKind::Choice(_) => "one of",
        FieldKind::Choices(_) => "any of",
        FieldKind::List(_) => "list",
        FieldKind::Group(_) => "object",
        FieldKind::Json => "JSON",
    }
}

fn id_of(field: &Field) -> String {
    format!("arg{}", field.pointer)
}

fn help_of(field: &Field) -> String {
    // An id must not have white space, which an argument's name may have: `aria-describedby` is a list.
    format!("help{}", field.pointer.replace(char::is_whitespace, "_"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::fields_of;

    #[test]
    fn a_schema_is_hostile_text() {
        let schema = r#"{"properties":{"\"><script>alert(1)</script>":{"type":"string","title":"<b>","description":"</p><img src=x>","default":"\"><i>"},
            "e":{"enum":["<u>"]},"m":{"type":"array","items":{"enum":["<s>"]}},"j":{"default":{"</textarea>":1}}}}"#;
        let text = fields(&fields_of(schema).expect("a form")).into_string();
        for bad in ["<script", "<b>", "<img", "<i>", "<u>", "<s>", "\"></textarea>", "\":\">"] {
            assert!(!text.contains(bad), "{bad}: {text}");
        }
        assert!(text.contains("&lt;script&gt;") && text.contains("&lt;/textarea&gt;"), "{text}");
    }

    #[test]
    fn what_is_required_is_marked_and_defaults_are_there() {
        let schema = r#"{"required":["a","g"],"properties":{
            "a":{"type":"string","description":"who"},"n":{"type":"integer","minimum":1,"default":5},
            "b":{"type":"boolean","default":true},"l":{"type":"array","items":{"type":"string"},"default":["x","y"]},
            "o":{"properties":{"p":{"type":"string"}},"required":["p"]}}}"#;
        let read = fields_of(schema).expect("a form");
        let text = fields(&read).into_string();
        let check = |part: &str| assert!(text.contains(part), "{part}: {text}");
        check(
            r#"<input type="text" id="arg/a" name="/a" required autocomplete="off" spellcheck="false" aria-describedby="help/a">"#,
        );
        check(r#"id="arg/n" name="/n" value="5" min="1""#);
        check(r#"<option value="true" selected>true</option>"#);
        check("x\ny</textarea>");
        // `p` must be there only where `o` is.
        check(r#"id="arg/o/p" name="/o/p" autocomplete"#);
        assert_eq!(
            skeleton(&read),
            "{\n  \"a\": \"\",\n  \"n\": 5,\n  \"b\": true,\n  \"l\": [\n    \"x\",\n    \"y\"\n  ]\n}"
        );
    }
}
