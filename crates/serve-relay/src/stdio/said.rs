//! What the client said, as far as its way to the gateway depends on it.

use bytes::Bytes;
use gateway_core::{RawJson, Result};
use http::{HeaderMap, HeaderName, HeaderValue};
use mcp_wire::{Id, Message, cancelled_id, header};
use serde::Deserialize;

const PROTOCOL_VERSION: HeaderName = HeaderName::from_static(header::PROTOCOL_VERSION);
const METHOD: HeaderName = HeaderName::from_static(header::METHOD);
const NAME: HeaderName = HeaderName::from_static(header::NAME);

/// One message of the client, or a batch.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// As it came.
    pub(super) text: Bytes,
    pub(super) purpose: Purpose,
    /// The headers that repeat what stands in a message of 2026-07-28 or later; `None` for older ones, whose
    /// headers are those of the session.
    pub(super) modern: Option<HeaderMap>,
    /// Whether it asks, in such a revision, for tools.
    pub(super) lists_tools: bool,
}

/// What a message is for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Purpose {
    /// Opens a session.
    Initialize(Id),
    /// Wants answers to these ids: one, or those of a batch.
    Request(Vec<Id>),
    /// Wants to be told until it is cancelled (`subscriptions/listen`).
    Subscribe(Id),
    /// Says that the session is open.
    Initialized,
    /// Gives up the request with this id.
    Cancel(Id),
    /// Wants nothing.
    Notification,
    /// Answers a question of the gateway.
    Answer,
}

impl Said {
    /// Reads a line.
    ///
    /// # Errors
    /// Where it is no message of JSON-RPC.
    pub(super) fn read(text: Bytes) -> Result<Self> {
        if Message::is_batch(&text) {
            let purpose = purpose_of_batch(Message::parse_batch(&text)?);
            return Ok(Self { text, purpose, modern: None, lists_tools: false });
        }
        let mut lists_tools = false;
        let (purpose, modern) = match Message::parse(&text)? {
            Message::Request { id, method, params } => {
                let modern = modern_headers(&method, &params);
                lists_tools = modern.is_some() && method == "tools/list";
                let purpose = match (method.as_str(), &modern) {
                    ("initialize", None) => Purpose::Initialize(id),
                    ("subscriptions/listen", Some(_)) => Purpose::Subscribe(id),
                    _ => Purpose::Request(vec![id]),
                };
                (purpose, modern)
            }
            Message::Notification { method, params } => {
                let purpose = match method.as_str() {
                    "notifications/initialized" => Purpose::Initialized,
                    "notifications/cancelled" => cancelled_id(&params).map_or(Purpose::Notification, Purpose::Cancel),
                    _ => Purpose::Notification,
                };
                (purpose, modern_headers(&method, &params))
            }
            Message::Response { .. } => (Purpose::Answer, None),
        };
        Ok(Self { text, purpose, modern, lists_tools })
    }

    /// The ids that want answers.
    pub(super) fn ids(&self) -> &[Id] {
        match &self.purpose {
            Purpose::Request(ids) => ids,
            Purpose::Initialize(id) | Purpose::Subscribe(id) => std::slice::from_ref(id),
            Purpose::Initialized | Purpose::Cancel(_) | Purpose::Notification | Purpose::Answer => &[],
        }
    }
}

fn purpose_of_batch(messages: Vec<Result<Message>>) -> Purpose {
    let mut ids = Vec::new();
    let mut answers = false;
    for message in messages.into_iter().flatten() {
        match message {
            Message::Request { id, .. } => ids.push(id),
            Message::Response { .. } => answers = true,
            Message::Notification { .. } => {}
        }
    }
    match ids.is_empty() {
        false => Purpose::Request(ids),
        true if answers => Purpose::Answer,
        true => Purpose::Notification,
    }
}

