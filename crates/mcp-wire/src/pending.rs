//! The requests under way on one connection.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_core::{Error, ErrorKind, Listener, Notification, RawJson, Result, Retry, UpstreamEvents};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use crate::{Id, Outcome, upstream_error};

/// The table of requests under way on one connection: who waits for which id.
///
/// Ids are numbers of ours, given once and never again, so that a late, repeated or invented answer
/// reaches nobody. The id of a request is its progress token too.
pub struct Pending {
    table: Mutex<Table>,
    abandoned: Box<dyn Fn(i64) + Send + Sync>,
}

#[derive(Default)]
struct Table {
    last_id: i64,
    waiting: HashMap<i64, Waiting>,
    closed: Option<Error>,
}

struct Waiting {
    answer: oneshot::Sender<Outcome>,
    listener: Option<Listener>,
}

impl Pending {
    /// An empty table. `abandoned` hears the id of each request that was [sent](Ticket::mark_sent) and
    /// whose ticket was dropped before the answer came; it must not block.
    pub fn new(abandoned: impl Fn(i64) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { table: Mutex::default(), abandoned: Box::new(abandoned) })
    }

    /// A place for one more request.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`], safe to retry, where the connection has ended.
    pub fn register(self: &Arc<Self>, listener: Option<Listener>) -> Result<Ticket> {
        let mut table = self.lock();
        if let Some(reason) = &table.closed {
            return Err(gone(reason, false));
        }
        table.last_id += 1;
        let id = table.last_id;
        let (answer, receiver) = oneshot::channel();
        table.waiting.insert(id, Waiting { answer, listener });
        drop(table);
        Ok(Ticket { pending: Arc::clone(self), id, receiver, sent: false })
    }

    /// Gives an answer to whoever waits for it. `false` where nobody does: it came late, or the server
    /// invented it.
    pub fn resolve(&self, id: &Id, outcome: Outcome) -> bool {
        let Some(number) = id.as_number() else { return false };
        let waiting = self.lock().waiting.remove(&number);
        waiting.is_some_and(|waiting| waiting.answer.send(outcome).is_ok())
    }

    /// Hands a notification to the request that it belongs to, or to `events`.
    ///
    /// Progress goes to the listener of its token; progress that nobody asked for is dropped. A log
    /// message names no request: it goes to the [only asker](Self::only_asker), where there is one.
    pub fn notify(&self, method: String, params: RawJson, events: &dyn UpstreamEvents) {
        match method.as_str() {
            "notifications/progress" => {
                let Some(token) = progress_token(&params) else { return };
                self.deliver(token, Notification { method, params });
            }
            "notifications/message" => match self.only_asker() {
                Some(listener) => drop(listener.deliver(Notification { method, params })),
                None => events.notified(&method, params),
            },
            _ => events.notified(&method, params),
        }
    }

    /// The listener of the request that something without a name belongs to: the only one under way, or the
    /// youngest where all are of one client. The connection's own requests do not count: they have no
    /// listener. Neither do requests whose server waits for the answer to a question, where there are others:
    /// it may wait for long, and servers ask one question after the other.
    pub fn only_asker(&self) -> Option<Listener> {
        let table = self.lock();
        let all = || table.waiting.iter().filter_map(|(&id, waiting)| Some((id, waiting.listener.as_ref()?)));
        if all().any(|(_, listener)| !listener.is_asked()) {
            only(all().filter(|(_, listener)| !listener.is_asked()))
        } else {
            only(all())
        }
    }

    /// Asks the client that a question surely is for, else `events`. Dropping the future withdraws it.
    ///
    /// # Errors
    /// Where nobody answers.
    pub async fn ask(&self, method: &str, params: RawJson, events: &dyn UpstreamEvents) -> Result<RawJson> {
        match self.only_asker().filter(|listener| listener.client().is_some()) {
            Some(listener) => listener.ask(method, params).await,
            None => events.asked(method, params).await,
        }
    }

    /// Ends the table: who waits gets an error made from `reason`, and so does who comes later. The
    /// first reason stays.
    pub fn close(&self, reason: Error) {
        let mut table = self.lock();
        table.closed.get_or_insert(reason);
        let waiting = std::mem::take(&mut table.waiting);
        drop(table);
        // Dropping the senders wakes who waits; the ticket finds the reason.
        drop(waiting);
    }

    /// How many requests are under way.
    pub fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Whether no request is under way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn deliver(&self, id: i64, notification: Notification) {
        if let Some(waiting) = self.lock().waiting.get(&id) {
            waiting.deliver(notification);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The only listener, or the youngest where all are of one client.
fn only<'a>(listeners: impl Iterator<Item = (i64, &'a Listener)>) -> Option<Listener> {
    let mut found: Option<(i64, &Listener)> = None;
    for (id, listener) in listeners {
        found = match found {
            Some((_, other)) if !other.is_of_same_client(listener) => return None,
            Some((youngest, other)) if youngest > id => Some((youngest, other)),
            _ => Some((id, listener)),
        };
    }
    found.map(|(_, listener)| listener.clone())
}

