//! Asking the client in the middle of a request, in either era.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::answer::head;
use super::seal;
use super::session::Capabilities;
use crate::reference::peer::{Peer, Request};
use crate::reference::wire::{Fault, INVALID_PARAMS, MISSING_CAPABILITY, Params, SERVER_ERROR, present, quote};

/// What a request asks, round by round, before it is done.
pub(super) struct Dialogue {
    pub rounds: Vec<Vec<Question>>,
    /// Whether the client carries what is known so far, as `requestState`.
    pub sealed: bool,
    /// Whether questions that the client cannot be asked are left out, rather than refused.
    pub lenient: bool,
    /// The members of the result, from the answers.
    pub finish: fn(&Answers) -> String,
}

/// One question to the client.
#[derive(Clone)]
pub(super) struct Question {
    pub key: &'static str,
    pub method: &'static str,
    /// JSON text.
    pub params: String,
}

/// The client's answers by the keys of their questions.
#[derive(Debug, Default)]
pub(super) struct Answers(BTreeMap<String, Value>);

/// The members that a client sends when it calls again.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Again<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    input_responses: Option<&'a RawValue>,
    #[serde(default)]
    request_state: Option<String>,
}

impl Dialogue {
    /// A dialogue of one round that carries nothing.
    pub(super) fn new(questions: Vec<Question>, finish: fn(&Answers) -> String) -> Self {
        Self { rounds: vec![questions], sealed: false, lenient: false, finish }
    }

    /// The result of `request`: asks the client, or what the answers make of it. `subject` names what was
    /// called, so that the state of one thing is no good for another.
    pub(super) async fn hold(
        &self,
        peer: &Peer,
        request: &Request,
        params: &Params<'_>,
        subject: &str,
    ) -> Result<String, Fault> {
        if request.arrival.modern {
            let capabilities = params.meta.as_ref().and_then(|meta| meta.capabilities).map(Capabilities::parse);
            self.modern(request.params.get(), capabilities.unwrap_or_default(), subject)
        } else {
            self.legacy(peer, request).await
        }
    }

