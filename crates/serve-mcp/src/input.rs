//! Rounds of input between a server and a client of different eras (2026-07-28, "Multi Round-Trip Requests").
//!
//! A modern server that needs something of its client answers `input_required`, and is asked again with the
//! answers. A modern client knows that and is shown it; a legacy client is asked by requests of ours, and never
//! sees the rounds.

use std::sync::Arc;

use futures_util::future::try_join_all;
use gateway_core::{Context, Era, Gateway, Listener, RawJson, Result, Server, ToolCall};
use mcp_wire::{Object, with_member, without_member};
use uuid::Uuid;

use crate::client::Client;
use crate::core::Request;
use crate::failure::Failure;

/// Most rounds of one request; a server that asks more often never comes to an end.
const MAX_ROUNDS: usize = 32;

/// Most questions of one round.
const MAX_QUESTIONS: usize = 64;

/// A server's answer, on its way to a client.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) result: RawJson,
    pub(crate) era: Era,
    pub(crate) server: Uuid,
}

/// A request to a server that may take several rounds.
#[derive(Debug)]
pub(crate) enum Errand<'a> {
    /// A call of a tool.
    Call { context: &'a Context, call: &'a ToolCall },
    /// Anything else.
    Relay { context: &'a Context, server: &'a Arc<Server>, method: &'static str },
}

/// The answer to a client that is told what the gateway itself knows.
pub(crate) fn complete(client: &Client, result: &RawJson) -> RawJson {
    if client.is_modern() { with_member(result, "resultType", "\"complete\"") } else { result.clone() }
}

impl Errand<'_> {
    /// Sends the request. `params` are all of its params, or for a call of a tool those beside its name and
    /// arguments.
    async fn send(&self, gateway: &Gateway, params: RawJson) -> Result<Reply, Failure> {
        match self {
            Self::Call { context, call } => {
                let reply = gateway.call(context, (*call).clone().with_extra(params)).await?;
                Ok(Reply { result: reply.result, era: reply.era, server: reply.server_uuid })
            }
            Self::Relay { context, server, method } => {
                let reply = gateway.relay(context, server, method, params).await?;
                Ok(Reply { result: reply.result, era: reply.era, server: server.spec().uuid() })
            }
        }
    }
}

/// Sends a request until its server needs no more input, and writes the result in the client's era. `params` are
/// what the rounds add to.
pub(crate) async fn in_rounds(request: &Request, errand: &Errand<'_>, params: RawJson) -> Result<RawJson, Failure> {
    let gateway = &request.core.gateway;
    if request.client.is_modern() {
        return errand.send(gateway, params).await.map(for_modern);
    }
    let mut round = params.clone();
    for _ in 0..MAX_ROUNDS {
        let reply = errand.send(gateway, round).await?;
        if reply.era == Era::Legacy {
            return Ok(reply.result);
        }
        let Some(result) = input_required(&reply.result) else {
            return Ok(without_member(&reply.result, "resultType"));
        };
        let listener = request.listener.as_ref().ok_or_else(|| needs_stream(&reply))?;
        let responses = ask(listener, result.get("inputRequests")).await?;
        round = with_member(&params, "inputResponses", responses.as_str());
        if let Some(state) = result.get("requestState") {
            round = with_member(&round, "requestState", state.as_str());
        }
    }
    Err(Failure::new(
        mcp_wire::code::INTERNAL_ERROR,
        format!("the server wanted input more than {MAX_ROUNDS} times and was given up"),
    ))
}

/// The members of a result that asks for input; `None` for any other.
fn input_required(result: &RawJson) -> Option<Object> {
    const INPUT_REQUIRED: &str = "input_required";
    // Most results are not read at all.
    memchr::memmem::find(result.as_bytes(), INPUT_REQUIRED.as_bytes())?;
    let result = Object::of(result);
    (result.text("resultType").as_deref() == Some(INPUT_REQUIRED)).then_some(result)
}

/// A modern client gets what a modern server said; its state carries which server it belongs to.
fn for_modern(reply: Reply) -> RawJson {
    if reply.era == Era::Legacy {
        return with_member(&reply.result, "resultType", "\"complete\"");
    }
    if reply.result.as_bytes().starts_with(br#"{"resultType":"complete""#) {
        return reply.result;
    }
    let result = Object::of(&reply.result);
    match (result.text("resultType"), result.text("requestState")) {
        (None, _) => with_member(&reply.result, "resultType", "\"complete\""),
        (Some(_), Some(state)) => {
            let state = RequestState::of_server(reply.server, &state);
            with_member(&reply.result, "requestState", state.as_str())
        }
        (Some(_), None) => reply.result,
    }
}

