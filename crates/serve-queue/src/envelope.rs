//! A job as its producer wrote it.
//!
//! Three things may come of reading one. A job. Something that is no job but says whose it is: a dead letter whose requester
//! is told. Something that says nothing: a dead letter. What is wrong *inside* `payload` is not looked at here: that is a job, and
//! its answer an error.

use std::time::{Duration, SystemTime};

use answer_json::Entries;
use bytes::Bytes;
use gateway_core::{Claim, Error, ErrorKind, Priority, QueuedRequest, Result, TraceContext, nests_deeper};

use crate::QueueDoorConfig;

/// Longest name of a list for answers, in bytes.
const MAX_REPLY_TO: usize = 256;

/// What came of reading a job.
#[derive(Debug)]
pub(crate) enum Reading {
    Job(Envelope),
    /// It is no job, but it has a request id.
    Refused {
        request: QueuedRequest,
        error: Error,
    },
    /// It is no job, and nobody can be told.
    Unreadable {
        reason: String,
    },
}

/// A job that can be run.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub request: QueuedRequest,
    pub action: Action,
    /// What stands under `payload`: JSON text of some value, or JSON text in a string.
    payload: Bytes,
    pub session_id: Option<String>,
    pub deadline: Option<SystemTime>,
    pub priority: Option<Priority>,
    /// Whether a second run does no harm, where the producer says so.
    pub idempotent: Option<bool>,
    pub trace: Option<TraceContext>,
    /// Whose rights it may have, where another door has queued it.
    pub caller: Option<String>,
    max_nesting: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Search,
    Call,
}

impl Action {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Search => "mcp_search",
            Self::Call => "mcp_tool_call",
        }
    }
}

impl Envelope {
    /// The JSON text of the payload, which may have come inside a string.
    pub(crate) fn payload(&self) -> Result<Bytes> {
        if self.payload.first() != Some(&b'"') {
            return Ok(self.payload.clone());
        }
        let text: String = serde_json::from_slice(&self.payload)
            .map_err(|error| invalid(format!("payload is a text that cannot be read: {error}")))?;
        if nests_deeper(text.as_bytes(), self.max_nesting) {
            return Err(too_deep(self.max_nesting));
        }
        Ok(text.into())
    }
}

/// Reads the job of a claim.
pub(crate) fn read(claim: &Claim, config: &QueueDoorConfig) -> Reading {
    let whole = &claim.payload;
    let Ok(text) = std::str::from_utf8(whole) else {
        return Reading::Unreadable { reason: "the job is not UTF-8".to_owned() };
    };
    let entries = match serde_json::from_str::<Entries<'_>>(text) {
        Ok(entries) => entries,
        Err(error) => return Reading::Unreadable { reason: format!("the job is no JSON object: {error}") },
    };
    let fields = Fields(&entries);
    let request_id = match fields.text("request_id") {
        Ok(Some(id)) if is_request_id(&id) => id,
        Ok(Some(_)) => {
            let reason = "request_id must have 1 to 128 characters of A-Z a-z 0-9 _ . : -".to_owned();
            return Reading::Unreadable { reason };
        }
        Ok(None) => return Reading::Unreadable { reason: "request_id is missing".to_owned() },
        Err(error) => return Reading::Unreadable { reason: error.message().to_owned() },
    };
    // Where the answer goes, also the one that says what is wrong.
    let reply_to = read_reply_to(&fields);
    let named = reply_to.as_ref().ok().cloned().flatten().or_else(|| claim.reply_to.clone());
    let request = QueuedRequest { request_id, reply_to: named };
    match reply_to.and_then(|_| read_fields(&fields, whole, &request, config)) {
        Ok(envelope) => Reading::Job(envelope),
        Err(error) => Reading::Refused { request, error },
    }
}

