//! What a gateway does for doors besides tools: prompts, resources, completions, and what servers say of their
//! own accord.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{self, Instant};

use super::find::wake_unlisted;
use super::gateway::within;
use super::server::Server;
use crate::{
    Call, Context, Era, Gateway, Notification, OfferEntry, OfferKind, RawJson, ResourceSubscription, Result,
    SessionEvents, Target,
};

/// A server is waited for only in its first seconds; later it has had its chance.
const FIRST_SECONDS: Duration = Duration::from_secs(10);

/// Longest that a server may take to accept a log level.
const LOG_LEVEL_TIMEOUT: Duration = Duration::from_secs(5);

/// Something that a server of a session offers, found by its name or URI.
#[derive(Clone, Debug)]
pub struct Offered {
    /// Its server.
    pub server: Arc<Server>,
    /// What the server itself calls it.
    pub key: String,
}

/// A server's answer to a request.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The result, byte for byte.
    pub result: RawJson,
    /// The era of the protocol that it is written in.
    pub era: Era,
}

/// Hashes of what a session's lists show. Two that are equal show the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListMarks {
    /// Of the tools.
    pub tools: u64,
    /// Of the prompts.
    pub prompts: u64,
    /// Of the resources and resource templates.
    pub resources: u64,
}

impl Gateway {
    /// The prompts, resources or resource templates of the context's session that its caller may use, in a
    /// fixed order. Asks no upstream.
    pub fn offers(&self, context: &Context, kind: OfferKind) -> Vec<OfferEntry> {
        let view = self.view(context);
        wake_unlisted(&view);
        view.directory.entries(kind, &self.visible(context))
    }

    /// Finds what a name or URI means.
    ///
    /// # Errors
    /// `NotFound`, and `Conflict` where several servers may be meant.
    pub fn locate(&self, context: &Context, target: &Target) -> Result<Offered> {
        let view = self.view(context);
        wake_unlisted(&view);
        let (place, key) = view.directory.resolve(target, &self.visible(context))?;
        Ok(Offered { server: Arc::clone(&view.servers[place]), key })
    }

    /// Sends a request about something found by [`locate`](Self::locate) to its server, on the same road as a
    /// call. `params` are an object in the server's own words.
    ///
    /// # Errors
    /// Whatever happens on the way to the server, and its own refusal.
    pub async fn relay(
        &self,
        context: &Context,
        server: &Arc<Server>,
        method: &'static str,
        params: RawJson,
    ) -> Result<Reply> {
        let call = Call { server: Arc::clone(server), method: method.into(), params, tool: None };
        let _under_way = context.session_id().map(|_| context.session.begin_call());
        let result = within(context, self.invoke(context, &call)).await?;
        Ok(Reply { result, era: server.era() })
    }

    /// Watches a resource until the subscription is dropped.
    ///
    /// # Errors
    /// Where its server cannot be reached or refuses.
    pub async fn watch_resource(&self, context: &Context, offered: &Offered) -> Result<ResourceSubscription> {
        within(context, ResourceSubscription::begin(&offered.server, offered.key.clone())).await
    }

    /// Hears what the servers of the context's session say outside of any request; `capacity` events may
    /// wait. Questions come only where this is the session's one listener and says that it `answers`.
    pub fn listen(&self, context: &Context, capacity: usize, answers: bool) -> SessionEvents {
        context.session.audience.join(capacity, answers)
    }

    /// Changes its value whenever what some session shows may have changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.fleet().changes()
    }

    /// What the lists of the context's session show now.
    pub fn list_marks(&self, context: &Context) -> ListMarks {
        let view = self.view(context);
        let [mut tools, mut prompts, mut resources] =
            [const { None::<DefaultHasher> }; 3].map(Option::unwrap_or_default);
        for server in view.servers.iter() {
            let uuid = server.spec().uuid();
            let offer = server.offer();
            (uuid, server.tools().content_hash()).hash(&mut tools);
            (uuid, offer.hash_of(OfferKind::Prompt)).hash(&mut prompts);
            let both = (offer.hash_of(OfferKind::Resource), offer.hash_of(OfferKind::ResourceTemplate));
            (uuid, both).hash(&mut resources);
        }
        ListMarks { tools: tools.finish(), prompts: prompts.finish(), resources: resources.finish() }
    }

    /// Waits until every server of the context's session has told what it offers or has failed, but for at
    /// most `patience`, and for no server that has been there for long: a client that asks for a list once,
    /// at its start, should get it whole.
    pub async fn listed(&self, context: &Context, patience: Duration) {
        let view = self.view(context);
        let mut waiting = JoinSet::new();
        for server in view.servers.iter().filter(|server| !server.is_listed() && !server.spec().disabled()) {
            server.wake();
            let left = FIRST_SECONDS.saturating_sub(server.age()).min(patience);
            if !left.is_zero() {
                let server = Arc::clone(server);
                waiting.spawn(async move {
                    let give_up = Instant::now() + left;
                    // Why it failed stands in its state.
                    let _ = time::timeout_at(give_up, server.settled()).await;
                });
            }
        }
        while waiting.join_next().await.is_some() {}
    }

    /// What a URI of one server is shown as in the context's session.
    pub fn shown_uri(&self, context: &Context, server: uuid::Uuid, uri: &str) -> String {
        self.view(context).directory.shown_uri(server, uri)
    }

    /// Tells the connected servers of the context's session something.
    pub async fn notify_servers(&self, context: &Context, notification: &Notification) {
        for server in self.view(context).servers.iter() {
            let Some(connection) = server.live() else { continue };
            if let Err(error) = connection.upstream().notify(notification.clone()).await {
                tracing::debug!(server = server.spec().name(), %error, "a notification was not taken");
            }
        }
    }

    /// Asks the servers of the context's session for log messages from `level` on: `debug`, `info`, … A server
    /// that others use as well never becomes quieter by this.
    pub async fn set_log_level(&self, context: &Context, level: crate::LogLevel) {
        for server in self.view(context).servers.iter() {
            if server.want_log_level(level)
                && let Some(connection) = server.live()
            {
                let telling = super::supervisor::tell_log_level(server, &connection);
                let _ = time::timeout(LOG_LEVEL_TIMEOUT, telling).await;
            }
        }
    }
}
