//! Who is at the other end: what a client says of itself, and what one request's `_meta` says.

use std::sync::Arc;

use gateway_core::{
    Admission, ClientProfile, Context, Credentials, Era, Error, ErrorKind, Gateway, Listener, LogLevel, TraceContext,
};
use gateway_core::{Question, RawJson, Result};
use mcp_wire::{Object, Revision};
use serde::Deserialize;

use crate::config::Expose;

pub(crate) const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// A session of the gateway that does not exist yet.
pub(crate) const NEW_SESSION: &str = "new";

const META_CLIENT: &str = "io.modelcontextprotocol/clientInfo";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const META_LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";

/// A client, as the request at hand shows it.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) revision: Revision,
    pub(crate) profile: Arc<ClientProfile>,
    /// The least important log messages that it wants; none wants none.
    pub(crate) log_level: Option<LogLevel>,
    pub(crate) expose: Expose,
}

/// What a request's `_meta` says to the gateway, and what is left of it for the server.
#[derive(Debug, Default)]
pub(crate) struct Meta {
    /// The revision that a modern request is written in.
    pub(crate) version: Option<String>,
    /// What a modern client can do.
    pub(crate) capabilities: Option<RawJson>,
    pub(crate) log_level: Option<LogLevel>,
    /// What progress is to be reported under: JSON text.
    pub(crate) progress_token: Option<RawJson>,
    /// Where the request stands in a trace.
    pub(crate) trace: Option<TraceContext>,
    /// Everything else: trace context, too, and what only server and client know.
    pub(crate) rest: Option<RawJson>,
}

/// Who sends a request, as far as the engine cares.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) request_id: Arc<str>,
    pub(crate) credentials: Credentials,
    /// The gateway's session whose servers are meant; the default one when absent.
    pub(crate) session_id: Option<String>,
    /// Where what is asked stands in a trace.
    pub(crate) trace: Option<TraceContext>,
}

impl Client {
    pub(crate) fn era(&self) -> Era {
        self.revision.era()
    }

    pub(crate) fn is_modern(&self) -> bool {
        self.era() == Era::Modern
    }

    /// Whether a log message of this level is wanted; one without a readable level is.
    pub(crate) fn wants_log(&self, params: &RawJson) -> bool {
        let level = Object::of(params).text("level").and_then(|level| LogLevel::parse(&level));
        self.log_level.is_some_and(|wanted| level.is_none_or(|level| level >= wanted))
    }

    /// Why a question cannot be put to this client, where that is so.
    pub(crate) fn refuses(&self, question: &Question) -> Option<Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Capabilities {
            sampling: Option<serde::de::IgnoredAny>,
            roots: Option<serde::de::IgnoredAny>,
            elicitation: Option<Elicitation>,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Elicitation {
            form: Option<serde::de::IgnoredAny>,
            url: Option<serde::de::IgnoredAny>,
        }
        let can: Capabilities = self.profile.capabilities().read().unwrap_or_default();
        let is_url = || Object::of(&question.params).text("mode").is_some_and(|mode| mode == "url");
        let (is_able, needed) = match question.method.as_str() {
            "sampling/createMessage" => (can.sampling.is_some(), "sampling"),
            "roots/list" => (can.roots.is_some(), "roots"),
            "elicitation/create" => match can.elicitation {
                None => (false, "elicitation"),
                Some(Elicitation { url, .. }) if is_url() => (url.is_some(), "elicitation.url"),
                // An empty object means forms (2025-11-25, "Elicitation", Capabilities).
                Some(Elicitation { form, url }) => (form.is_some() || url.is_none(), "elicitation.form"),
            },
            _ => return Some(Error::new(ErrorKind::NotFound, "the gateway passes no such question on")),
        };
        (!is_able).then(|| Error::new(ErrorKind::NotFound, format!("the client did not declare `{needed}`")))
    }
}

impl Meta {
    /// Reads the `_meta` of a request's params.
    pub(crate) fn of(params: &Object) -> Self {
        let Some(raw) = params.get("_meta").filter(|meta| meta.is_object()) else { return Self::default() };
        let meta = Object::of(raw);
        let token = meta.get("progressToken").filter(|token| !token.is_object() && token.as_str() != "null");
        Self {
            version: meta.text(META_VERSION),
            capabilities: meta.get(META_CAPABILITIES).filter(|capabilities| capabilities.is_object()).cloned(),
            log_level: meta.text(META_LOG_LEVEL).and_then(|level| LogLevel::parse(&level)),
            progress_token: token.cloned(),
            trace: meta
                .text("traceparent")
                .and_then(|parent| TraceContext::parse(&parent, meta.text("tracestate").as_deref())),
            rest: meta.without(&["progressToken", META_VERSION, META_CLIENT, META_CAPABILITIES]),
        }
    }