fn read_fields(
    fields: &Fields<'_>,
    whole: &Bytes,
    request: &QueuedRequest,
    config: &QueueDoorConfig,
) -> Result<Envelope> {
    if whole.len() > config.max_payload_bytes {
        let message = format!("the job has {} bytes, and {} are allowed", whole.len(), config.max_payload_bytes);
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    // The envelope is a level of its own: what the REST door takes now it may also queue.
    if nests_deeper(whole, config.max_nesting.saturating_add(1)) {
        return Err(too_deep(config.max_nesting));
    }
    let action = match fields.text("action")?.as_deref() {
        Some("mcp_search") => Action::Search,
        Some("mcp_tool_call") => Action::Call,
        Some(_) => return Err(invalid("action must be \"mcp_search\" or \"mcp_tool_call\"")),
        None => return Err(invalid("action is missing; it is \"mcp_search\" or \"mcp_tool_call\"")),
    };
    let priority = match fields.text("priority")? {
        None => None,
        Some(word) => Some(
            Priority::parse(&word)
                .ok_or_else(|| invalid("priority must be \"urgent\", \"high\", \"normal\" or \"low\""))?,
        ),
    };
    let payload = fields.raw("payload").ok_or_else(|| invalid("payload is missing"))?;
    let trace = fields.text("traceparent").ok().flatten().and_then(|parent| {
        let state = fields.text("tracestate").ok().flatten();
        TraceContext::parse(&parent, state.as_deref())
    });
    Ok(Envelope {
        request: request.clone(),
        action,
        payload: whole.slice_ref(payload.as_bytes()),
        session_id: fields.text("session_id")?,
        deadline: read_deadline(fields)?,
        priority,
        idempotent: fields.value("idempotent", "true or false")?,
        trace,
        caller: fields.text("caller")?,
        max_nesting: config.max_nesting,
    })
}

fn read_reply_to(fields: &Fields<'_>) -> Result<Option<String>> {
    let reply_to = fields.text("reply_to")?;
    let is_name = |name: &String| (1..=MAX_REPLY_TO).contains(&name.len()) && !name.chars().any(char::is_control);
    if reply_to.as_ref().is_some_and(|name| !is_name(name)) {
        return Err(invalid(format!(
            "reply_to must be the name of a list: 1 to {MAX_REPLY_TO} bytes without control characters"
        )));
    }
    Ok(reply_to)
}

fn read_deadline(fields: &Fields<'_>) -> Result<Option<SystemTime>> {
    let Some(seconds) = fields.value::<f64>("deadline", "a number, Unix time in seconds")? else { return Ok(None) };
    if !seconds.is_finite() || seconds < 0.0 {
        return Err(invalid("deadline must be Unix time in seconds"));
    }
    // One beyond the end of time is none.
    let since = Duration::try_from_secs_f64(seconds).ok();
    Ok(since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since)))
}

