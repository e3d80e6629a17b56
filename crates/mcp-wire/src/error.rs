//! A JSON-RPC error of a server, in the gateway's words.

use gateway_core::{Error, ErrorKind};

use crate::RpcError;

/// Error codes of JSON-RPC and MCP.
pub mod code {
    /// The text is no JSON.
    pub const PARSE_ERROR: i64 = -32700;
    /// The message is no request.
    pub const INVALID_REQUEST: i64 = -32600;
    /// Nobody answers this method.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// The params are not what the method takes.
    pub const INVALID_PARAMS: i64 = -32602;
    /// The answering side is broken.
    pub const INTERNAL_ERROR: i64 = -32603;
    /// A header contradicts the body (SEP-2243).
    pub const HEADER_MISMATCH: i64 = -32020;
    /// The request needs a capability that the client did not declare.
    pub const MISSING_CLIENT_CAPABILITY: i64 = -32021;
    /// The server does not speak this revision.
    pub const UNSUPPORTED_PROTOCOL_VERSION: i64 = -32022;
}

/// Longest part of a server's message that is shown, in characters.
const MAX_SHOWN: usize = 500;

/// The gateway's error for an error that a server answered with. Its object goes into
/// [`details`](Error::details) unchanged.
pub fn upstream_error(error: RpcError) -> Error {
    let kind = match error.code {
        code::INVALID_PARAMS => ErrorKind::InvalidArguments,
        // Also -32601: the caller asked for a tool that exists; that its server lacks the method is
        // the server's fault.
        _ => ErrorKind::UpstreamFailed,
    };
    let shown: String = error.message.chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect();
    let message = if shown.is_empty() {
        format!("the server answered with error {}", error.code)
    } else {
        format!("the server answered with error {}: {shown}", error.code)
    };
    Error::new(kind, message).with_details(error.raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::{RawJson, Retry};

    #[test]
    fn codes_become_kinds() {
        let check = |code: i64, expected: ErrorKind| {
            let raw = RawJson::parse(format!(r#"{{"code":{code}}}"#)).expect("valid JSON");
            let message = "x".repeat(600);
            let error = upstream_error(RpcError { code, message, raw: raw.clone() });
            assert_eq!(error.kind(), expected, "{code}");
            assert_eq!(error.retry(), Retry::Never);
            assert_eq!(error.details(), Some(&raw));
            assert!(error.message().len() < 600);
        };
        check(code::INVALID_PARAMS, ErrorKind::InvalidArguments);
        check(code::METHOD_NOT_FOUND, ErrorKind::UpstreamFailed);
        check(-1, ErrorKind::UpstreamFailed);
    }
}