    fn modern(&self, params: &str, capabilities: Capabilities, subject: &str) -> Result<String, Fault> {
        let again: Again<'_> =
            serde_json::from_str(params).map_err(|error| Fault::of_tool(INVALID_PARAMS, format!("params: {error}")))?;
        let mut answers = Answers::default();
        match (&again.request_state, again.input_responses) {
            (Some(state), _) if self.sealed => self.take(&seal::open(subject, state)?, &mut answers)?,
            (Some(_), _) => return Err(Fault::of_tool(INVALID_PARAMS, "this was called without a requestState")),
            (None, Some(_)) if self.sealed => return Err(Fault::of_tool(INVALID_PARAMS, "requestState is missing")),
            (None, _) => {}
        }
        if let Some(responses) = again.input_responses {
            self.take(responses.get(), &mut answers)?;
        }
        let Some(open) = self.open(&answers, capabilities)? else {
            return Ok(format!("{{{}{}}}", head(true), (self.finish)(&answers)));
        };
        let requests: Vec<String> = open.iter().map(Question::as_member).collect();
        let state = match self.sealed {
            true => format!(r#","requestState":{}"#, quote(&seal::seal(subject, &answers.as_json()))),
            false => String::new(),
        };
        Ok(format!(r#"{{"resultType":"input_required","inputRequests":{{{}}}{state}}}"#, requests.join(",")))
    }

    async fn legacy(&self, peer: &Peer, request: &Request) -> Result<String, Fault> {
        let mut answers = Answers::default();
        let capabilities = peer.session.capabilities();
        loop {
            let open = match self.open(&answers, capabilities) {
                Ok(Some(open)) => open,
                Ok(None) => return Ok(format!("{{{}}}", (self.finish)(&answers))),
                Err(fault) => return Ok(super::tools::failure(&fault.message, false)),
            };
            for Question { key, method, params } in open {
                let Some(answer) = peer.ask(&request.arrival.outlet, method, &params).await else {
                    return Err(Fault::of_tool(SERVER_ERROR, "the client is gone"));
                };
                let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
                if let Some(error) = answer.get("error") {
                    return Ok(super::tools::failure(&format!("the client did not answer {method}: {error}"), false));
                }
                self.take(&serde_json::json!({ key: answer["result"] }).to_string(), &mut answers)?;
            }
        }
    }

    /// Takes the answers to its questions out of `responses`, a JSON object; what it did not ask is passed over.
    fn take(&self, responses: &str, answers: &mut Answers) -> Result<(), Fault> {
        let responses: BTreeMap<String, Value> = serde_json::from_str(responses)
            .map_err(|error| Fault::of_tool(INVALID_PARAMS, format!("inputResponses: {error}")))?;
        for (key, answer) in responses {
            if !self.rounds.iter().flatten().any(|question| question.key == key) {
                continue;
            }
            if !answer.is_object() {
                return Err(Fault::of_tool(INVALID_PARAMS, format!("the answer to {key} is no object")));
            }
            answers.0.insert(key, answer);
        }
        Ok(())
    }

    /// The questions to ask now; `None` where nothing is open.
    fn open(&self, answers: &Answers, capabilities: Capabilities) -> Result<Option<Vec<Question>>, Fault> {
        for round in &self.rounds {
            let mut open = Vec::new();
            for question in round.iter().filter(|question| !answers.0.contains_key(question.key)) {
                let needed = question.capability();
                if capabilities.have(needed) {
                    open.push(question.clone());
                } else if !self.lenient {
                    return Err(missing_capability(needed));
                }
            }
            if !open.is_empty() {
                return Ok(Some(open));
            }
        }
        Ok(None)
    }
}

impl Question {
    /// A form for the user; `schema` is JSON text.
    pub(super) fn elicit(key: &'static str, message: &str, schema: &str) -> Self {
        let params = format!(r#"{{"message":{},"requestedSchema":{schema}}}"#, quote(message));
        Self { key, method: "elicitation/create", params }
    }

    /// A form with one field that must be filled in.
    pub(super) fn elicit_one(key: &'static str, message: &str, field: &str, kind: &str) -> Self {
        let schema =
            format!(r#"{{"type":"object","properties":{{"{field}":{{"type":"{kind}"}}}},"required":["{field}"]}}"#);
        Self::elicit(key, message, &schema)
    }

    pub(super) fn sample(key: &'static str, prompt: &str, max_tokens: u32) -> Self {
        let params = format!(
            r#"{{"messages":[{{"role":"user","content":{{"type":"text","text":{}}}}}],"maxTokens":{max_tokens}}}"#,
            quote(prompt)
        );
        Self { key, method: "sampling/createMessage", params }
    }

    pub(super) fn roots(key: &'static str) -> Self {
        Self { key, method: "roots/list", params: "{}".to_owned() }
    }

    fn capability(&self) -> &'static str {
        match self.method {
            "elicitation/create" => "elicitation",
            "sampling/createMessage" => "sampling",
            _ => "roots",
        }
    }

    fn as_member(&self) -> String {
        format!(r#""{}":{{"method":"{}","params":{}}}"#, self.key, self.method, self.params)
    }
}

impl Answers {
    /// All of them as a JSON object.
    pub(super) fn as_json(&self) -> String {
        serde_json::json!(self.0).to_string()
    }

    /// The answer to a question, `null` where it was not asked.
    pub(super) fn of(&self, key: &str) -> &Value {
        self.0.get(key).unwrap_or(&Value::Null)
    }
}

/// The modern refusal of a request that needs what the client did not declare.
pub(super) fn missing_capability(name: &str) -> Fault {
    Fault::new(MISSING_CAPABILITY, format!("the client did not declare the capability {name}"))
        .with_data(format!(r#"{{"requiredCapabilities":{{"{name}":{{}}}}}}"#))
}
