//! Where a gateway listens.

use std::future::Future;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use gateway_core::{Error, ErrorKind, Result};
use http_server::HttpServer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::failure::failure;

/// The listeners of a gateway: `localhost` is two.
#[derive(Debug)]
pub(crate) struct Listeners {
    first: TcpListener,
    second: Option<TcpListener>,
}

impl Listeners {
    /// Listens where the settings say.
    ///
    /// # Errors
    /// Where that is not possible; the message reads after "failed to".
    pub(crate) async fn open(settings: &Settings) -> Result<Self> {
        let first = listen(settings.address).await?;
        let second = listen_beside(settings, &first).await?;
        Ok(Self { first, second })
    }

    /// Writes the line that scripts and tests wait for.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn announce(&self) -> Result<()> {
        let address = self.first.local_addr();
        let written = address.and_then(|address| writeln!(io::stderr().lock(), "listening on http://{address}"));
        written.map_err(|error| failure("say where it listens", error))
    }

    /// Serves on all of them until all have ended. One that fails stops the others.
    ///
    /// # Errors
    /// That of the first that fails.
    pub(crate) async fn serve(self, server: &HttpServer, stop: &CancellationToken, grace: Duration) -> Result<()> {
        let serve = |listener| http_server::serve(listener, server.clone(), stop.clone(), grace);
        let served = serve_all(serve(self.first), self.second.map(serve), stop).await;
        served.map_err(|error| failure("serve", error))
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "; choose another port with --port, or 0 for a free one",
            _ => "",
        };
        let message = format!("listen on {address}: {error}{hint}");
        Error::new(ErrorKind::Unavailable, message).with_source(error)
    })
}

/// The listener on the second address, with the port of `first`. Where another program has that port there,
/// clients that ask for `localhost` would tell it what they mean for us, the key included: better not to start.
async fn listen_beside(settings: &Settings, first: &TcpListener) -> Result<Option<TcpListener>> {
    let Some(ip) = settings.second_address else { return Ok(None) };
    let port = first.local_addr().map_err(|error| failure("say where it listens", error))?.port();
    match TcpListener::bind((ip, port)).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && settings.address.port() != 0 => {
            let address = SocketAddr::new(ip, port);
            let hint = "choose another port with --port, or listen on one address with --host 127.0.0.1";
            let message = format!("listen on {address}, which localhost means, too: {error}; {hint}");
            Err(Error::new(ErrorKind::Unavailable, message).with_source(error))
        }
        Err(error) => {
            tracing::debug!(%error, "not listening on {ip}");
            Ok(None)
        }
    }
}

async fn serve_all<F: Future<Output = io::Result<()>>>(
    first: F,
    second: Option<F>,
    stop: &CancellationToken,
) -> io::Result<()> {
    let or_stop = async |serving: F| serving.await.inspect_err(|_| stop.cancel());
    let second = async {
        match second {
            Some(second) => or_stop(second).await,
            None => Ok(()),
        }
    };
    let (first, second) = tokio::join!(or_stop(first), second);
    first.and(second)
}
