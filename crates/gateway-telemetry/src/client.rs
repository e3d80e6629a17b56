//! The HTTP client that spans are sent with.

use std::fmt;
use std::sync::Once;
use std::time::Duration;

use async_trait::async_trait;
use gateway_core::{Error, ErrorKind, Result};
use http::{Request, Response};
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// Most that is read of a collector's answer.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Sends requests on the runtime that it was made in: the SDK asks from a thread of its own, which has none.
pub(crate) struct Client {
    client: reqwest::Client,
    runtime: Handle,
}

impl Client {
    /// A client whose requests take no longer than `timeout`. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// `Internal` where TLS cannot be prepared.
    pub(crate) fn new(timeout: Duration) -> Result<Self> {
        install_crypto();
        let client = reqwest::Client::builder()
            .timeout(timeout)
            // The headers hold keys, and are for the address that was configured.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, "cannot prepare sending traces").with_source(error))?;
        Ok(Self { client, runtime: Handle::current() })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> std::result::Result<Response<Bytes>, HttpError> {
        // Ends with this future.
        let mut sending = JoinSet::new();
        sending.spawn_on(send(self.client.clone(), request), &self.runtime);
        sending.join_next().await.ok_or("the request was not begun")??
    }
}

async fn send(client: reqwest::Client, request: Request<Bytes>) -> std::result::Result<Response<Bytes>, HttpError> {
    let mut answer = client.execute(request.try_into()?).await?;
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        if body.len() + piece.len() > MAX_ANSWER_BYTES {
            return Err("the collector's answer is too large".into());
        }
        body.extend_from_slice(&piece);
    }
    let mut response = Response::new(body.into());
    *response.status_mut() = answer.status();
    *response.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(response)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// Gives TLS its cryptography, unless the program has chosen one.
fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that the program has chosen already.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
    });
}
