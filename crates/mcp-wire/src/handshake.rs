//! Finding out which era a server speaks, and what it says of itself.

use std::time::Duration;

use async_trait::async_trait;
use gateway_core::{Era, Error, ErrorKind, RawJson, Result, UpstreamInfo};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Meta, Revision, code};

/// How long a server may be silent on `server/discover` where the transport does not say. A server of
/// the legacy era should answer with an error, and some say nothing.
const PROBE_PATIENCE: Duration = Duration::from_secs(5);

const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CLIENT: &str = "io.modelcontextprotocol/clientInfo";

/// The side of a transport that the handshake drives.
#[async_trait]
pub trait Exchange: Send + Sync {
    /// Sends one request and returns its result. `revision` is the one that the message belongs to, and
    /// `None` for `initialize`, which comes before the choice.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] where the server cannot be reached: the handshake ends with it. Any
    /// other error is an answer, and means that the server does not speak this era.
    async fn request(&self, revision: Option<Revision>, method: &'static str, params: RawJson) -> Result<RawJson>;

    /// Sends one notification.
    ///
    /// # Errors
    /// Where it could not be sent.
    async fn notify(&self, revision: Revision, method: &'static str) -> Result<()>;

    /// How long the server may be silent on `server/discover` before `initialize` is tried beside it.
    fn probe_patience(&self) -> Duration {
        PROBE_PATIENCE
    }
}

/// What we say of ourselves to servers.
#[derive(Clone, Debug)]
pub struct ClientIdentity {
    info: RawJson,
    capabilities: RawJson,
}

impl ClientIdentity {
    /// A client called `name`, of this `version`, without any capability.
    pub fn new(name: &str, version: &str) -> Self {
        let info = serde_json::json!({ "name": name, "version": version });
        let info = RawJson::from_value(&info).expect("two texts are JSON");
        Self { info, capabilities: RawJson::empty_object() }
    }

    /// With these capabilities, an object.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: RawJson) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// The members that every request of this era carries in its `_meta`, beside
    /// [those of one request](Meta::for_request).
    pub fn meta(&self, era: Era) -> Meta {
        match era {
            Era::Legacy => Meta::default(),
            Era::Modern => {
                Meta::default().with(META_VERSION, &text(Revision::MODERN.as_str())).with(META_CLIENT, &self.info)
            }
        }
    }

    fn initialize_params(&self) -> RawJson {
        let params = format!(
            r#"{{"protocolVersion":"{}","capabilities":{},"clientInfo":{}}}"#,
            Revision::LATEST_LEGACY,
            self.capabilities.as_str(),
            self.info.as_str(),
        );
        RawJson::parse(params).expect("parts that are JSON make JSON")
    }
}

/// Opens the conversation and returns what the server said of itself. Tries the remembered era first;
/// without one it probes with `server/discover` and falls back to `initialize`.
///
/// The `_meta` of `server/discover` is put in by the exchange, as for every request of its revision.
/// The caller bounds the time. Dropping the future leaves nothing behind here.
///
/// # Errors
/// That of the last era tried; [`ErrorKind::UpstreamFailed`] where the server answered both and speaks
/// no revision of ours.
pub async fn shake_hands(
    exchange: &dyn Exchange,
    client: &ClientIdentity,
    remembered: Option<Era>,
) -> Result<UpstreamInfo> {
    if remembered == Some(Era::Legacy) {
        return match initialize(exchange, client).await {
            Err(error) if is_answer(&error) => match discover(exchange).await {
                Err(_) => Err(error),
                modern => modern,
            },
            legacy => legacy,
        };
    }
    let mut discover = Box::pin(discover_again(exchange));
    let refused = match tokio::time::timeout(exchange.probe_patience(), &mut discover).await {
        Ok(Err(error)) if is_answer(&error) => error,
        Ok(answer) => return answer,
        // A child that takes long to start is silent too: whichever answers first wins.
        Err(_) => return first_success(discover, initialize(exchange, client)).await,
    };
    initialize(exchange, client).await.map_err(|error| error.with_context("discover", refused.message()))
}

/// Asks once more where the server answers that it does not speak the revision that it says it speaks: it has not
/// yet, or a proxy before it decides by the first request.
async fn discover_again(exchange: &dyn Exchange) -> Result<UpstreamInfo> {
    match discover(exchange).await {
        Err(error) if offers_modern(&error) => discover(exchange).await,
        outcome => outcome,
    }
}

/// Whether an error is -32022 and offers our revision all the same.
fn offers_modern(error: &Error) -> bool {
    #[derive(Deserialize)]
    struct Refusal {
        code: i64,
        data: Offer,
    }
    #[derive(Deserialize)]
    struct Offer {
        supported: Vec<String>,
    }
    let refusal = error.details().and_then(|details| details.read::<Refusal>().ok());
    refusal.is_some_and(|refusal| {
        refusal.code == code::UNSUPPORTED_PROTOCOL_VERSION
            && refusal.data.supported.iter().any(|version| version == Revision::MODERN.as_str())
    })
}

async fn discover(exchange: &dyn Exchange) -> Result<UpstreamInfo> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Discovered<'a> {
        supported_versions: Vec<String>,
        #[serde(borrow)]
        capabilities: Option<&'a RawValue>,
        instructions: Option<String>,
        #[serde(borrow, rename = "_meta")]
        meta: Option<&'a RawValue>,
        #[serde(borrow)]
        server_info: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct ResultMeta<'a> {
        #[serde(borrow, rename = "io.modelcontextprotocol/serverInfo")]
        server_info: Option<&'a RawValue>,
    }
    let revision = Revision::MODERN;
    let raw = exchange.request(Some(revision), "server/discover", RawJson::empty_object()).await?.detached();
    let said: Discovered<'_> = raw.read().map_err(|error| unreadable("server/discover", error))?;
    if !said.supported_versions.iter().any(|version| version == revision.as_str()) {
        return Err(no_common_revision(&said.supported_versions.join(", ")));
    }
    let meta = said.meta.and_then(|meta| serde_json::from_str::<ResultMeta<'_>>(meta.get()).ok());
    let server_info = meta.and_then(|meta| meta.server_info).or(said.server_info);
    let slice = |part: &RawValue| RawJson::slice_of(raw.as_bytes(), part);
    Ok(UpstreamInfo {
        protocol_version: revision.as_str().to_owned(),
        era: Era::Modern,
        capabilities: object_or_empty(said.capabilities.map(slice)),
        server_info: server_info.map(slice),
        instructions: said.instructions,
        process_id: None,
        raw: raw.clone(),
    })
}

async fn initialize(exchange: &dyn Exchange, client: &ClientIdentity) -> Result<UpstreamInfo> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Initialized<'a> {
        protocol_version: String,
        #[serde(borrow)]
        capabilities: Option<&'a RawValue>,
        #[serde(borrow)]
        server_info: Option<&'a RawValue>,
        instructions: Option<String>,
    }
    let raw = exchange.request(None, "initialize", client.initialize_params()).await?.detached();
    let said: Initialized<'_> = raw.read().map_err(|error| unreadable("initialize", error))?;
    let revision = Revision::parse(&said.protocol_version)
        .filter(|revision| revision.era() == Era::Legacy)
        .ok_or_else(|| no_common_revision(&said.protocol_version))?;
    exchange.notify(revision, "notifications/initialized").await?;
    let slice = |part: &RawValue| RawJson::slice_of(raw.as_bytes(), part);
    Ok(UpstreamInfo {
        protocol_version: said.protocol_version,
        era: Era::Legacy,
        capabilities: object_or_empty(said.capabilities.map(slice)),
        server_info: said.server_info.map(slice),
        instructions: said.instructions,
        process_id: None,
        raw: raw.clone(),
    })
}