/// Whether a text may be the id of a request.
fn is_request_id(id: &str) -> bool {
    (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}

fn too_deep(limit: usize) -> Error {
    invalid(format!("the payload nests arrays and objects deeper than {limit} levels"))
}

/// The fields of an envelope; one that is `null` is not there.
struct Fields<'a>(&'a Entries<'a>);

impl<'a> Fields<'a> {
    fn raw(&self, name: &str) -> Option<&'a str> {
        self.0.last(name).filter(|value| *value != "null")
    }

    fn value<T: serde::de::DeserializeOwned>(&self, name: &str, what: &str) -> Result<Option<T>> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        serde_json::from_str(raw).map(Some).map_err(|_| invalid(format!("{name} must be {what}")))
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        self.value(name, "a text")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(payload: &str) -> Claim {
        Claim {
            id: "1".to_owned(),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            deliveries: 1,
            priority: None,
            reply_to: Some("from-the-broker".to_owned()),
            token: String::new(),
        }
    }

    fn reading(payload: &str) -> Reading {
        read(&claim(payload), &QueueDoorConfig { max_payload_bytes: 1000, ..QueueDoorConfig::default() })
    }

    #[test]
    fn reads_whole_envelopes() {
        let text = r#"{"request_id":"r:1","action":"mcp_tool_call","payload":{ "tool_name" : "a" },"session_id":"s",
            "reply_to":"mine","deadline":1764000000.5,"priority":"high","idempotent":true,"more":[1],
            "traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}"#;
        let Reading::Job(envelope) = reading(text) else { panic!("a job") };
        assert_eq!(envelope.request.request_id, "r:1");
        assert_eq!(envelope.request.reply_to.as_deref(), Some("mine"));
        assert_eq!((envelope.action, envelope.priority), (Action::Call, Some(Priority::High)));
        assert_eq!(envelope.payload().expect("there is one"), r#"{ "tool_name" : "a" }"#);
        let since = envelope.deadline.expect("there is one").duration_since(SystemTime::UNIX_EPOCH);
        assert_eq!(since.expect("after 1970"), Duration::from_millis(1_764_000_000_500));
        assert_eq!((envelope.session_id.as_deref(), envelope.idempotent), (Some("s"), Some(true)));
        assert!(envelope.trace.is_some());
    }

    #[test]
    fn a_payload_may_be_a_text_and_fields_may_be_null() {
        let text = r#"{"request_id":"r","action":"mcp_search","payload":"{\"query\": \"\u00e9\"}","session_id":null,
            "reply_to":null,"deadline":null,"priority":null,"idempotent":null}"#;
        let Reading::Job(envelope) = reading(text) else { panic!("a job") };
        assert_eq!(envelope.payload().expect("there is one"), r#"{"query": "é"}"#);
        assert_eq!(envelope.request.reply_to.as_deref(), Some("from-the-broker"));
        assert!(envelope.deadline.is_none() && envelope.session_id.is_none() && envelope.idempotent.is_none());
    }

    #[test]
    fn what_says_nothing_is_unreadable() {
        let check = |text: &str, says: &str| match reading(text) {
            Reading::Unreadable { reason } => assert!(reason.contains(says), "{text}: {reason}"),
            other => panic!("{text}: {other:?}"),
        };
        check("", "no JSON object");
        check("hello", "no JSON object");
        check("[]", "no JSON object");
        check(r#"{"request_id":"r"} x"#, "no JSON object");
        check("{}", "request_id is missing");
        check(r#"{"request_id":null}"#, "request_id is missing");
        check(r#"{"request_id":17}"#, "request_id must be a text");
        check(r#"{"request_id":""}"#, "request_id must have");
        check(r#"{"request_id":"a b"}"#, "request_id must have");
        check(&format!(r#"{{"request_id":"{}"}}"#, "x".repeat(129)), "request_id must have");
        let not_utf8 = Claim { payload: Bytes::from_static(b"{\"request_id\":\"\xff\"}"), ..claim("") };
        assert!(matches!(read(&not_utf8, &QueueDoorConfig::default()), Reading::Unreadable { .. }));
    }

    #[test]
    fn what_says_whose_it_is_is_refused_by_the_field() {
        let check =
            |rest: &str, says: &str| match reading(&format!(r#"{{"request_id":"r","action":"mcp_search"{rest}}}"#)) {
                Reading::Refused { request, error } => {
                    assert_eq!(request.request_id, "r");
                    assert!(error.message().contains(says), "{rest}: {error}");
                }
                other => panic!("{rest}: {other:?}"),
            };
        check("", "payload is missing");
        check(r#","payload":null"#, "payload is missing");
        check(r#","payload":{},"action":"mcp_dance""#, "action must be");
        check(r#","payload":{},"action":null"#, "action is missing");
        check(r#","payload":{},"action":1"#, "action must be a text");
        check(r#","payload":{},"session_id":5"#, "session_id must be a text");
        check(r#","payload":{},"reply_to":["a"]"#, "reply_to must be a text");
        check(r#","payload":{},"reply_to":"""#, "reply_to must be the name");
        check(r#","payload":{},"reply_to":"a\nb""#, "reply_to must be the name");
        check(r#","payload":{},"deadline":"soon""#, "deadline must be a number");
        check(r#","payload":{},"deadline":-1"#, "deadline must be");
        check(r#","payload":{},"priority":"highest""#, "priority must be");
        check(r#","payload":{},"idempotent":"yes""#, "idempotent must be true or false");
        check(&format!(r#","payload":{}{}"#, "[".repeat(200), "]".repeat(200)), "nests");
        check(&format!(r#","payload":"{}""#, "x".repeat(1000)), "1000 are allowed");
    }

    #[test]
    fn a_text_in_a_payload_is_not_deeper_either() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        let Reading::Job(envelope) =
            reading(&format!(r#"{{"request_id":"r","action":"mcp_search","payload":"{deep}"}}"#))
        else {
            panic!("a job")
        };
        assert!(envelope.payload().expect_err("too deep").message().contains("nests"));
    }
}
