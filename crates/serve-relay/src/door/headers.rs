//! Which headers pass the relay.
//!
//! Both ways only those that are known to matter do. What belongs to one connection (`Connection`, `TE`), what tells
//! of the way here (`Forwarded`, `X-Forwarded-For`) and what a browser adds for this very address (`Cookie`,
//! `Origin`) would be wrong at the gateway.

use gateway_core::Principal;
use http::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE,
};
use mcp_wire::header;

/// The client's own key for the gateway.
const CREDENTIALS: [HeaderName; 2] = [AUTHORIZATION, HeaderName::from_static("x-api-key")];

/// What passes to the gateway, besides everything of MCP's own.
const REQUEST: [HeaderName; 7] = [
    ACCEPT,
    CONTENT_TYPE,
    HeaderName::from_static(header::LAST_EVENT_ID),
    HeaderName::from_static("x-session-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
];

/// What passes to the client, besides everything of MCP's own.
const RESPONSE: [HeaderName; 6] = [
    ALLOW,
    CACHE_CONTROL,
    CONTENT_TYPE,
    RETRY_AFTER,
    WWW_AUTHENTICATE,
    // Proxies in front of us must not collect event streams either.
    HeaderName::from_static("x-accel-buffering"),
];

/// The headers of the request to the gateway: `own` with what the client sent in the place of ours.
///
/// The client's key passes too, unless it has been used up here: who presented our own key must not send it on.
pub(super) fn of_request(own: &HeaderMap, client: &HeaderMap, principal: &Principal) -> HeaderMap {
    let mut headers = own.clone();
    let brings_key = !principal.authenticated && CREDENTIALS.iter().any(|name| client.contains_key(name));
    if brings_key {
        headers.remove(AUTHORIZATION);
    }
    let passes =
        |name: &HeaderName| is_of_mcp(name) || REQUEST.contains(name) || (brings_key && CREDENTIALS.contains(name));
    copy(client, &mut headers, passes);
    headers
}

/// The headers of the answer to the client.
pub(super) fn of_response(gateway: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(gateway.len());
    copy(gateway, &mut headers, |name| is_of_mcp(name) || RESPONSE.contains(name));
    headers
}

fn is_of_mcp(name: &HeaderName) -> bool {
    name.as_str().starts_with("mcp-")
}

fn copy(from: &HeaderMap, to: &mut HeaderMap, passes: impl Fn(&HeaderName) -> bool) {
    for name in from.keys().filter(|name| passes(name)) {
        to.remove(name);
        for value in from.get_all(name) {
            to.append(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), value.parse().expect("a value"))
        };
        headers.iter().map(pair).collect()
    }

    #[test]
    fn only_what_matters_passes() {
        let somebody = Principal { id: "anonymous".to_owned(), authenticated: false };
        let own = map(&[("authorization", "Bearer ours"), ("x-session-id", "sess_own"), ("user-agent", "relay")]);
        let client = map(&[
            ("accept", "application/json, text/event-stream"),
            ("mcp-session-id", "m1"),
            ("mcp-param-city", "Rome"),
            ("traceparent", "00-1"),
            ("host", "localhost"),
            ("connection", "keep-alive"),
            ("te", "trailers"),
            ("cookie", "a=b"),
            ("origin", "http://localhost"),
            ("forwarded", "for=1"),
            ("x-forwarded-for", "1"),
            ("user-agent", "browser"),
            ("x-other", "1"),
        ]);
        let expected = map(&[
            ("authorization", "Bearer ours"),
            ("x-session-id", "sess_own"),
            ("user-agent", "relay"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-session-id", "m1"),
            ("mcp-param-city", "Rome"),
            ("traceparent", "00-1"),
        ]);
        assert_eq!(of_request(&own, &client, &somebody), expected);
        let theirs = map(&[("mcp-session-id", "m1"), ("set-cookie", "a=b"), ("server", "x"), ("allow", "POST")]);
        assert_eq!(of_response(&theirs), map(&[("mcp-session-id", "m1"), ("allow", "POST")]));
    }

    #[test]
    fn the_clients_own_key_and_session_count() {
        let own = map(&[("authorization", "Bearer ours"), ("x-session-id", "sess_own")]);
        let check = |client: &[(&'static str, &'static str)], authenticated: bool, expected: &[_]| {
            let principal = Principal { id: "x".to_owned(), authenticated };
            assert_eq!(of_request(&own, &map(client), &principal), map(expected), "{client:?} {authenticated}");
        };
        check(&[("x-api-key", "theirs")], false, &[("x-session-id", "sess_own"), ("x-api-key", "theirs")]);
        check(
            &[("authorization", "Bearer theirs"), ("x-session-id", "sess_1")],
            false,
            &[("authorization", "Bearer theirs"), ("x-session-id", "sess_1")],
        );
        // Used up here.
        for name in ["authorization", "x-api-key"] {
            check(&[(name, "Bearer here")], true, &[("authorization", "Bearer ours"), ("x-session-id", "sess_own")]);
        }
    }
}
