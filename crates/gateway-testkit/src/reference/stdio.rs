//! The reference server on standard input and output.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, BufWriter};
use tokio::sync::mpsc;

use super::Server;
use super::peer::{Arrival, Kind, Peer};
use super::server::{Frame, Outlet};
use super::wire::{Envelope, Fault, INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, Params};

/// What `--noise` writes before every message.
const NOISE: &[u8] = b"this line is no message\n{\"level\":\"info\",\"msg\":\"neither is this\"}\n\n\
{\"jsonrpc\":\"2.0\",\"id\":\"nobody asked\",\"result\":{}}\n{\"jsonrpc\":\"2.0\",\"id\":987654321,\"result\":{}}\n";

/// Serves one client on `input` and `output` until `input` ends; what is under way then is dropped.
///
/// # Errors
/// Where reading or writing fails.
pub async fn serve_stdio(
    server: &Arc<Server>,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
) -> std::io::Result<()> {
    let peer = Peer::new(server, Kind::Connection);
    let (sender, receiver) = mpsc::unbounded_channel();
    let outlet = Outlet(sender);
    let served = tokio::select! {
        read = read_messages(&peer, BufReader::with_capacity(1 << 16, input), &outlet) => read,
        written = write_messages(server, receiver, output) => written,
    };
    server.stop.cancel();
    server.requests.close();
    server.requests.wait().await;
    served
}

async fn read_messages(
    peer: &Arc<Peer>,
    mut input: BufReader<impl AsyncRead + Unpin>,
    outlet: &Outlet,
) -> std::io::Result<()> {
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line).await? > 0 {
        if !line.trim_ascii().is_empty()
            && let Err(fault) = take(peer, &line, outlet, None)
        {
            let id = serde_json::from_slice::<Envelope<'_>>(&line).ok().and_then(|envelope| envelope.id);
            let message = fault.message(id.map(serde_json::value::RawValue::get));
            outlet.send(Frame::Answer { status: fault.status, message });
        }
        line.clear();
    }
    if peer.server.options.stubborn {
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// Takes one message, as the era of the server wants it; `headers` are those of the HTTP request that it came in.
pub(super) fn take(peer: &Arc<Peer>, line: &[u8], outlet: &Outlet, headers: Option<String>) -> Result<(), Fault> {
    if line.trim_ascii().starts_with(b"[") {
        // Batches went with 2025-06-18.
        return Err(Fault::new(INVALID_REQUEST, "a batch is no message"));
    }
    let envelope: Envelope<'_> =
        serde_json::from_slice(line).map_err(|error| Fault::new(PARSE_ERROR, format!("Parse error: {error}")))?;
    let params: Params<'_> =
        envelope.params.and_then(|params| serde_json::from_str(params.get()).ok()).unwrap_or_default();
    let era = peer.server.options.era;
    let is_request = envelope.method.is_some() && envelope.id.is_some();
    let names_version = params.meta.as_ref().is_some_and(|meta| meta.version.is_some());
    // A legacy server does not know the modern `_meta` and passes over it.
    let modern = era.modern() && names_version;
    if modern && is_request {
        peer.server.check_modern(&params)?;
    } else if is_request && !era.legacy() {
        return Err(Fault::new(INVALID_PARAMS, "`_meta` does not name the protocol version"));
    }
    peer.receive(&envelope, Arrival { modern, outlet: outlet.clone(), ends_with_outlet: false, headers });
    Ok(())
}

async fn write_messages(
    server: &Server,
    mut frames: mpsc::UnboundedReceiver<Frame>,
    output: impl AsyncWrite + Unpin,
) -> std::io::Result<()> {
    let mut output = BufWriter::with_capacity(1 << 16, output);
    while let Some(frame) = frames.recv().await {
        let message = frame.message();
        if message.is_empty() {
            continue;
        }
        if server.options.noise {
            output.write_all(NOISE).await?;
        }
        output.write_all(message).await?;
        output.write_all(b"\n").await?;
        if frames.is_empty() {
            output.flush().await?;
        }
    }
    output.flush().await
}
