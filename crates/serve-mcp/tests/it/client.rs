//! A hand-written client of either era, over either wire.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gateway_core::Era;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::client_http::Http;
use crate::client_stdio::Stdio;
use crate::rig::{PATIENCE, Rig, Wire, in_time};
use crate::told::{Told, subscription_of};
use crate::wire::{LEGACY, MODERN, Message, member, members, quote, unquote};

/// What a client that can everything declares.
pub const CAPABLE: &str = r#"{"sampling":{},"elicitation":{"form":{},"url":{}},"roots":{"listChanged":true}}"#;

/// Answers a question, by its method and params: a result, or an error object.
pub type Answerer = dyn Fn(&str, &str) -> Result<String, String> + Send + Sync;

/// A client. Clones are the same client.
#[derive(Clone)]
pub struct Client {
    pub era: Era,
    pub wire: Arc<dyn Road>,
    pub about: Arc<About>,
}

/// How a client's messages travel.
#[async_trait::async_trait]
pub trait Road: Send + Sync {
    /// Sends a request and sends what comes of it to `told`, to the answer. Gives the HTTP status where there is
    /// one.
    async fn request(&self, client: &About, sent: &Sent, told: &mpsc::UnboundedSender<Message>) -> u16;

    /// Sends a notification or an answer.
    async fn say(&self, message: String);

    /// Hears what belongs to no request, as a legacy client does.
    async fn listen(&self, about: &Arc<About>);

    /// Begins a `subscriptions/listen`, whose notifications go to what is heard outside of requests.
    async fn subscribe(&self, about: &Arc<About>, sent: Sent);

    /// Ends it.
    async fn unsubscribe(&self, id: &str);

    /// Ends the connection.
    async fn leave(&self);
}

/// What a client is, and what it has heard outside of its requests.
pub struct About {
    pub era: Era,
    pub capabilities: String,
    pub answerer: Mutex<Arc<Answerer>>,
    pub log_level: Mutex<Option<&'static str>>,
    heard: Mutex<Vec<Message>>,
    news: Notify,
    next_id: AtomicI64,
    /// Who waits for the answer to which request.
    pub waiting: Mutex<HashMap<String, mpsc::UnboundedSender<Message>>>,
}

/// One request as it goes out.
#[derive(Clone, Debug)]
pub struct Sent {
    pub id: String,
    pub method: String,
    /// What a modern client repeats in the header `Mcp-Name`.
    pub name: Option<String>,
    pub message: String,
}

/// A request to be made.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: String,
    /// An object without `_meta`.
    pub params: String,
    /// Members of `_meta`.
    pub meta: String,
    /// Whether progress is wanted; the token is then the text `token ID`.
    pub progress: bool,
}

impl Ask {
    pub fn new(method: &str, params: &str) -> Self {
        Self { method: method.to_owned(), params: params.to_owned(), meta: String::new(), progress: false }
    }

