//! What the values of an entry must be.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use super::Secrets;
use super::fields::{Fields, Text, shown};
use crate::Secret;

/// Headers that belong to the connection (RFC 9110, section 7.6.1) or to the message's framing: set by a
/// configuration they would let one request be read as two.
const REFUSED_HEADERS: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(super) fn program(fields: &mut Fields<'_>, text: &Text) -> Option<String> {
    if text.value.trim().is_empty() {
        fields.mistake(format!("{} {} is empty; name the program to start", text.field, shown(&text.typed)));
        return None;
    }
    Some(text.value.clone())
}

pub(super) fn env(fields: &mut Fields<'_>, env: Vec<(String, Text)>) -> Secrets {
    let mut checked = BTreeMap::new();
    for (name, text) in env {
        if name.is_empty() || name.contains(['=', '\0']) {
            fields.mistake(format!(
                "env has the variable name {}; a name is not empty and has no \"=\" and no NUL",
                shown(&name)
            ));
        } else {
            checked.insert(name, Secret::new(text.value));
        }
    }
    checked
}

pub(super) fn directory(fields: &mut Fields<'_>, text: &Text) -> Option<PathBuf> {
    if text.value.is_empty() {
        fields.mistake("cwd is empty; name a directory, or leave it out");
        return None;
    }
    Some(PathBuf::from(&text.value))
}

pub(super) fn headers(fields: &mut Fields<'_>, headers: Vec<(String, Text)>) -> Secrets {
    let mut checked: Secrets = BTreeMap::new();
    for (name, text) in headers {
        let value = text.value.trim_matches([' ', '\t']);
        let problem = if !is_token(&name) {
            "is no header name (RFC 9110: letters, digits and !#$%&'*+-.^_`|~); correct it"
        } else if REFUSED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            "belongs to the connection and is set by the gateway itself; remove it"
        } else if checked.keys().any(|other| other.eq_ignore_ascii_case(&name)) {
            "is there twice (upper and lower case are the same); remove one"
        } else if !value.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b)) {
            "has a line break, a control character or a letter beyond ASCII in its value; remove it"
        } else {
            checked.insert(name, Secret::new(value));
            continue;
        };
        fields.mistake(format!("{} {problem}", text.field));
    }
    checked
}

pub(super) fn url(fields: &mut Fields<'_>, text: &Text) -> Option<String> {
    let url = text.value.trim();
    if !text.unexpanded
        && let Err(problem) = check_url(url)
    {
        fields.mistake(format!("{} {} {problem}", text.field, shown(&without_secrets(&text.typed))));
        return None;
    }
    Some(url.to_owned())
}

pub(super) fn has_http_scheme(text: &str) -> bool {
    let starts = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    starts("http://") || starts("https://")
}

/// An absolute `http` or `https` URL with a host (RFC 3986, RFC 9110 section 4.2).
fn check_url(url: &str) -> Result<(), &'static str> {
    if !has_http_scheme(url) {
        return Err("must begin with http:// or https://");
    }
    if !url.bytes().all(|b| b.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&b)) {
        return Err(
            "must have neither white space, letters beyond ASCII, nor any of \\ \" < > ^ ` { | }; percent-encode them",
        );
    }
    let after = url.split_once("://").map_or("", |(_, after)| after);
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("must not carry a user or password; put them into \"headers\" as \"Authorization\"");
    }
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or("has a \"[\" without its \"]\"")?;
        if host.parse::<Ipv6Addr>().is_err() {
            return Err("must have an IPv6 address between \"[\" and \"]\"");
        }
        let port = match port.strip_prefix(':') {
            None if !port.is_empty() => return Err("must have only a port after \"]\""),
            port => port,
        };
        (host, port)
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    if host.is_empty() {
        return Err("must have a host");
    }
    if !authority.starts_with('[') && !host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) {
        return Err("must have a host of letters, digits, \"-\" and \".\"");
    }
    let is_port =
        |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    if port.is_some_and(|port| !is_port(port)) {
        return Err("must have a port from 1 to 65535");
    }
    Ok(())
}

/// The URL without user, password, query and fragment.
fn without_secrets(url: &str) -> String {
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (kept, hidden) = url.split_at(end);
    let (scheme, rest) = match kept.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), kept),
    };
    let rest = rest.rsplit_once('@').map_or(rest.to_owned(), |(_, rest)| format!("***@{rest}"));
    let hidden = if hidden.is_empty() { "" } else { "?***" };
    format!("{scheme}{rest}{hidden}")
}

/// RFC 9110, section 5.6.2.
fn is_token(name: &str) -> bool {
    (1..=256).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_good_urls() {
        for url in [
            "http://localhost",
            "HTTPS://Example.com/mcp?x=1#y",
            "http://127.0.0.1:8080/mcp",
            "http://[::1]:3000/",
            "http://[::1]",
            "http://my_host.internal/a%20b",
        ] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn refuses_bad_urls() {
        let check = |url: &str, expected: &str| {
            let problem = check_url(url).expect_err(url);
            assert!(problem.contains(expected), "{url}: {problem}");
        };
        check("", "must begin with");
        check("ftp://host", "must begin with");
        check("httpx://host", "must begin with");
        check("http:/host", "must begin with");
        check("http://", "must have a host");
        check("http:///path", "must have a host");
        check("http://:80/", "must have a host");
        check("http://a b/", "white space");
        check("http://a\r\nb/", "white space");
        check("http://bücher.example/", "beyond ASCII");
        check("http://user:pass@host/", "user or password");
        check("http://good.example\\@evil.example/", "percent-encode");
        check("http://host:0/", "port");
        check("http://host:65536/", "port");
        check("http://host:+80/", "port");
        check("http://host:/", "port");
        check("http://[::1/", "without its");
        check("http://[zz]/", "IPv6");
        check("http://[::1]x/", "only a port");
        check("http://ho$t/", "letters, digits");
    }

    #[test]
    fn hides_what_is_secret_in_urls() {
        let check = |input: &str, expected: &str| assert_eq!(without_secrets(input), expected);
        check("ftp://u:p@h/p?key=s#f", "ftp://***@h/p?***");
        check("u:p@h", "***@h");
        check("https://h/p", "https://h/p");
    }
}
