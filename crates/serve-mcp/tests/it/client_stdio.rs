//! A client's messages over standard input and output, which are pipes in memory here.

use std::sync::Arc;
use std::time::Duration;

use serve_mcp::{StdioClient, serve_stdio};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::client::{About, Road, Sent, lock};
use crate::rig::Rig;
use crate::wire::{Message, member, unquote};

/// The way over pipes.
pub struct Stdio {
    input: Arc<Mutex<Option<WriteHalf<DuplexStream>>>>,
    serving: std::sync::Mutex<Option<JoinHandle<std::io::Result<()>>>>,
}

impl Stdio {
    /// Lets the door of `rig` serve one client.
    pub fn start(rig: &Rig, about: &Arc<About>) -> Self {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (door, stop) = (rig.door.clone(), rig.stop.clone());
        let serving = tokio::spawn(async move {
            let client = StdioClient::default();
            serve_stdio(&door, client, tokio::io::split(theirs), &stop, Duration::from_secs(5)).await
        });
        let (output, input) = tokio::io::split(ours);
        let input = Arc::new(Mutex::new(Some(input)));
        tokio::spawn(read(output, Arc::clone(&input), Arc::clone(about)));
        Self { input, serving: std::sync::Mutex::new(Some(serving)) }
    }
}

#[async_trait::async_trait]
impl Road for Stdio {
    async fn request(&self, client: &About, sent: &Sent, told: &mpsc::UnboundedSender<Message>) -> u16 {
        lock(&client.waiting).insert(sent.id.clone(), told.clone());
        write(&self.input, &sent.message).await;
        // The reader drops its sender with the answer.
        0
    }

    async fn say(&self, message: String) {
        write(&self.input, &message).await;
    }

    /// A connection hears everything anyway.
    async fn listen(&self, _about: &Arc<About>) {}

    async fn subscribe(&self, _about: &Arc<About>, sent: Sent) {
        write(&self.input, &sent.message).await;
    }

    async fn unsubscribe(&self, id: &str) {
        let params = format!(r#"{{"requestId":{id}}}"#);
        self.say(format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{params}}}"#)).await;
    }

    async fn leave(&self) {
        // Dropping one half does not end a pipe.
        if let Some(mut input) = self.input.lock().await.take() {
            input.shutdown().await.unwrap();
        }
        let serving = lock(&self.serving).take().unwrap();
        crate::rig::in_time("the end of the connection", serving).await.unwrap().unwrap();
    }
}

async fn write(input: &Mutex<Option<WriteHalf<DuplexStream>>>, message: &str) {
    let mut input = input.lock().await;
    let input = input.as_mut().expect("the connection is open");
    input.write_all(format!("{}\n", message.replace(['\n', '\r'], " ")).as_bytes()).await.unwrap();
}

/// Sends each message where it belongs.
async fn read(output: ReadHalf<DuplexStream>, input: Arc<Mutex<Option<WriteHalf<DuplexStream>>>>, about: Arc<About>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let message = Message::read(&line);
        if message.outcome.is_some() {
            let waiting = message.id.as_deref().and_then(|id| lock(&about.waiting).remove(id));
            match waiting {
                Some(waiting) => drop(waiting.send(message)),
                None => about.hear(message),
            }
            continue;
        }
        let is_question = message.id.is_some();
        if is_question {
            let answer = about.answer(&message);
            let input = Arc::clone(&input);
            tokio::spawn(async move { write(&input, &answer).await });
        }
        let waiting = asker(&about, &message);
        match waiting {
            Some(waiting) => drop(waiting.send(message)),
            None => about.hear(message),
        }
    }
}

/// The request that a message belongs to: the one whose progress it is; for a log message or a question the
/// only one.
fn asker(about: &About, message: &Message) -> Option<mpsc::UnboundedSender<Message>> {
    let waiting = lock(&about.waiting);
    match message.method.as_deref()? {
        "notifications/progress" => {
            let token = unquote(&member(&message.params, "progressToken")?);
            waiting.get(token.strip_prefix("token ")?).cloned()
        }
        "notifications/message" | "sampling/createMessage" | "elicitation/create" | "roots/list"
            if waiting.len() == 1 =>
        {
            waiting.values().next().cloned()
        }
        _ => None,
    }
}
