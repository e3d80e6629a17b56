//! The innermost step of a call: to the live connection of its server.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::Value;

use crate::{Call, Context, Invoke, ParamHeader, RawJson, Result, UpstreamRequest};

/// Sends calls to their servers.
#[derive(Debug)]
pub(super) struct Dispatch;

#[async_trait]
impl Invoke for Dispatch {
    async fn invoke(&self, context: &Context, call: &Call) -> Result<RawJson> {
        loop {
            let connection = call.server.connection().await?;
            // Closed as idle between the two lines: the next one is opened for this call.
            let Some(entry) = connection.enter() else { continue };
            let request = UpstreamRequest {
                method: call.method.clone(),
                params: call.params.clone(),
                param_headers: param_headers(call),
                listener: context.listener().cloned(),
                trace: context.trace().cloned(),
            };
            let answer = entry.request(request).await;
            return answer.map_err(|error| error.with_context("server", call.server.spec().name()));
        }
    }
}

/// The arguments that travel in headers as well. Most tools have none.
fn param_headers(call: &Call) -> Vec<(String, String)> {
    #[derive(Deserialize)]
    struct Params {
        arguments: Value,
    }
    let wanted = call.tool.as_ref().map_or(&[] as &[ParamHeader], |tool| tool.param_headers());
    if wanted.is_empty() || call.server.spec().is_command() {
        return Vec::new();
    }
    let Ok(Params { arguments }) = call.params.read() else { return Vec::new() };
    wanted.iter().filter_map(|header| Some((header.name().to_owned(), header.value(&arguments)?))).collect()
}