    /// What a server gets as `_meta`. A legacy client says once which log messages it wants, a modern server
    /// hears it with each request.
    pub(crate) fn for_server(&self, client: &Client) -> Option<RawJson> {
        let level = client.log_level.filter(|_| !client.is_modern());
        let Some(level) = level else { return self.rest.clone() };
        let rest = self.rest.clone().unwrap_or_else(RawJson::empty_object);
        Some(mcp_wire::with_member(&rest, META_LOG_LEVEL, &format!("\"{}\"", level.as_str())))
    }
}

impl Sender {
    /// Asks the engine to admit the sender.
    ///
    /// # Errors
    /// What [`Gateway::admit`] refuses, and `NotFound` for an id that cannot be a session's.
    pub(crate) async fn admit(&self, gateway: &Gateway, listener: Option<Listener>) -> Result<Context> {
        if self.session_id.as_ref().is_some_and(|id| !http_server::is_session_id(id)) {
            return Err(Error::new(ErrorKind::NotFound, "there is no such session"));
        }
        let admission = Admission {
            request_id: self.request_id.as_ref().to_owned(),
            credentials: self.credentials.clone(),
            session_id: self.session_id.clone(),
            timeout: None,
            listener,
            door: "mcp",
            trace: self.trace.clone(),
        };
        gateway.admit(admission).await
    }

    /// The same sender, for another session of the gateway.
    pub(crate) fn in_session(&self, session_id: Option<String>) -> Self {
        Self { session_id, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> RawJson {
        RawJson::parse(text.to_owned()).expect("valid JSON")
    }

    #[test]
    fn meta_is_split_between_gateway_and_server() {
        let params = raw(
            r#"{"_meta":{"progressToken":"t","traceparent":"00-1","io.modelcontextprotocol/protocolVersion":"2026-07-28",
            "io.modelcontextprotocol/clientCapabilities":{"roots":{}},"io.modelcontextprotocol/logLevel":"info"}}"#,
        );
        let meta = Meta::of(&Object::of(&params));
        assert_eq!(meta.version.as_deref(), Some("2026-07-28"));
        assert_eq!(meta.capabilities, Some(raw(r#"{"roots":{}}"#)));
        assert_eq!((meta.log_level, meta.progress_token), (Some(LogLevel::Info), Some(raw("\"t\""))));
        let rest = r#"{"traceparent":"00-1","io.modelcontextprotocol/logLevel":"info"}"#;
        assert_eq!(meta.rest, Some(raw(rest)));
        let plain = Meta::of(&Object::of(&raw(r#"{"_meta":{"progressToken":1}}"#)));
        assert_eq!((plain.rest, plain.progress_token), (None, Some(raw("1"))));
    }

    #[test]
    fn only_what_a_client_declared_is_asked_of_it() {
        let check = |capabilities: &str, method: &str, params: &str, refused: bool| {
            let profile = ClientProfile::new(raw(capabilities));
            let client =
                Client { revision: Revision::V2025_11_25, profile, log_level: None, expose: Expose::default() };
            let (question, _answer) = Question::new(method, raw(params));
            assert_eq!(client.refuses(&question).is_some(), refused, "{capabilities} {method} {params}");
        };
        check("{}", "roots/list", "{}", true);
        check(r#"{"roots":{}}"#, "roots/list", "{}", false);
        check(r#"{"sampling":{"tools":{}}}"#, "sampling/createMessage", "{}", false);
        check(r#"{"elicitation":{}}"#, "elicitation/create", "{}", false);
        check(r#"{"elicitation":{}}"#, "elicitation/create", r#"{"mode":"url"}"#, true);
        check(r#"{"elicitation":{"url":{}}}"#, "elicitation/create", r#"{"mode":"url"}"#, false);
        check(r#"{"elicitation":{"url":{}}}"#, "elicitation/create", r#"{"mode":"form"}"#, true);
        check(r#"{"elicitation":{"form":{},"url":{}}}"#, "elicitation/create", "{}", false);
        check(r#"{"roots":{}}"#, "other/thing", "{}", true);
    }
}
