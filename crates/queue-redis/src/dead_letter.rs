//! What a dead letter looks like.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// A dead letter: JSON with the reason and the job, unchanged.
#[derive(Serialize)]
struct DeadLetter<'a> {
    reason: &'a str,
    /// RFC 3339, UTC.
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    /// In place of `payload` where that is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
}

/// The dead letter for a job.
pub(crate) fn dead_letter(reason: &str, payload: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(payload).ok();
    let payload_base64 = text.is_none().then(|| STANDARD.encode(payload));
    let letter = DeadLetter { reason, at: now(), payload: text, payload_base64 };
    serde_json::to_vec(&letter).expect("texts are JSON")
}

/// The time as dead letters tell it.
pub(crate) fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}
