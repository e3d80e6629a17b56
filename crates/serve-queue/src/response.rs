//! Answers, as the wire has them.

use std::time::SystemTime;

use answer_json::{JsonText, found_tools, unix_seconds, write_tool_result};
use bytes::Bytes;
use gateway_core::{Error, ErrorKind, JobAnswer, QueuedRequest, RawJson, Result, SearchReply, ToolReply};

/// What a job was answered by the engine.
#[derive(Debug)]
pub(crate) enum Reply {
    Search(SearchReply),
    Call(ToolReply),
}

/// The answer of a job that was done.
pub(crate) fn completed(request: &QueuedRequest, session_id: Option<&str>, reply: &Reply) -> Result<JobAnswer> {
    let mut writer = Writer::begin(request, "completed", session_id);
    match reply {
        Reply::Search(found) => {
            let took = format!("{}", found.took.as_micros() as f64 / 1000.0);
            writer.text.syntax(",\"router\":").string(&found.router).syntax(",\"took_ms\":").syntax(&took);
            let found = RawJson::from_value(&found_tools(&found.matches))
                .map_err(|error| Error::new(ErrorKind::Internal, "cannot write the answer").with_source(error))?;
            Ok(writer.end(
                |text| {
                    text.raw(&found);
                },
                "",
            ))
        }
        Reply::Call(reply) => Ok(writer.end(
            |text| {
                write_tool_result(text, reply);
            },
            "",
        )),
    }
}

/// The answer of a job that went wrong.
pub(crate) fn failed(request: &QueuedRequest, session_id: Option<&str>, error: &Error) -> JobAnswer {
    let mut more = JsonText::default();
    more.syntax(",\"error\":").string(error.message());
    more.syntax(",\"kind\":").string(error.kind().as_str());
    if let Some(details) = error.details() {
        more.syntax(",\"details\":").raw(details);
    }
    let more = String::from_utf8_lossy(&more.into_bytes()).into_owned();
    let writer = Writer::begin(request, "error", session_id);
    JobAnswer { completed: false, ..writer.end(|text| _ = text.syntax("null"), &more) }
}

struct Writer<'a> {
    request: &'a QueuedRequest,
    timestamp: String,
    text: JsonText,
}

impl<'a> Writer<'a> {
    fn begin(request: &'a QueuedRequest, status: &str, session_id: Option<&str>) -> Self {
        let timestamp = unix_seconds(SystemTime::now());
        let mut text = JsonText::with_capacity(256);
        text.syntax("{\"request_id\":").string(&request.request_id);
        text.syntax(",\"status\":").string(status);
        text.syntax(",\"timestamp\":").syntax(&timestamp);
        if let Some(session_id) = session_id {
            text.syntax(",\"session_id\":").string(session_id);
        }
        Self { request, timestamp, text }
    }

    fn end(mut self, result: impl Fn(&mut JsonText), more: &str) -> JobAnswer {
        self.text.syntax(",\"result\":");
        let begin = self.text.length();
        result(&mut self.text);
        let end = self.text.length();
        self.text.syntax(more).syntax("}");
        let response: Bytes = self.text.into_bytes();
        let result = response.slice(begin..end);
        JobAnswer { request: self.request.clone(), completed: true, response, result, timestamp: self.timestamp }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_and_why() {
        let request = QueuedRequest { request_id: "r-1".to_owned(), reply_to: None };
        let error = Error::new(ErrorKind::NotFound, "no \"such\" tool").with_details(RawJson::empty_object());
        let answer = failed(&request, Some("s"), &error);
        let expected = format!(
            r#"{{"request_id":"r-1","status":"error","timestamp":{},"session_id":"s","result":null,"error":"no \"such\" tool","kind":"not_found","details":{{}}}}"#,
            answer.timestamp
        );
        assert_eq!(answer.response, expected);
        assert_eq!((answer.completed, &*answer.result), (false, b"null".as_slice()));
    }
}
