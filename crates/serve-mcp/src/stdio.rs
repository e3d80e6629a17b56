//! The door over standard input and output: one client, one message a line.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gateway_core::nests_deeper;
use gateway_core::{Credentials, RawJson};
use mcp_wire::{Id, Message, cancelled_id, code, squeeze_newlines, write_result};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::client::Sender;
use crate::config::Expose;
use crate::core::{Core, Request};
use crate::describe;
use crate::door::{McpDoor, has_good_id, parse};
use crate::failure::Failure;
use crate::feed::{Audience, Feed};
use crate::legacy;
use crate::modern;
use crate::session::Session;
use crate::source::{Piece, Source};

/// Lines that may wait to be written.
const OUTBOX: usize = 256;

/// After the end, so long is left to write what is still to be said.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Most requests under way.
const MAX_UNDER_WAY: usize = 10_000;

/// Who is at the other end of standard input and output.
#[derive(Clone, Debug, Default)]
pub struct StdioClient {
    /// What it may do. Whoever started this process may use what it serves.
    pub credentials: Credentials,
    /// The gateway's session whose servers it gets; the default one when absent.
    pub session_id: Option<String>,
    /// What it sees; the door's setting when absent.
    pub expose: Option<Expose>,
}

/// Serves one client until its input ends or `stop` is cancelled. At the end of input, requests under way have
/// `grace` to be answered; at `stop`, they are cancelled.
///
/// # Errors
/// Where input cannot be read or output cannot be written.
pub async fn serve_stdio(
    door: &McpDoor,
    client: StdioClient,
    (input, output): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    stop: &CancellationToken,
    grace: Duration,
) -> io::Result<()> {
    let (outbox, lines) = mpsc::channel(OUTBOX);
    let mut connection = Connection::new(Arc::clone(&door.core), client, outbox);
    let limit = connection.core.config.body.bytes;
    let read_out = CancellationToken::new();
    let reading = async {
        let mut input = BufReader::new(input);
        let read = tokio::select! {
            () = stop.cancelled() => Ok(()),
            read = connection.read(&mut input, limit) => read,
        };
        connection.end(stop, grace).await;
        read_out.cancel();
        read
    };
    let writing = async {
        tokio::select! {
            // Ends when the last sender is gone, with the connection.
            written = write(output, lines) => written,
            // A client that reads nothing any more.
            () = async { read_out.cancelled().await; tokio::time::sleep(LAST_WORDS).await } => Ok(()),
        }
    };
    let (read, written) = tokio::join!(reading, writing);
    read.and(written)
}

/// Writes lines until nobody is left who sends any.
async fn write(mut output: impl AsyncWrite + Unpin, mut lines: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    while let Some(line) = lines.recv().await {
        output.write_all(&line).await?;
        while let Ok(line) = lines.try_recv() {
            output.write_all(&line).await?;
        }
        output.flush().await?;
    }
    Ok(())
}

struct Connection {
    core: Arc<Core>,
    sender: Sender,
    expose: Expose,
    outbox: Option<mpsc::Sender<Vec<u8>>>,
    session: Option<Arc<Session>>,
    requests: JoinSet<()>,
    under_way: HashMap<Id, AbortHandle>,
    /// Ends what has no end of its own.
    feeds: CancellationToken,
}

impl Connection {
    fn new(core: Arc<Core>, client: StdioClient, outbox: mpsc::Sender<Vec<u8>>) -> Self {
        let StdioClient { credentials, session_id, expose } = client;
        Self {
            sender: Sender { request_id: "stdio".into(), credentials, session_id, trace: None },
            expose: expose.unwrap_or(core.config.expose),
            core,
            outbox: Some(outbox),
            session: None,
            requests: JoinSet::new(),
            under_way: HashMap::new(),
            feeds: CancellationToken::new(),
        }
    }

