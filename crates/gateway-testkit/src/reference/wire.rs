//! JSON-RPC messages, read as slices and written by hand.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

pub(super) const PARSE_ERROR: i64 = -32700;
pub(super) const INVALID_REQUEST: i64 = -32600;
pub(super) const METHOD_NOT_FOUND: i64 = -32601;
pub(super) const INVALID_PARAMS: i64 = -32602;
pub(super) const SERVER_ERROR: i64 = -32000;
pub(super) const HEADER_MISMATCH: i64 = -32020;
pub(super) const MISSING_CAPABILITY: i64 = -32021;
pub(super) const UNSUPPORTED_VERSION: i64 = -32022;

/// The revision without a handshake.
pub(super) const MODERN_VERSION: &str = "2026-07-28";
/// The revisions with one, newest first.
pub(super) const LEGACY_VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// Where a notification names the subscription that it belongs to.
pub(super) const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// One message as it came.
#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow, default)]
    pub jsonrpc: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
}

/// The parts of `params` that the server reads.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Params<'a> {
    #[serde(borrow, default)]
    pub name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub uri: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub arguments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub cursor: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub protocol_version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub capabilities: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub client_info: Option<ClientInfo<'a>>,
    #[serde(borrow, default)]
    pub request_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub notifications: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "_meta")]
    pub meta: Option<Meta<'a>>,
}

#[derive(Deserialize)]
pub(super) struct ClientInfo<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    #[serde(borrow)]
    pub version: Cow<'a, str>,
}

#[derive(Default, Deserialize)]
pub(super) struct Meta<'a> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/protocolVersion")]
    pub version: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/clientCapabilities")]
    pub capabilities: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/logLevel")]
    pub log_level: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "progressToken")]
    pub progress_token: Option<&'a RawValue>,
}

/// An error answer: code, message, and `data` as JSON text.
#[derive(Debug)]
pub(super) struct Fault {
    pub code: i64,
    pub message: String,
    pub data: Option<String>,
    /// The HTTP status that the modern revision wants for it.
    pub status: u16,
}

impl Fault {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        let status = if code == METHOD_NOT_FOUND { 404 } else { 400 };
        Self { code, message: message.into(), data: None, status }
    }

    /// An answer to a request that was in order: its HTTP status is 200.
    pub(super) fn of_tool(code: i64, message: impl Into<String>) -> Self {
        Self { status: 200, ..Self::new(code, message) }
    }

    pub(super) fn with_data(mut self, data: String) -> Self {
        self.data = Some(data);
        self
    }

    /// The whole message that answers the request `id`.
    pub(super) fn message(&self, id: Option<&str>) -> Vec<u8> {
        let data = self.data.as_deref().map(|data| format!(r#","data":{data}"#)).unwrap_or_default();
        format!(
            r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":{},"message":{}{data}}}}}"#,
            id.unwrap_or("null"),
            self.code,
            quote(&self.message),
        )
        .into_bytes()
    }
}

/// A text as a JSON string.
pub(super) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The message that answers the request `id` with `result`.
pub(super) fn answer(id: &str, result: &str) -> Vec<u8> {
    let mut message = Vec::with_capacity(result.len() + id.len() + 40);
    message.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    message.extend_from_slice(id.as_bytes());
    message.extend_from_slice(br#","result":"#);
    message.extend_from_slice(result.as_bytes());
    message.push(b'}');
    message
}

/// A notification with `params`.
pub(super) fn notification(method: &str, params: &str) -> Vec<u8> {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#).into_bytes()
}

/// Whether `id` may be a request's id: a string or an integer (MCP has no null and no fractions).
pub(super) fn is_request_id(id: &str) -> bool {
    id.starts_with('"') || id.parse::<i64>().is_ok() || id.parse::<u64>().is_ok()
}

/// Keeps `null` apart from a field that is not there.
pub(super) fn present<'de: 'a, 'a, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&'a RawValue>::deserialize(deserializer).map(Some)
}
