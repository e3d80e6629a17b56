//! What a client hears outside of any request: its lists have changed, a resource has, a server has something
//! to say or to ask.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use gateway_core::{Context, ListMarks, Notification, RawJson, ResourceSubscription, SessionEvent, SessionEvents};
use mcp_wire::{Id, Meta, Object, with_member, without_members, write_notification, write_result};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::beat::Beat;
use crate::client::Client;
use crate::config::Expose;
use crate::core::Core;
use crate::session::Session;
use crate::source::{Piece, Source};

const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// Events that may wait for a client.
const CAPACITY: usize = 64;

/// What a client hears until its connection, or the gateway's session, ends.
#[derive(Debug)]
pub(crate) struct Feed {
    core: Arc<Core>,
    context: Context,
    events: SessionEvents,
    beat: Beat,
    audience: Audience,
    waiting: VecDeque<Vec<u8>>,
    asked: Vec<i64>,
    stop: Stop,
    is_over: bool,
}

/// Ends the feed when the gateway stops.
struct Stop(std::pin::Pin<Box<WaitForCancellationFutureOwned>>);

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stop")
    }
}

/// Who hears, and what of it.
#[derive(Debug)]
pub(crate) enum Audience {
    /// A legacy client, which hears everything.
    Session(Arc<Session>),
    /// A modern one, which hears what it asked for in `subscriptions/listen`.
    Subscription(Subscription),
}

/// What a `subscriptions/listen` asked for.
#[derive(Debug)]
pub(crate) struct Subscription {
    /// The id of that request; every notification carries it.
    pub(crate) id: Id,
    pub(crate) id_text: RawJson,
    pub(crate) client: Client,
    pub(crate) tools: bool,
    pub(crate) prompts: bool,
    pub(crate) resources: bool,
    /// The resources that are watched, each with the URI that the client knows it by.
    pub(crate) watched: Vec<(String, ResourceSubscription)>,
    /// What the lists showed when it was last told.
    pub(crate) marks: ListMarks,
    /// The `notifications` member of the acknowledgement.
    pub(crate) granted: RawJson,
}