/// The first of two attempts that succeeds; the second one's error where both fail.
async fn first_success(
    mut first: impl Future<Output = Result<UpstreamInfo>> + Unpin,
    second: impl Future<Output = Result<UpstreamInfo>>,
) -> Result<UpstreamInfo> {
    let mut second = Box::pin(second);
    let mut first_failed = false;
    loop {
        tokio::select! {
            outcome = &mut first, if !first_failed => match outcome {
                Ok(info) => return Ok(info),
                Err(_) => first_failed = true,
            },
            outcome = &mut second => return match outcome {
                Err(error) if !first_failed => first.await.map_err(|_| error),
                outcome => outcome,
            },
        }
    }
}

/// Whether the server was there and said no, so that the other era may be tried.
fn is_answer(error: &Error) -> bool {
    error.kind() != ErrorKind::Unavailable
}

fn object_or_empty(part: Option<RawJson>) -> RawJson {
    part.filter(RawJson::is_object).unwrap_or_else(RawJson::empty_object)
}

fn unreadable(method: &str, error: serde_json::Error) -> Error {
    let message = format!("connect: the server's answer to `{method}` cannot be read");
    Error::new(ErrorKind::UpstreamFailed, message).with_source(error)
}

fn no_common_revision(offered: &str) -> Error {
    let offered: String = offered.chars().filter(|c| !c.is_control()).take(200).collect();
    let message = format!("connect: the server speaks no revision of MCP that we know ({offered})");
    Error::new(ErrorKind::UpstreamFailed, message)
}

