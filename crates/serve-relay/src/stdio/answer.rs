//! The HTTP answer to one message, message by message.

use std::time::Duration;

use bytes::Bytes;
use gateway_core::{Error, RawJson, Result};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use mcp_wire::sse::Parser;
use mcp_wire::{Message, Outcome, RpcError, means_lost_session};
use serde_json::value::RawValue;

use crate::failure;

/// Most that is read of an answer which says no.
const MAX_REFUSAL_BYTES: usize = 1024 * 1024;

/// An answer that says yes, as it comes.
#[derive(Debug)]
pub(super) struct Answer {
    body: Incoming,
    form: Form,
    limit: usize,
    /// Whether the connection broke before the answer's end.
    pub(super) broke: bool,
}

#[derive(Debug)]
enum Form {
    /// One message, or a batch. What is left of it once it is there.
    Json(Option<std::vec::IntoIter<Bytes>>),
    Events(Box<Parser>),
    /// Nothing that could be a message.
    Other,
}

/// An answer that says no.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// The message in its body, where it is the answer to a request.
    pub(super) message: Option<(Bytes, Message)>,
}

impl Answer {
    /// An answer whose messages have at most `limit` bytes.
    pub(super) fn new(response: Response<Incoming>, limit: usize) -> Self {
        let (head, body) = response.into_parts();
        let form = match essence(&head.headers).to_ascii_lowercase().as_str() {
            "application/json" => Form::Json(None),
            "text/event-stream" => Form::Events(Box::new(Parser::new(limit))),
            _ => Form::Other,
        };
        Self { body, form, limit, broke: false }
    }

    /// Whether it is a stream.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self.form, Form::Events(_))
    }

    /// The next message; `None` at the end, and where the connection breaks.
    ///
    /// # Errors
    /// Where a message is longer than the limit, or the answer is no JSON.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>> {
        match &mut self.form {
            Form::Json(Some(messages)) => Ok(messages.next()),
            Form::Json(None) => {
                let Some(text) = self.whole().await? else { return Ok(None) };
                let mut messages = split(text)?.into_iter();
                let first = messages.next();
                self.form = Form::Json(Some(messages));
                Ok(first)
            }
            Form::Events(_) => self.next_event().await,
            Form::Other => {
                while self.piece().await.is_some() {}
                Ok(None)
            }
        }
    }

    /// Where the stream can be taken up again.
    pub(super) fn last_event_id(&self) -> Option<&str> {
        match &self.form {
            Form::Events(parser) => parser.last_event_id(),
            Form::Json(_) | Form::Other => None,
        }
    }

    /// How long the gateway wants us to wait before that.
    pub(super) fn retry(&self) -> Option<Duration> {
        match &self.form {
            Form::Events(parser) => parser.retry(),
            Form::Json(_) | Form::Other => None,
        }
    }

    async fn next_event(&mut self) -> Result<Option<Bytes>> {
        let limit = self.limit;
        loop {
            let Form::Events(parser) = &mut self.form else { return Ok(None) };
            if let Some(message) = parser.next_message().map_err(|_| failure::too_large(limit))? {
                return Ok(Some(message));
            }
            let Some(piece) = self.piece().await else { return Ok(None) };
            let Form::Events(parser) = &mut self.form else { return Ok(None) };
            parser.push(piece);
        }
    }

    async fn whole(&mut self) -> Result<Option<Bytes>> {
        let mut text = Vec::new();
        while let Some(piece) = self.piece().await {
            if text.len() + piece.len() > self.limit {
                return Err(failure::too_large(self.limit));
            }
            text.extend_from_slice(&piece);
        }
        Ok((!self.broke).then(|| text.into()))
    }

    async fn piece(&mut self) -> Option<Bytes> {
        next_piece(&mut self.body).await.unwrap_or_else(|error| {
            tracing::debug!(%error, "an answer broke off");
            self.broke = true;
            None
        })
    }
}

impl Refusal {
    /// Reads an answer that says no.
    pub(super) async fn read(response: Response<Incoming>) -> Self {
        let (head, mut body) = response.into_parts();
        let mut text = Vec::new();
        while let Ok(Some(piece)) = next_piece(&mut body).await {
            text.extend_from_slice(&piece);
            if text.len() > MAX_REFUSAL_BYTES {
                break;
            }
        }
        let text = Bytes::from(text);
        let message = Message::parse(&text).ok().filter(|message| matches!(message, Message::Response { .. }));
        Self { status: head.status, headers: head.headers, message: message.map(|message| (text, message)) }
    }

    /// Whether it means that the gateway does not know our session.
    pub(super) fn means_lost_session(&self) -> bool {
        means_lost_session(self.status, self.said())
    }

    /// The error for it.
    pub(super) fn into_error(self, origin: &str) -> Error {
        let said = match self.message {
            Some((_, Message::Response { outcome: Err(said), .. })) => Some(said),
            _ => None,
        };
        failure::refused(self.status, &self.headers, said, origin)
    }

    fn said(&self) -> Option<&RpcError> {
        match &self.message {
            Some((_, Message::Response { outcome: Outcome::Err(said), .. })) => Some(said),
            _ => None,
        }
    }
}

/// The next piece of a body; `None` at its end.
async fn next_piece(body: &mut Incoming) -> hyper::Result<Option<Bytes>> {
    while let Some(frame) = body.frame().await {
        // Trailers say nothing in MCP.
        if let Ok(piece) = frame?.into_data() {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

/// The messages of a JSON text, each a slice of it.
fn split(text: Bytes) -> Result<Vec<Bytes>> {
    if text.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    let no_json = |error| failure::protocol("cannot read the answer: it is no JSON").with_source(error);
    let text = RawJson::parse(text).map_err(no_json)?;
    if !Message::is_batch(text.as_bytes()) {
        return Ok(vec![text.as_bytes().clone()]);
    }
    let members: Vec<&RawValue> = text.read().map_err(no_json)?;
    Ok(members.iter().map(|raw| RawJson::slice_of(text.as_bytes(), raw).as_bytes().clone()).collect())
}

fn essence(headers: &HeaderMap) -> &str {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_split_and_nothing_else() {
        let check = |text: &'static str, expected: Option<&[&str]>| {
            let split = split(Bytes::from_static(text.as_bytes())).ok();
            let expected = expected.map(|texts| texts.iter().map(|text| Bytes::from((*text).to_owned())).collect());
            assert_eq!(split, expected, "{text}");
        };
        check(" {\"a\": [1.0]} ", Some(&["{\"a\": [1.0]}"]));
        check("[{\"a\":1},{ \"b\":2 } ]", Some(&["{\"a\":1}", "{ \"b\":2 }"]));
        check("[]", Some(&[]));
        check(" \n", Some(&[]));
        check("<html>", None);
    }
}