impl Waiting {
    fn deliver(&self, notification: Notification) {
        if let Some(listener) = &self.listener {
            // A listener that does not keep up misses some: that is its contract.
            let _ = listener.deliver(notification);
        }
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("waiting", &self.len()).finish_non_exhaustive()
    }
}

/// The place of one request in the table. Dropping it gives the request up.
#[derive(Debug)]
pub struct Ticket {
    pending: Arc<Pending>,
    id: i64,
    receiver: oneshot::Receiver<Outcome>,
    sent: bool,
}

impl Ticket {
    /// The request's id and progress token.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// Notes that the server may have seen the request: from now on giving it up is told, and an end of
    /// the connection leaves open whether it was done.
    pub fn mark_sent(&mut self) {
        self.sent = true;
    }

    /// Notes that the request is over, for a transport whose answers come another way than through
    /// [`Pending::resolve`].
    pub fn finish(mut self) {
        self.sent = false;
    }

    /// The answer.
    ///
    /// # Errors
    /// The server's error ([`upstream_error`]); or the connection ended:
    /// [`ErrorKind::UpstreamFailed`] if the request was sent, else [`ErrorKind::Unavailable`], safe to
    /// retry.
    pub async fn wait(mut self) -> Result<RawJson> {
        match (&mut self.receiver).await {
            Ok(outcome) => outcome.map_err(upstream_error),
            Err(_) => Err(match &self.pending.lock().closed {
                Some(reason) => gone(reason, self.sent),
                None => Error::new(ErrorKind::Internal, "wait for an answer: its place is taken"),
            }),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let waited = self.pending.lock().waiting.remove(&self.id).is_some();
        if waited && self.sent {
            (self.pending.abandoned)(self.id);
        }
    }
}

/// The error of a request on a connection that ended with `reason`.
fn gone(reason: &Error, sent: bool) -> Error {
    let (kind, retry) =
        if sent { (ErrorKind::UpstreamFailed, Retry::IfIdempotent) } else { (ErrorKind::Unavailable, Retry::Safe) };
    Error::new(kind, reason.message()).with_retry(retry).with_source(reason.duplicate())
}

/// The token of a progress notification, where it is one of ours.
fn progress_token(params: &RawJson) -> Option<i64> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Progress<'a> {
        #[serde(borrow)]
        progress_token: &'a RawValue,
    }
    let progress: Progress<'_> = params.read().ok()?;
    progress.progress_token.get().trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use async_trait::async_trait;
    use tokio::sync::mpsc::Receiver;

    use super::*;
    use crate::RpcError;
    use gateway_core::ClientProfile;

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<String>>);

    #[async_trait]
    impl UpstreamEvents for Heard {
        fn notified(&self, method: &str, _params: RawJson) {
            self.0.lock().expect("no panic").push(method.to_owned());
        }

        async fn asked(&self, _method: &str, _params: RawJson) -> Result<RawJson> {
            Ok(RawJson::empty_object())
        }

        fn closed(&self, _reason: Error) {}
    }

    fn raw(text: &str) -> RawJson {
        RawJson::parse(text.to_owned()).expect("valid JSON")
    }

    fn table() -> (Arc<Pending>, mpsc::Receiver<i64>) {
        let (sender, abandoned) = mpsc::channel();
        let sender = Mutex::new(sender);
        let pending = Pending::new(move |id| {
            let _ = sender.lock().expect("no panic").send(id);
        });
        (pending, abandoned)
    }

    fn progress(pending: &Pending, token: &str, events: &Heard) {
        let params = raw(&format!(r#"{{"progress":1,"progressToken":{token}}}"#));
        pending.notify("notifications/progress".to_owned(), params, events);
    }

    fn count(receiver: &mut Receiver<Notification>) -> usize {
        std::iter::from_fn(|| receiver.try_recv().ok()).count()
    }

    #[tokio::test]
    async fn every_answer_finds_its_own_caller() {
        let (pending, abandoned) = table();
        let mut tickets = Vec::new();
        for _ in 0..50 {
            tickets.push(pending.register(None).expect("open"));
        }
        for ticket in tickets.iter().rev() {
            let answer = raw(&ticket.id().to_string());
            assert!(pending.resolve(&Id::Number(ticket.id()), Ok(answer)));
            assert!(!pending.resolve(&Id::Number(ticket.id()), Ok(raw("\"twice\""))));
        }
        for unknown in [Id::Number(51), Id::Number(-1), Id::String("x".into()), Id::null()] {
            assert!(!pending.resolve(&unknown, Ok(raw("\"lie\""))));
        }
        for mut ticket in tickets {
            ticket.mark_sent();
            let id = ticket.id().to_string();
            assert_eq!(ticket.wait().await.expect("a result").as_str(), id);
        }
        assert!(pending.is_empty());
        assert_eq!(abandoned.try_iter().count(), 0);
    }

    #[tokio::test]
    async fn a_dropped_request_is_told_once_if_it_was_sent() {
        let (pending, abandoned) = table();
        drop(pending.register(None).expect("open"));
        let mut sent = pending.register(None).expect("open");
        sent.mark_sent();
        let id = sent.id();
        let waiting = sent.wait();
        drop(waiting);
        let mut finished = pending.register(None).expect("open");
        finished.mark_sent();
        finished.finish();
        assert_eq!(abandoned.try_iter().collect::<Vec<_>>(), [id]);
        assert!(!pending.resolve(&Id::Number(id), Ok(raw("1"))));
    }

    #[tokio::test]
    async fn the_end_of_a_connection_says_what_may_be_retried() {
        let (pending, abandoned) = table();
        let unsent = pending.register(None).expect("open");
        let mut sent = pending.register(None).expect("open");
        sent.mark_sent();
        pending.close(Error::new(ErrorKind::Unavailable, "reach it: it died"));
        pending.close(Error::new(ErrorKind::Unavailable, "another reason"));
        let late = pending.register(None).expect_err("closed");
        let (unsent, sent) = (unsent.wait().await, sent.wait().await);
        for (error, kind, retry) in [
            (unsent.expect_err("gone"), ErrorKind::Unavailable, Retry::Safe),
            (sent.expect_err("gone"), ErrorKind::UpstreamFailed, Retry::IfIdempotent),
            (late, ErrorKind::Unavailable, Retry::Safe),
        ] {
            assert_eq!((error.kind(), error.retry()), (kind, retry));
            assert_eq!(error.message(), "reach it: it died");
        }
        assert_eq!(abandoned.try_iter().count(), 0);
    }

    #[tokio::test]
    async fn errors_of_the_server_reach_the_caller() {
        let (pending, _abandoned) = table();
        let ticket = pending.register(None).expect("open");
        let error = RpcError { code: -32602, message: "bad".into(), raw: raw("{}") };
        assert!(pending.resolve(&Id::String(ticket.id().to_string()), Err(error)));
        let error = ticket.wait().await.expect_err("an error");
        assert_eq!(error.kind(), ErrorKind::InvalidArguments);
    }

    #[test]
    fn notifications_find_their_listener() {
        let (pending, _abandoned) = table();
        let events = Heard::default();
        let (listener, mut first) = Listener::channel(8);
        let _own_request = pending.register(None).expect("open");
        let first_ticket = pending.register(Some(listener)).expect("open");
        let message = || "notifications/message".to_owned();
        pending.notify(message(), raw("{}"), &events);
        assert_eq!(count(&mut first), 1, "the only caller's request hears log messages");

        let (listener, mut second) = Listener::channel(8);
        let second_ticket = pending.register(Some(listener)).expect("open");
        pending.notify(message(), raw("{}"), &events);
        assert_eq!((count(&mut first), count(&mut second)), (0, 0), "nobody knows whose it is");

        progress(&pending, &second_ticket.id().to_string(), &events);
        progress(&pending, &format!("\"{}\"", first_ticket.id()), &events);
        progress(&pending, "77", &events);
        progress(&pending, "null", &events);
        assert_eq!((count(&mut first), count(&mut second)), (1, 1));

        let gone = first_ticket.id().to_string();
        drop(first_ticket);
        progress(&pending, &gone, &events);
        assert_eq!(count(&mut first), 0);
        pending.notify("notifications/tools/list_changed".to_owned(), raw("{}"), &events);
        let heard = events.0.into_inner().expect("no panic");
        assert_eq!(heard.join(" "), "notifications/message notifications/tools/list_changed");
    }

    #[tokio::test]
    async fn a_question_reaches_the_client_that_is_surely_meant() {
        let (pending, _abandoned) = table();
        let events = Heard::default();
        let (one, other) = (ClientProfile::new(raw("{}")), ClientProfile::new(raw("{}")));
        let mut first = Listener::conversation(&one, false, 1);
        let mut second = Listener::conversation(&one, false, 1);
        let _first = pending.register(Some(first.listener)).expect("open");
        let second_ticket = pending.register(Some(second.listener)).expect("open");
        let asking = pending.ask("roots/list", raw("{}"), &events);
        let answering = async { second.questions.recv().await.expect("the youngest is asked").answer(Ok(raw("[]"))) };
        let (answer, ()) = tokio::join!(asking, answering);
        assert_eq!(answer.expect("an answer").as_str(), "[]");
        assert!(first.questions.try_recv().is_err());

        let stranger = Listener::conversation(&other, false, 1);
        let _third = pending.register(Some(stranger.listener)).expect("open");
        let answer = pending.ask("roots/list", raw("{}"), &events).await.expect("the events answer");
        assert_eq!(answer.as_str(), "{}", "nobody knows who is meant");
        drop(second_ticket);
    }
}