impl Feed {
    pub(crate) fn new(core: &Arc<Core>, context: Context, audience: Audience, stop: CancellationToken) -> Self {
        let answers = matches!(audience, Audience::Session(_));
        let mut feed = Self {
            events: core.gateway.listen(&context, CAPACITY, answers),
            beat: Beat::new(core.pulse()),
            core: Arc::clone(core),
            context,
            audience,
            waiting: VecDeque::new(),
            asked: Vec::new(),
            stop: Stop(Box::pin(stop.cancelled_owned())),
            is_over: false,
        };
        if let Audience::Subscription(subscription) = &feed.audience {
            let granted = format!(r#"{{"notifications":{}}}"#, subscription.granted.as_str());
            let granted = RawJson::parse(granted).expect("parts that are JSON make JSON");
            feed.tell("notifications/subscriptions/acknowledged", &granted);
        }
        // What has changed since the client saw its lists, while it did not listen.
        feed.compare();
        feed
    }

    /// Notes which lists have changed since it was last said.
    fn compare(&mut self) {
        let now = self.core.gateway.list_marks(&self.context);
        let before = match &mut self.audience {
            Audience::Session(session) => session.see(|marks| *marks = now),
            Audience::Subscription(subscription) => std::mem::replace(&mut subscription.marks, now),
        };
        let (shows_all, shows_tools) = match self.expose() {
            Expose::All => (true, true),
            // The two tools never change; those pinned beside them may.
            Expose::Search => (false, !self.core.config.pinned.is_empty()),
        };
        let (tools, prompts, resources) = match &self.audience {
            Audience::Session(_) => (true, true, true),
            Audience::Subscription(wanted) => (wanted.tools, wanted.prompts, wanted.resources),
        };
        for (changed, method) in [
            (tools && shows_tools && now.tools != before.tools, "notifications/tools/list_changed"),
            (prompts && shows_all && now.prompts != before.prompts, "notifications/prompts/list_changed"),
            (resources && shows_all && now.resources != before.resources, "notifications/resources/list_changed"),
        ] {
            if changed {
                self.tell(method, &RawJson::empty_object());
            }
        }
    }

    fn expose(&self) -> Expose {
        match &self.audience {
            Audience::Session(session) => session.expose,
            Audience::Subscription(subscription) => subscription.client.expose,
        }
    }

    /// A server's notification, in the client's words, where the client should hear it.
    fn relay(&mut self, server: uuid::Uuid, notification: &Notification) {
        let Notification { method, params } = notification;
        let params = match method.as_str() {
            "notifications/message" => {
                let is_wanted = match &self.audience {
                    Audience::Session(session) => session.client().wants_log(params),
                    // A modern client hears logs with its requests only.
                    Audience::Subscription(_) => false,
                };
                if !is_wanted {
                    return;
                }
                params.clone()
            }
            "notifications/resources/updated" => {
                let Some(uri) = Object::of(params).text("uri") else { return };
                let Some(shown) = self.shown(server, &uri) else { return };
                with_member(params, "uri", crate::input::json_text(&shown).as_str())
            }
            // What servers of the modern era say goes out under the client's subscription, not theirs; of what
            // nobody knows, only a legacy client can make something.
            _ if matches!(self.audience, Audience::Session(_)) => params.clone(),
            _ => return,
        };
        self.tell(method, &untagged(&params));
    }

    /// The URI by which the client watches a resource.
    fn shown(&self, server: uuid::Uuid, uri: &str) -> Option<String> {
        match &self.audience {
            Audience::Session(session) => session.watched(server, uri),
            Audience::Subscription(subscription) => {
                let mut watched = subscription.watched.iter();
                let found = watched.find(|(_, watched)| watched.server_uuid() == server && watched.uri() == uri);
                found.map(|(shown, _)| shown.clone())
            }
        }
    }

    fn tell(&mut self, method: &str, params: &RawJson) {
        let params = match &self.audience {
            Audience::Session(_) => params.clone(),
            Audience::Subscription(subscription) => tagged(params, &subscription.id_text),
        };
        let mut message = Vec::new();
        write_notification(&mut message, method, &params, &Meta::default());
        self.waiting.push_back(message);
    }

    fn hear(&mut self, event: SessionEvent) {
        match (event, &self.audience) {
            (SessionEvent::Notification { server_uuid, notification, .. }, _) => self.relay(server_uuid, &notification),
            (SessionEvent::Question(question), Audience::Session(session)) => {
                match session.client().refuses(&question) {
                    Some(refusal) => question.answer(Err(refusal)),
                    None => {
                        let (number, message) = session.ask(question);
                        self.asked.push(number);
                        self.waiting.push_back(message);
                    }
                }
            }
            // Dropped, which says that nobody answers.
            (SessionEvent::Question(_), Audience::Subscription(_)) => {}
        }
    }

    fn end(&mut self) -> Piece {
        self.is_over = true;
        let message = match &self.audience {
            Audience::Session(_) => None,
            Audience::Subscription(subscription) => {
                let mut message = Vec::new();
                let result = crate::input::complete(&subscription.client, &RawJson::empty_object());
                write_result(&mut message, &subscription.id, &result);
                Some(message)
            }
        };
        Piece::Last { status: 200, message }
    }
}

impl Source for Feed {
    fn poll_piece(&mut self, task: &mut TaskContext<'_>) -> Poll<Option<Piece>> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Poll::Ready(Some(Piece::Message(message)));
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            if let Audience::Session(session) = &self.audience
                && let Poll::Ready(message) = session.poll_withdrawn(&mut self.asked, task)
            {
                return Poll::Ready(Some(Piece::Message(message)));
            }
            match self.events.poll_next(task) {
                Poll::Ready(Some(event)) => {
                    self.hear(event);
                    continue;
                }
                // The gateway's session has ended.
                Poll::Ready(None) => return Poll::Ready(Some(self.end())),
                Poll::Pending => {}
            }
            if self.stop.0.as_mut().poll(task).is_ready() {
                return Poll::Ready(Some(self.end()));
            }
            match self.beat.poll_change(task) {
                Poll::Ready(_) => self.compare(),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// With the tag of the client's subscription beside whatever else `_meta` says.
fn tagged(params: &RawJson, id: &RawJson) -> RawJson {
    let meta = Object::of(params).get("_meta").filter(|meta| meta.is_object()).cloned();
    let meta = with_member(&meta.unwrap_or_else(RawJson::empty_object), SUBSCRIPTION_ID, id.as_str());
    with_member(params, "_meta", meta.as_str())
}

/// Without the tag of the gateway's own subscription at a modern server.
fn untagged(params: &RawJson) -> RawJson {
    let object = Object::of(params);
    let Some(meta) = object.get("_meta").filter(|meta| meta.as_str().contains(SUBSCRIPTION_ID)) else {
        return params.clone();
    };
    match without_members(meta, &[SUBSCRIPTION_ID]) {
        meta if meta.as_str() == "{}" => without_members(params, &["_meta"]),
        meta => with_member(params, "_meta", meta.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clients_tag_stands_beside_what_the_server_says() {
        let raw = |text: &str| RawJson::parse(text.to_owned()).expect("JSON");
        let tag = r#""io.modelcontextprotocol/subscriptionId":7"#;
        let check = |params: &str, expected: String| assert_eq!(tagged(&raw(params), &raw("7")).as_str(), expected);
        check("{}", format!(r#"{{"_meta":{{{tag}}}}}"#));
        check(r#"{"_meta":{"x":1.0},"uri":"a"}"#, format!(r#"{{"_meta":{{{tag},"x":1.0}},"uri":"a"}}"#));
    }

    #[test]
    fn a_servers_tag_is_taken_off() {
        let check = |params: &str, expected: &str| {
            let params = RawJson::parse(params.to_owned()).expect("JSON");
            assert_eq!(untagged(&params).as_str(), expected);
        };
        check(r#"{"uri":"a"}"#, r#"{"uri":"a"}"#);
        check(r#"{"uri":"a","_meta":{"io.modelcontextprotocol/subscriptionId":7}}"#, r#"{"uri":"a"}"#);
        check(
            r#"{"_meta":{"x":1.0,"io.modelcontextprotocol/subscriptionId":"7"},"uri":"a"}"#,
            r#"{"_meta":{"x":1.0},"uri":"a"}"#,
        );
    }
}
