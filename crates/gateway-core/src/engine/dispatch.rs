//! The innermost step of a call: to the live connection of its server.

use async_trait::async_trait;

use crate::{Call, Context, Invoke, RawJson, Result, UpstreamRequest};

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
                listener: context.listener().cloned(),
            };
            let answer = entry.request(request).await;
            return answer.map_err(|error| error.with_context("server", call.server.spec().name()));
        }
    }
}
