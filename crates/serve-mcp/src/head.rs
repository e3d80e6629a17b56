//! What a request's headers and URL say to MCP.

use gateway_core::RawJson;
use http::header::ACCEPT;
use http::{HeaderMap, Uri};
use mcp_wire::{code, header};

use crate::config::Expose;
use crate::failure::Failure;

/// Headers and URL of one request.
#[derive(Debug, Default)]
pub(crate) struct Head {
    /// The client reads an answer in JSON.
    pub(crate) accepts_json: bool,
    /// The client reads an answer as a stream of events.
    pub(crate) accepts_events: bool,
    pub(crate) session_id: Option<String>,
    pub(crate) version: Option<String>,
    method: Option<String>,
    name: Option<String>,
    /// Arguments that travel in headers as well, by the part of their names after `Mcp-Param-`, in lower case.
    pub(crate) params: Vec<(String, String)>,
    pub(crate) last_event_id: Option<String>,
    /// `?expose=`
    pub(crate) expose: Option<Expose>,
    /// `?session=`
    pub(crate) gateway_session: Option<String>,
}

impl Head {
    /// Reads headers and URL.
    ///
    /// # Errors
    /// Where a header is repeated, or the URL asks for an exposure that does not exist.
    pub(crate) fn of(headers: &HeaderMap, uri: &Uri) -> Result<Self, Failure> {
        let mut head = Self::default();
        for (name, value) in headers {
            // One that is no text says nothing that could be meant.
            let text = value.to_str().unwrap_or_default().trim();
            let single = match name.as_str() {
                "accept" => {
                    head.accept(text);
                    continue;
                }
                header::SESSION_ID => &mut head.session_id,
                header::PROTOCOL_VERSION => &mut head.version,
                header::METHOD => &mut head.method,
                header::NAME => &mut head.name,
                header::LAST_EVENT_ID => &mut head.last_event_id,
                other => {
                    if let Some(param) = other.strip_prefix(header::PARAM_PREFIX) {
                        head.params.push((param.to_owned(), text.to_owned()));
                    }
                    continue;
                }
            };
            // Whoever stands before the gateway may believe the other one.
            if single.replace(text.to_owned()).is_some() {
                return Err(Failure::new(code::INVALID_REQUEST, format!("the header {name} is there more than once")));
            }
        }
        // Simple clients send no Accept and read JSON.
        head.accepts_json |= !headers.contains_key(ACCEPT);
        for (name, value) in uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "expose" => {
                    let unknown = || Failure::new(code::INVALID_REQUEST, "`expose` in the URL must be search or all");
                    head.expose = Some(Expose::parse(value).ok_or_else(unknown)?);
                }
                "session" if !value.is_empty() => head.gateway_session = Some(value.to_owned()),
                _ => {}
            }
        }
        Ok(head)
    }

    fn accept(&mut self, ranges: &str) {
        for range in ranges.split(',') {
            let (kind, parameters) = range.split_once(';').unwrap_or((range, ""));
            if parameters.split(';').any(|parameter| matches!(parameter.trim(), "q=0" | "q=0.0")) {
                continue;
            }
            let is = |known: &str| kind.trim().eq_ignore_ascii_case(known);
            let is_any = is("*/*");
            self.accepts_json |= is_any || is("application/json") || is("application/*");
            self.accepts_events |= is_any || is("text/event-stream") || is("text/*");
        }
    }

    /// Whether a modern request's headers say what its body says (2026-07-28, "Standard Request Headers").
    ///
    /// # Errors
    /// -32020 where they do not.
    pub(crate) fn check(&self, version: &str, method: &str, params: &RawJson) -> Result<(), Failure> {
        let mismatch = |header: &str| {
            Failure::new(code::HEADER_MISMATCH, format!("the header {header} is missing or contradicts the body"))
        };
        if self.version.as_deref() != Some(version) {
            return Err(mismatch("MCP-Protocol-Version"));
        }
        if self.method.as_deref() != Some(method) {
            return Err(mismatch("Mcp-Method"));
        }
        // Other methods have names as well, and none of this revision needs the header.
        if !matches!(method, "tools/call" | "prompts/get" | "resources/read") {
            return Ok(());
        }
        let Some(name) = header::name_of(method, params) else { return Ok(()) };
        let said = self.name.as_deref().and_then(header::decode_value);
        if said.as_deref() == Some(name.as_str()) { Ok(()) } else { Err(mismatch("Mcp-Name")) }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn head(accept: Option<&'static str>, uri: &'static str) -> Head {
        let headers = accept.map(|accept| (ACCEPT, HeaderValue::from_static(accept)));
        Head::of(&HeaderMap::from_iter(headers), &Uri::from_static(uri)).expect("readable")
    }

    #[test]
    fn reads_what_is_accepted() {
        let check = |accept, expected: (bool, bool)| {
            let head = head(accept, "/mcp");
            assert_eq!((head.accepts_json, head.accepts_events), expected, "{accept:?}");
        };
        check(None, (true, false));
        check(Some("*/*"), (true, true));
        check(Some("application/json, text/event-stream"), (true, true));
        check(Some("Application/JSON"), (true, false));
        check(Some("text/event-stream;q=1, application/json;q=0"), (false, true));
        check(Some("text/html"), (false, false));
    }

    #[test]
    fn reads_the_url() {
        let read = head(None, "/mcp?expose=all&session=sess_1&x=y");
        assert_eq!((read.expose, read.gateway_session.as_deref()), (Some(Expose::All), Some("sess_1")));
        assert!(Head::of(&HeaderMap::new(), &Uri::from_static("/mcp?expose=none")).is_err());
    }

    #[test]
    fn headers_must_agree_with_the_body() {
        let check = |method: Option<&str>, name: Option<&str>, expected: bool| {
            let head = Head {
                version: Some("2026-07-28".to_owned()),
                method: method.map(str::to_owned),
                name: name.map(str::to_owned),
                ..Head::default()
            };
            let params = RawJson::parse(r#"{"name":"caf\u00e9"}"#).expect("JSON");
            assert_eq!(head.check("2026-07-28", "tools/call", &params).is_ok(), expected, "{method:?} {name:?}");
        };
        check(Some("tools/call"), Some("=?base64?Y2Fmw6k=?="), true);
        check(Some("tools/call"), Some("cafe"), false);
        check(Some("tools/call"), None, false);
        check(Some("TOOLS/CALL"), Some("=?base64?Y2Fmw6k=?="), false);
        check(None, Some("=?base64?Y2Fmw6k=?="), false);
        let params = RawJson::parse(r#"{"uri":"a:b"}"#).expect("JSON");
        let head = Head {
            version: Some("2026-07-28".to_owned()),
            method: Some("resources/subscribe".to_owned()),
            ..Head::default()
        };
        assert!(head.check("2026-07-28", "resources/subscribe", &params).is_ok(), "the method itself is refused later");
    }
}
