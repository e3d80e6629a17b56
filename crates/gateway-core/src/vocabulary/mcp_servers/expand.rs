//! `${VAR}` in a text.

use super::{MAX_VALUE_BYTES, Variables};

/// Replaces `${VAR}`, `${VAR:-default}` and `${env:VAR}` (as VS Code writes it) in `text`; `$${` stands for
/// `${`. What was put in is not read again. The default also counts for a variable that is empty, as in a
/// shell.
///
/// # Errors
/// What is wrong and what to do, without the text itself.
pub(super) fn expand(text: &str, variables: Variables<'_>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at]);
            out.push('{');
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let body = &rest[at + 2..];
        let end = body.find('}').ok_or("has ${ without its }; write $${ where ${ itself is meant")?;
        out.push_str(&reference(&body[..end], variables)?);
        if out.len() > MAX_VALUE_BYTES {
            return Err(format!("is longer than {MAX_VALUE_BYTES} bytes with its variables put in"));
        }
        rest = &body[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// What stands between `${` and `}`.
fn reference(body: &str, variables: Variables<'_>) -> Result<String, String> {
    let (name, default) = match body.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (body, None),
    };
    let name = name.strip_prefix("env:").unwrap_or(name);
    if !is_variable_name(name) {
        return Err("has ${...} around what is no name of a variable; write $${ where ${ itself is meant".to_owned());
    }
    if default.is_some_and(|default| default.contains("${")) {
        return Err(format!("has a variable in the default of ${{{name}}}; a default is plain text"));
    }
    let Variables::From(lookup) = variables else {
        return Err(format!("uses ${{{name}}}, and only the servers file may use variables; write the value itself"));
    };
    match (lookup(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => {
            Err(format!("uses ${{{name}}}, and the variable {name} is not set; set it, or write ${{{name}:-default}}"))
        }
    }
}

fn is_variable_name(name: &str) -> bool {
    (1..=128).contains(&name.len())
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "A" => Some("1".to_owned()),
            "EMPTY" => Some(String::new()),
            "TRICK" => Some("${A}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn puts_variables_in() {
        let check = |input: &str, expected: &str| {
            assert_eq!(expand(input, Variables::From(&lookup)).as_deref(), Ok(expected), "{input}");
        };
        check("plain $A $ {}", "plain $A $ {}");
        check("${A}", "1");
        check("x${A}y${A}z", "x1y1z");
        check("${env:A}", "1");
        check("${A:-2}", "1");
        check("${NONE:-2}", "2");
        check("${NONE:-}", "");
        check("${NONE:-a:-b}", "a:-b");
        check("${EMPTY}", "");
        check("${EMPTY:-2}", "2");
        check("${TRICK}", "${A}");
        check("$${A}", "${A}");
        check("$$${A}", "$${A}");
        check("é${A}é", "é1é");
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |input: &str, expected: &str| {
            let message = expand(input, Variables::From(&lookup)).expect_err(input);
            assert!(message.contains(expected), "{message}");
        };
        check("${NONE}", "the variable NONE is not set");
        check("${A", "without its }");
        check("${}", "no name of a variable");
        check("${input:token}", "no name of a variable");
        check("${1A}", "no name of a variable");
        check("${NONE:-${A}}", "a default is plain text");
        let long = format!("{0}{0}", "${BIG}");
        let big = |_: &str| Some("x".repeat(MAX_VALUE_BYTES));
        let message = expand(&long, Variables::From(&big)).expect_err("too long");
        assert!(message.contains("longer than"), "{message}");
    }

    #[test]
    fn refuses_variables_from_outside() {
        for input in ["${A}", "${A:-2}", "x${env:A}"] {
            let message = expand(input, Variables::Refused).expect_err(input);
            assert!(message.contains("only the servers file"), "{message}");
        }
        assert_eq!(expand("$${A}", Variables::Refused).as_deref(), Ok("${A}"));
        assert_eq!(expand("$A", Variables::Refused).as_deref(), Ok("$A"));
    }
}