fn text(text: &str) -> RawJson {
    RawJson::from_value(text).expect("a text is JSON")
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{RpcError, upstream_error};

    /// A server with one answer for each method; none means silence.
    struct Server {
        discover: Option<Result<&'static str, i64>>,
        initialize: Option<Result<&'static str, i64>>,
        /// How long the answer to `server/discover` takes, in seconds.
        slow_discover: u64,
        heard: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl Exchange for Server {
        async fn request(&self, revision: Option<Revision>, method: &'static str, params: RawJson) -> Result<RawJson> {
            assert!(params.is_object());
            let revision = revision.map_or("none", Revision::as_str);
            self.heard.lock().expect("no panic").push(format!("{method} {revision}"));
            let answer = match method {
                "server/discover" => {
                    tokio::time::sleep(Duration::from_secs(self.slow_discover)).await;
                    self.discover
                }
                _ => self.initialize,
            };
            match answer {
                None => std::future::pending().await,
                Some(Ok(result)) => Ok(RawJson::parse(result).expect("valid JSON")),
                Some(Err(0)) => Err(Error::new(ErrorKind::Unavailable, "reach it")),
                Some(Err(code)) => {
                    Err(upstream_error(RpcError { code, message: String::new(), raw: RawJson::empty_object() }))
                }
            }
        }

        async fn notify(&self, revision: Revision, method: &'static str) -> Result<()> {
            self.heard.lock().expect("no panic").push(format!("{method} {revision}"));
            Ok(())
        }
    }

    const MODERN: &str = r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"instructions":"hi",
        "_meta":{"io.modelcontextprotocol/serverInfo":{"name":"m"}}}"#;
    const LEGACY: &str = r#"{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"l"}}"#;

    async fn check(
        discover: Option<Result<&'static str, i64>>,
        initialize: Option<Result<&'static str, i64>>,
        remembered: Option<Era>,
        expected: (Option<Era>, &str),
    ) {
        let server = Server { discover, initialize, slow_discover: 0, heard: Mutex::default() };
        let client = ClientIdentity::new("test", "1");
        let info = shake_hands(&server, &client, remembered).await;
        let heard = server.heard.into_inner().expect("no panic").join(", ");
        assert_eq!((info.as_ref().ok().map(|info| info.era), heard.as_str()), expected);
        if let Ok(info) = info {
            let name = info.server_info.expect("a server info");
            assert_eq!(name.as_str().contains("\"m\""), info.era == Era::Modern);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_era_is_found() {
        const DISCOVER: &str = "server/discover 2026-07-28";
        const BOTH: &str = "server/discover 2026-07-28, initialize none, notifications/initialized 2025-06-18";
        let modern = Some(Era::Modern);
        let legacy = Some(Era::Legacy);
        check(Some(Ok(MODERN)), None, None, (modern, DISCOVER)).await;
        check(Some(Err(-32601)), Some(Ok(LEGACY)), None, (legacy, BOTH)).await;
        check(Some(Err(-32602)), Some(Ok(LEGACY)), modern, (legacy, BOTH)).await;
        check(None, Some(Ok(LEGACY)), None, (legacy, BOTH)).await;
        check(Some(Ok("{}")), Some(Ok(LEGACY)), None, (legacy, BOTH)).await;
        check(None, Some(Ok(LEGACY)), legacy, (legacy, "initialize none, notifications/initialized 2025-06-18")).await;
        check(Some(Ok(MODERN)), Some(Err(-32601)), legacy, (modern, "initialize none, server/discover 2026-07-28"))
            .await;
        let neither = "server/discover 2026-07-28, initialize none";
        check(Some(Err(-1)), Some(Err(-1)), None, (None, neither)).await;
        check(Some(Err(0)), Some(Ok(LEGACY)), None, (None, DISCOVER)).await;
        let odd = Some(Ok(r#"{"protocolVersion":"2026-07-28"}"#));
        check(Some(Err(-1)), odd, None, (None, neither)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_probe_still_counts() {
        let check = async |discover, initialize, expected: Option<Era>| {
            let server = Server { discover: Some(discover), initialize, slow_discover: 20, heard: Mutex::default() };
            let info = shake_hands(&server, &ClientIdentity::new("test", "1"), None).await;
            assert_eq!(info.ok().map(|info| info.era), expected);
        };
        check(Ok(MODERN), None, Some(Era::Modern)).await;
        check(Ok(MODERN), Some(Err(-32601)), Some(Era::Modern)).await;
        check(Err(-32601), Some(Ok(LEGACY)), Some(Era::Legacy)).await;
        check(Err(-32601), Some(Err(-32601)), None).await;
    }

    #[test]
    fn the_meta_of_each_era() {
        let client = ClientIdentity::new("g", "1");
        let written = |era| {
            let mut out = Vec::new();
            client.meta(era).for_request(era, 7, None, None).write_params(&mut out, &RawJson::empty_object());
            String::from_utf8(out).expect("text")
        };
        assert_eq!(written(Era::Legacy), "{}");
        assert_eq!(
            written(Era::Modern),
            r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"g","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}"#
        );
    }
}