/// Puts a server's questions to a legacy client, side by side, and returns its answers under their names.
async fn ask(listener: &Listener, requests: Option<&RawJson>) -> Result<RawJson, Failure> {
    let requests: Vec<(String, RawJson)> = requests.map(members).unwrap_or_default();
    if requests.len() > MAX_QUESTIONS {
        return Err(Failure::new(
            mcp_wire::code::INTERNAL_ERROR,
            format!("the server asks more than {MAX_QUESTIONS} questions at once"),
        ));
    }
    let answers = requests.iter().map(|(name, request)| async move {
        let request = Object::of(request);
        let method = request.text("method").unwrap_or_default();
        let params = request.get("params").cloned().unwrap_or_else(RawJson::empty_object);
        let answer = listener.ask(&method, params).await.map_err(Failure::from)?;
        Ok::<_, Failure>((name, answer))
    });
    let answers = try_join_all(answers).await?;
    let mut responses = RawJson::empty_object();
    for (name, answer) in answers.iter().rev() {
        responses = with_member(&responses, name, answer.as_str());
    }
    Ok(responses)
}

fn members(object: &RawJson) -> Vec<(String, RawJson)> {
    Object::of(object).into_members()
}

fn needs_stream(reply: &Reply) -> Failure {
    tracing::debug!(server = %reply.server, "a server wants input of a client that cannot be asked");
    Failure::new(
        mcp_wire::code::INTERNAL_ERROR,
        "the server needs input, and this client cannot be asked: it accepts no event stream",
    )
}

/// What a `requestState` says to the gateway: which server it goes back to, or which call waits for it. To the
/// client it is opaque.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RequestState {
    /// The state of a modern server.
    Server { server: Uuid, state: String },
    /// A call of a legacy server that waits in this process.
    Parked(String),
}

impl RequestState {
    const SERVER: &'static str = "server.";
    const PARKED: &'static str = "parked.";

    /// The state of a modern server as its client gets it, as JSON.
    pub(crate) fn of_server(server: Uuid, state: &str) -> RawJson {
        json_text(&format!("{}{}.{state}", Self::SERVER, server.simple()))
    }

    /// The state of a call that waits, as JSON.
    pub(crate) fn of_parked(id: &str) -> RawJson {
        json_text(&format!("{}{id}", Self::PARKED))
    }

    /// Reads what a client sent back.
    ///
    /// # Errors
    /// Where it is no state of this gateway's.
    pub(crate) fn read(params: &Object) -> Result<Option<Self>, Failure> {
        let Some(raw) = params.get("requestState") else { return Ok(None) };
        let unknown = || Failure::invalid("`requestState` is not one that this gateway gave; begin the request anew");
        let text: String = raw.read().map_err(|_| unknown())?;
        if let Some(id) = text.strip_prefix(Self::PARKED) {
            return Ok(Some(Self::Parked(id.to_owned())));
        }
        let (server, state) =
            text.strip_prefix(Self::SERVER).and_then(|rest| rest.split_once('.')).ok_or_else(unknown)?;
        let server = Uuid::try_parse(server).map_err(|_| unknown())?;
        Ok(Some(Self::Server { server, state: state.to_owned() }))
    }
}

pub(crate) fn json_text(text: &str) -> RawJson {
    RawJson::from_value(text).unwrap_or_else(|_| RawJson::empty_object())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_as_it_was() {
        let read = |state: &RawJson| {
            let params = RawJson::parse(format!(r#"{{"requestState":{}}}"#, state.as_str())).expect("JSON");
            RequestState::read(&Object::of(&params)).ok().flatten()
        };
        let server = Uuid::from_u128(7);
        for state in ["", "a.b", "snow \u{2603} \"x\""] {
            let expected = RequestState::Server { server, state: state.to_owned() };
            assert_eq!(read(&RequestState::of_server(server, state)), Some(expected));
        }
        assert_eq!(read(&RequestState::of_parked("x")), Some(RequestState::Parked("x".to_owned())));
        for other in ["\"\"", "\"server.x.y\"", "7", "\"x\""] {
            assert_eq!(read(&RawJson::parse(other).expect("JSON")), None, "{other}");
        }
    }
}