/// The headers of a message that names its revision itself.
fn modern_headers(method: &str, params: &RawJson) -> Option<HeaderMap> {
    #[derive(Deserialize)]
    struct Params {
        #[serde(rename = "_meta")]
        meta: Option<Meta>,
    }
    #[derive(Deserialize)]
    struct Meta {
        #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
        version: Option<String>,
    }
    let version = params.read::<Params>().ok()?.meta?.version?;
    let mut headers = HeaderMap::new();
    // A version that no header can carry is one that no gateway knows; let it say so.
    if let Ok(version) = HeaderValue::from_str(&version) {
        headers.insert(PROTOCOL_VERSION, version);
    }
    headers.insert(METHOD, encoded(method));
    if let Some(name) = header::name_of(method, params) {
        headers.insert(NAME, encoded(&name));
    }
    Some(headers)
}

fn encoded(value: &str) -> HeaderValue {
    HeaderValue::from_str(&header::encode_value(value)).expect("an encoded value has printable ASCII only")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_purpose_of_a_message_is_told() {
        let check = |text: &'static str, expected: Purpose| {
            let said = Said::read(Bytes::from_static(text.as_bytes())).expect(text);
            assert_eq!((said.purpose, said.modern.is_none()), (expected, true), "{text}");
        };
        let id = Id::Number;
        check(r#"{"id":1,"method":"initialize","params":{"_meta":{}}}"#, Purpose::Initialize(id(1)));
        check(r#"{"id":"a","method":"tools/list"}"#, Purpose::Request(vec![Id::String("a".to_owned())]));
        check(r#"{"id":1,"method":"subscriptions/listen"}"#, Purpose::Request(vec![id(1)]));
        check(r#"{"method":"notifications/initialized"}"#, Purpose::Initialized);
        check(r#"{"method":"notifications/cancelled","params":{"requestId":4}}"#, Purpose::Cancel(id(4)));
        check(r#"{"method":"notifications/cancelled","params":{}}"#, Purpose::Notification);
        check(r#"{"method":"notifications/roots/list_changed"}"#, Purpose::Notification);
        check(r#"{"id":1,"result":{}}"#, Purpose::Answer);
        check(
            r#"[{"id":1,"method":"a"},5,{"id":2,"method":"b"},{"method":"c"}]"#,
            Purpose::Request(vec![id(1), id(2)]),
        );
        check(r#"[{"method":"c"}]"#, Purpose::Notification);
        check(r#"[{"method":"c"},{"id":1,"result":1}]"#, Purpose::Answer);
        for text in ["", "x", "5", "{}", "[", r#"{"id":1}"#] {
            assert!(Said::read(Bytes::from(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn modern_messages_get_their_headers() {
        let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
        let check = |method: &str, params: &str, purpose: &Purpose, name: Option<&str>| {
            let text = format!(r#"{{"id":1,"method":"{method}","params":{{{params}{meta}}}}}"#);
            let said = Said::read(Bytes::from(text)).expect("a message");
            assert_eq!(&said.purpose, purpose);
            let headers = said.modern.expect("it names its revision");
            assert_eq!(
                (&headers["mcp-protocol-version"], &headers["mcp-method"]),
                (&"2026-07-28".parse().expect("a value"), &method.parse().expect("a value"))
            );
            assert_eq!(headers.get("mcp-name").map(|value| value.to_str().expect("ASCII")), name);
        };
        let request = Purpose::Request(vec![Id::Number(1)]);
        check("tools/call", r#""name":"é","#, &request, Some("=?base64?w6k=?="));
        check("resources/read", r#""uri":"a://b","#, &request, Some("a://b"));
        check("server/discover", "", &request, None);
        // The name of an older revision's method, and no session all the same.
        check("initialize", "", &request, None);
        check("subscriptions/listen", "", &Purpose::Subscribe(Id::Number(1)), None);
        let odd = r#"{"method":"m","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"a\nb"}}}"#;
        let said = Said::read(Bytes::from_static(odd.as_bytes())).expect("a message");
        assert!(said.modern.expect("it names its revision").get("mcp-protocol-version").is_none());
    }
}
