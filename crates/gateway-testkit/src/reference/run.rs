//! The binary's work.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::{Options, Server, Wire, serve_http, serve_old_sse, serve_stdio};

/// Runs a server as `options` say until it is told to end.
///
/// # Errors
/// Where the address cannot be listened on, or reading or writing fails.
pub async fn run(options: Options) -> std::io::Result<()> {
    for line in &options.stderr {
        eprintln!("{line}");
    }
    let (wire, stubborn) = (options.wire, options.stubborn);
    let server = Server::new(options);
    let mut terminate = signal(SignalKind::terminate())?;
    let terminated = async move {
        loop {
            terminate.recv().await;
            if !stubborn {
                break;
            }
        }
    };
    match wire {
        Wire::Http(address) => {
            let listener = TcpListener::bind(address).await?;
            eprintln!("listening on http://{}/mcp", listener.local_addr()?);
            serve_http(&server, listener, terminated).await
        }
        Wire::OldSse(address) => {
            let listener = TcpListener::bind(address).await?;
            eprintln!("listening on http://{}/sse", listener.local_addr()?);
            serve_old_sse(&server, listener, terminated).await
        }
        Wire::Stdio => {
            let server: &Arc<Server> = &server;
            tokio::select! {
                served = serve_stdio(server, tokio::io::stdin(), tokio::io::stdout()) => served,
                () = terminated => Ok(()),
            }
        }
    }
}