    /// Reads messages to the end of input.
    async fn read(&mut self, input: &mut BufReader<impl AsyncRead + Unpin>, limit: usize) -> io::Result<()> {
        let mut line = Vec::new();
        while read_line(input, &mut line, limit).await? {
            while self.requests.try_join_next().is_some() {}
            self.under_way.retain(|_, request| !request.is_finished());
            if line.len() > limit {
                let failure = Failure::new(code::INVALID_REQUEST, format!("a message has more than {limit} bytes"));
                self.fail(&Id::null(), &failure).await;
            } else if !line.trim_ascii().is_empty() {
                self.take(&Bytes::copy_from_slice(line.trim_ascii())).await;
            }
            line.clear();
        }
        Ok(())
    }

    /// Lets requests under way come to their end, for at most `grace`.
    async fn end(&mut self, stop: &CancellationToken, grace: Duration) {
        self.feeds.cancel();
        self.outbox = None;
        let all = async { while self.requests.join_next().await.is_some() {} };
        tokio::select! {
            () = all => {}
            () = stop.cancelled() => {}
            () = tokio::time::sleep(grace) => {}
        }
        self.requests.shutdown().await;
        if let Some(session) = self.session.take() {
            session.end();
            self.core.end_own(&session).await;
        }
    }

    async fn take(&mut self, line: &Bytes) {
        let limit = self.core.config.body.nesting;
        if nests_deeper(line, limit) {
            let failure = Failure::new(code::INVALID_REQUEST, format!("this is nested deeper than {limit} levels"));
            return self.fail(&Id::null(), &failure).await;
        }
        let batch = Message::is_batch(line).then(|| Message::parse_batch(line).unwrap_or_default());
        if let Some(messages) = batch.filter(|messages| !messages.is_empty()) {
            for message in messages {
                match message {
                    Ok(message) if has_good_id(&message) => self.hear(message).await,
                    _ => self.fail(&Id::null(), &Failure::new(code::INVALID_REQUEST, "this is no message")).await,
                }
            }
            return;
        }
        match parse(line) {
            Ok(message) => self.hear(message).await,
            Err(rejected) => self.fail(&rejected.id, &rejected.failure).await,
        }
    }

    async fn hear(&mut self, message: Message) {
        match message {
            Message::Request { id, method, params } => self.request(id, method, params).await,
            Message::Notification { method, params } => {
                if method == "notifications/cancelled"
                    && let Some(request) = cancelled_id(&params).and_then(|id| self.under_way.remove(&id))
                {
                    // Dropping it cancels it upstream; it gets no answer.
                    return request.abort();
                }
                let Some(session) = self.session.clone() else { return };
                if method == "notifications/initialized" {
                    let audience = Audience::Session(Arc::clone(&session));
                    let feed = Feed::new(&self.core, session.context().clone(), audience, self.feeds.clone());
                    self.start(None, Box::new(feed));
                }
                let tells_servers = method == "notifications/roots/list_changed";
                let (core, message) = (Arc::clone(&self.core), Message::Notification { method, params });
                let hearing = async move { legacy::hear(&core, &session, message).await };
                if tells_servers {
                    // None that is slow may keep the rest of what the client says waiting.
                    self.requests.spawn(hearing);
                } else {
                    hearing.await;
                }
            }
            response @ Message::Response { .. } => {
                if let Some(session) = &self.session {
                    legacy::hear(&self.core, session, response).await;
                }
            }
        }
    }

    async fn request(&mut self, id: Id, method: String, params: RawJson) {
        if self.under_way.len() >= MAX_UNDER_WAY || self.under_way.contains_key(&id) {
            let failure = Failure::new(code::INVALID_REQUEST, "this id is under way already, or too many requests are");
            return self.fail(&id, &failure).await;
        }
        let is_modern = modern::version_in(&params).is_some_and(|version| !crate::door::is_legacy_version(&version));
        if is_modern {
            let read = modern::read(&self.core, self.sender.clone(), self.expose, (method, &params), None);
            return match read {
                Ok(request) => self.begin(id, request),
                Err(failure) => self.fail(&id, &failure).await,
            };
        }
        if method == "initialize" {
            return self.initialize(&id, &params).await;
        }
        match self.session.clone() {
            Some(session) => {
                let begun = legacy::begin(&self.core, &session, &self.sender, (id.clone(), method, params), true);
                self.start(Some(id), Box::new(begun));
            }
            None => {
                let message = "begin with `initialize`, or send what revision 2026-07-28 asks for in `_meta`";
                self.fail(&id, &Failure::invalid(message)).await;
            }
        }
    }