    pub fn tool(name: &str, arguments: &str) -> Self {
        Self::new("tools/call", &format!(r#"{{"name":{},"arguments":{arguments}}}"#, quote(name)))
    }

    pub fn meta(self, members: &str) -> Self {
        Self { meta: members.to_owned(), ..self }
    }

    pub fn with_progress(self) -> Self {
        Self { progress: true, ..self }
    }
}

impl Client {
    /// A client of `rig` that can everything.
    pub async fn of(rig: &Rig, era: Era, wire: Wire) -> Self {
        Self::with(rig, era, wire, CAPABLE).await
    }

    /// One with these capabilities.
    pub async fn with(rig: &Rig, era: Era, wire: Wire, capabilities: &str) -> Self {
        let about = About::new(era, capabilities);
        match wire {
            Wire::Http => Self::over(Arc::new(Http::new(rig, era, "/mcp")), about).await,
            Wire::Stdio => Self::over(Arc::new(Stdio::start(rig, &about)), about).await,
        }
    }

    /// One that asks at `path`.
    pub async fn at(rig: &Rig, era: Era, path: &str) -> Self {
        Self::over(Arc::new(Http::new(rig, era, path)), About::new(era, CAPABLE)).await
    }

    async fn over(wire: Arc<dyn Road>, about: Arc<About>) -> Self {
        let client = Self { era: about.era, wire, about };
        if client.era == Era::Legacy {
            client.greet(LEGACY).await;
            client.wire.listen(&client.about).await;
        }
        client
    }

    async fn greet(&self, version: &str) -> String {
        let capabilities = &self.about.capabilities;
        let params = format!(
            r#"{{"protocolVersion":"{version}","capabilities":{capabilities},"clientInfo":{{"name":"t","version":"1"}}}}"#
        );
        let told = self.ask(Ask::new("initialize", &params)).await;
        self.notify("notifications/initialized", "{}").await;
        told.result()
    }

    /// Sends a request, as often as it takes, and answers questions.
    pub async fn ask(&self, ask: Ask) -> Told {
        in_time(&ask.method.clone(), self.rounds(ask, None)).await
    }

    /// Calls a tool.
    pub async fn call(&self, tool: &str, arguments: &str) -> Told {
        self.ask(Ask::tool(tool, arguments)).await
    }

    /// Calls a tool and gives the text of its result.
    pub async fn text(&self, tool: &str, arguments: &str) -> String {
        self.call(tool, arguments).await.text()
    }

    /// Begins a request; the id is known at once.
    pub fn begin(&self, ask: Ask) -> (String, JoinHandle<Told>) {
        let id = self.about.next_id();
        let (client, own) = (self.clone(), id.clone());
        let task = tokio::spawn(async move { client.rounds(ask, Some(own)).await });
        (id, task)
    }

    /// Gives a request up, as the era and the wire have it.
    pub async fn give_up(&self, id: &str, task: JoinHandle<Told>, wire: Wire) -> Option<Told> {
        if self.era == Era::Modern && wire == Wire::Http {
            task.abort();
            return None;
        }
        self.notify("notifications/cancelled", &format!(r#"{{"requestId":{id},"reason":"enough"}}"#)).await;
        if wire == Wire::Stdio {
            // Nothing says that there will be no answer; the next thing that is said shows it.
            let waiting = lock(&self.about.waiting).remove(id);
            drop(waiting);
        }
        Some(in_time("the end of what was given up", task).await.unwrap())
    }

    pub async fn notify(&self, method: &str, params: &str) {
        self.wire.say(format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#)).await;
    }

    /// From now on log messages of this level and above are wanted.
    pub async fn set_log_level(&self, level: &'static str) {
        if self.era == Era::Modern {
            *lock(&self.about.log_level) = Some(level);
        } else {
            let told = self.ask(Ask::new("logging/setLevel", &format!(r#"{{"level":"{level}"}}"#))).await;
            assert_eq!(told.result(), "{}");
        }
    }

    /// Answers questions with this from now on.
    pub fn answers(&self, answerer: impl Fn(&str, &str) -> Result<String, String> + Send + Sync + 'static) {
        *lock(&self.about.answerer) = Arc::new(answerer);
    }

    /// Waits for a message outside of any request and takes it.
    pub async fn hears(&self, what: &str, is_it: impl Fn(&Message) -> bool) -> Message {
        in_time(what, self.about.hears(is_it)).await
    }

    /// Begins a subscription; gives its id and the acknowledgement.
    pub async fn subscribe(&self, params: &str) -> (String, Message) {
        let id = self.about.next_id();
        let ask = Ask::new("subscriptions/listen", params);
        self.wire.subscribe(&self.about, self.about.write(&id, &ask, params)).await;
        let is_it = |message: &Message| message.is("notifications/subscriptions/acknowledged");
        let acknowledged = self.hears("the acknowledgement", is_it).await;
        assert_eq!(subscription_of(&acknowledged).as_deref(), Some(&*id), "{acknowledged:?}");
        (id, acknowledged)
    }

    async fn rounds(&self, ask: Ask, first_id: Option<String>) -> Told {
        let mut told = Told::default();
        let (mut params, mut id) = (ask.params.clone(), first_id.unwrap_or_else(|| self.about.next_id()));
        loop {
            told.rounds += 1;
            assert!(told.rounds < 20, "no end of rounds: {told:?}");
            let sent = self.about.write(&id, &ask, &params);
            let (sender, mut receiver) = mpsc::unbounded_channel();
            told.status = self.wire.request(&self.about, &sent, &sender).await;
            drop(sender);
            while let Some(message) = receiver.recv().await {
                match &message.outcome {
                    None => told.before.push(message),
                    Some(outcome) => {
                        // What is refused before it is read as a message has no id.
                        let is_ours =
                            message.id.as_deref() == Some(&*id) || (message.id.is_none() && told.status >= 400);
                        assert!(is_ours, "{message:?} for {id}");
                        told.outcome = Some(outcome.clone());
                    }
                }
            }
            let Some(Ok(result)) = &told.outcome else { return told };
            if self.era == Era::Legacy || member(result, "resultType").as_deref() != Some(r#""input_required""#) {
                return told;
            }
            let (answers, asked) = self.about.answer_all(result);
            told.before.extend(asked);
            let state = member(result, "requestState").map(|state| format!(r#","requestState":{state}"#));
            let rest = &ask.params.trim_start()[1..];
            let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
            params = format!(r#"{{"inputResponses":{answers}{}{comma}{rest}"#, state.unwrap_or_default());
            id = self.about.next_id();
        }
    }
}

impl About {
    fn new(era: Era, capabilities: &str) -> Arc<Self> {
        Arc::new(Self {
            era,
            capabilities: capabilities.to_owned(),
            answerer: Mutex::new(Arc::new(usual_answer)),
            log_level: Mutex::default(),
            heard: Mutex::default(),
            news: Notify::new(),
            next_id: AtomicI64::new(1),
            waiting: Mutex::default(),
        })
    }

    pub fn next_id(&self) -> String {
        self.next_id.fetch_add(1, Ordering::Relaxed).to_string()
    }

    /// Notes something heard outside of any request.
    pub fn hear(&self, message: Message) {
        lock(&self.heard).push(message);
        self.news.notify_waiters();
    }

    /// Takes what was heard so far.
    pub fn heard(&self) -> Vec<Message> {
        std::mem::take(&mut *lock(&self.heard))
    }

    pub async fn hears(&self, is_it: impl Fn(&Message) -> bool) -> Message {
        loop {
            let news = self.news.notified();
            {
                let mut heard = lock(&self.heard);
                if let Some(place) = heard.iter().position(&is_it) {
                    return heard.remove(place);
                }
            }
            news.await;
        }
    }

    /// The answer to a question as a message.
    pub fn answer(&self, question: &Message) -> String {
        let answerer = Arc::clone(&lock(&self.answerer));
        let id = question.id.as_deref().unwrap();
        match answerer(question.method.as_deref().unwrap(), &question.params) {
            Ok(result) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
            Err(error) => format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#),
        }
    }

    /// Answers the questions of an `input_required` result.
    fn answer_all(&self, result: &str) -> (String, Vec<Message>) {
        let answerer = Arc::clone(&lock(&self.answerer));
        let (mut answers, mut asked) = (Vec::new(), Vec::new());
        for (key, request) in members(&member(result, "inputRequests").unwrap_or_else(|| "{}".to_owned())) {
            let method = unquote(&member(&request, "method").unwrap());
            let params = member(&request, "params").unwrap_or_else(|| "{}".to_owned());
            if let Ok(answer) = answerer(&method, &params) {
                answers.push(format!("{}:{answer}", quote(&key)));
            }
            let outcome = None;
            asked.push(Message { raw: request, id: Some(quote(&key)), method: Some(method), params, outcome });
        }
        (format!("{{{}}}", answers.join(",")), asked)
    }

    /// A request as this client writes it.
    pub fn write(&self, id: &str, ask: &Ask, params: &str) -> Sent {
        let mut meta: Vec<String> = Vec::new();
        if self.era == Era::Modern {
            meta.push(format!(r#""io.modelcontextprotocol/protocolVersion":"{MODERN}""#));
            meta.push(format!(r#""io.modelcontextprotocol/clientCapabilities":{}"#, self.capabilities));
            let level = *lock(&self.log_level);
            meta.extend(level.map(|level| format!(r#""io.modelcontextprotocol/logLevel":"{level}""#)));
        }
        meta.extend(ask.progress.then(|| format!(r#""progressToken":"token {id}""#)));
        meta.extend((!ask.meta.is_empty()).then(|| ask.meta.clone()));
        let rest = &params.trim_start()[1..];
        let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
        let params = match meta.is_empty() {
            true => params.to_owned(),
            false => format!(r#"{{"_meta":{{{}}}{comma}{rest}"#, meta.join(",")),
        };
        let message = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":{},"params":{params}}}"#, quote(&ask.method));
        let name = match &*ask.method {
            "tools/call" | "prompts/get" => member(&params, "name"),
            "resources/read" => member(&params, "uri"),
            _ => None,
        };
        let name = name.map(|name| unquote(&name));
        Sent { id: id.to_owned(), method: ask.method.clone(), name, message }
    }
}

/// What a client answers that is not told otherwise.
fn usual_answer(method: &str, _params: &str) -> Result<String, String> {
    Ok(match method {
        "sampling/createMessage" => {
            r#"{"role":"assistant","content":{"type":"text","text":"Paris"},"model":"m","stopReason":"endTurn"}"#
        }
        "elicitation/create" => {
            r#"{"action":"accept","content":{"name":"Ann","color":"red","ok":true,"context":"tests","username":"u","email":"e@x"}}"#
        }
        "roots/list" => r#"{"roots":[{"uri":"file:///r","name":"r"}]}"#,
        _ => return Err(r#"{"code":-32601,"message":"what?"}"#.to_owned()),
    }
    .to_owned())
}

/// Locks; a panic in another task must not hide what this one has to say.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks again and again until it is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = tokio::time::Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "{what} did not come true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