    async fn initialize(&mut self, id: &Id, params: &RawJson) {
        let opening = match legacy::opening(&self.core, &self.sender, params, self.expose).await {
            Ok(opening) => opening,
            Err(error) => return self.fail(id, &error.into()).await,
        };
        let result = describe::initialized(&self.core.gateway, &opening.context, opening.revision, self.expose);
        let session = Arc::new(Session::new(String::new(), opening));
        if let Some(before) = self.session.replace(session) {
            before.end();
            self.core.end_own(&before).await;
        }
        let mut message = Vec::new();
        write_result(&mut message, id, &result);
        self.say(message).await;
    }

    /// Begins a modern request beside everything else: a subscription may have to reach its servers first.
    fn begin(&mut self, id: Id, request: Request) {
        let Some(outbox) = self.outbox.clone() else { return };
        let (feeds, own) = (self.feeds.clone(), id.clone());
        let request = self.requests.spawn(async move {
            match modern::source(request, own.clone(), feeds).await {
                Ok(source) => tell(source, outbox).await,
                Err(failure) => {
                    let mut message = Vec::new();
                    failure.write(&mut message, &own);
                    // A writer that is gone has an error to tell.
                    let _ = outbox.send(line_of(message)).await;
                }
            }
        });
        self.under_way.insert(id, request);
    }

    /// Lets the client hear something to its end, beside everything else.
    fn start(&mut self, id: Option<Id>, source: Box<dyn Source>) {
        let Some(outbox) = self.outbox.clone() else { return };
        let request = self.requests.spawn(tell(source, outbox));
        if let Some(id) = id {
            self.under_way.insert(id, request);
        }
    }

    async fn fail(&self, id: &Id, failure: &Failure) {
        let mut message = Vec::new();
        failure.write(&mut message, id);
        self.say(message).await;
    }

    async fn say(&self, message: Vec<u8>) {
        if let Some(outbox) = &self.outbox {
            // A writer that is gone has an error to tell.
            let _ = outbox.send(line_of(message)).await;
        }
    }
}

/// Sends what comes out of a source to the client.
async fn tell(mut source: Box<dyn Source>, outbox: mpsc::Sender<Vec<u8>>) {
    while let Some(piece) = poll_fn(|task| source.poll_piece(task)).await {
        let (message, is_last) = match piece {
            Piece::Message(message) => (Some(message), false),
            Piece::Last { message, .. } => (message, true),
        };
        if let Some(message) = message
            && outbox.send(line_of(message)).await.is_err()
        {
            return;
        }
        if is_last {
            return;
        }
    }
}

fn line_of(mut message: Vec<u8>) -> Vec<u8> {
    squeeze_newlines(&mut message);
    message.push(b'\n');
    message
}

/// Reads one line into `line`, which is empty; `false` at the end of input. Of a line over `limit` bytes the rest
/// is passed over.
async fn read_line(
    input: &mut BufReader<impl AsyncRead + Unpin>,
    line: &mut Vec<u8>,
    limit: usize,
) -> io::Result<bool> {
    loop {
        let buffer = input.fill_buf().await?;
        if buffer.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = memchr::memchr(b'\n', buffer);
        let taken = end.unwrap_or(buffer.len());
        if line.len() <= limit {
            line.extend_from_slice(&buffer[..taken]);
        }
        input.consume(end.map_or(taken, |end| end + 1));
        if end.is_some() {
            return Ok(true);
        }
    }
}
