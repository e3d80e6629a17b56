//! Putting a gateway together.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::dispatch::Dispatch;
use super::fleet::Fleet;
use super::follow::follow;
use super::gateway::Engine;
use super::recent::RecentSearches;
use super::seeds::Seeds;
use super::sessions::Sessions;
use crate::{
    Auth, Error, ErrorKind, Feedback, Gateway, Invoke, KnownTool, Layer, RawJson, Result, Router, ServerSpec,
    SessionStore, Tracer, Transport,
};

/// How often expired sessions are looked for.
const REAP_EVERY: Duration = Duration::from_secs(1);

/// The engine's own settings.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Most sessions at once.
    pub max_sessions: usize,
    /// A session's life without use, in milliseconds.
    pub session_ttl_ms: u64,
    /// Longest life that a caller may ask for, in milliseconds.
    pub max_session_ttl_ms: u64,
    /// Most child processes at once.
    pub max_processes: usize,
    /// Most servers in one session.
    pub max_servers_per_session: usize,
    /// A session's own connection is closed after so long without a call, in milliseconds; 0 keeps it.
    /// A server's own `idle_timeout_ms` counts before it.
    pub session_idle_timeout_ms: u64,
    /// Who may add servers that start a program.
    pub command_servers: CommandServers,
    /// How tools are named across servers.
    pub prefix: Prefix,
    /// What the gateway declares to be able to do for servers of the legacy era (`ClientCapabilities`, an
    /// object): what clients of its doors can be asked. Modern servers hear it of each caller.
    pub client_capabilities: RawJson,
}

/// Who may add servers that start a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommandServers {
    /// Callers with a secret, and programs on this machine.
    #[default]
    Local,
    /// Only callers with a secret.
    Authenticated,
    /// Nobody; only the servers file.
    Never,
}

/// When a tool's name is prefixed with its server's: `server__tool`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefix {
    /// Always.
    #[default]
    Always,
    /// Where two servers offer the same name.
    OnCollision,
    /// Never; of equal names the first server's counts.
    Never,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            max_sessions: 10_000,
            session_ttl_ms: 60 * 60 * 1000,
            max_session_ttl_ms: 7 * 24 * 60 * 60 * 1000,
            max_processes: 256,
            max_servers_per_session: 500,
            session_idle_timeout_ms: 10 * 60 * 1000,
            command_servers: CommandServers::default(),
            prefix: Prefix::default(),
            client_capabilities: RawJson::empty_object(),
        }
    }
}

/// Puts a [`Gateway`] together from its parts.
#[derive(Debug)]
pub struct GatewayBuilder {
    config: EngineConfig,
    transports: Vec<Arc<dyn Transport>>,
    layers: Vec<Arc<dyn Layer>>,
    servers: Vec<ServerSpec>,
    router: Arc<dyn Router>,
    store: Arc<dyn SessionStore>,
    auth: Arc<dyn Auth>,
    feedbacks: Vec<Arc<dyn Feedback>>,
    known_tools: Vec<KnownTool>,
    tracer: Option<Arc<dyn Tracer>>,
}

impl GatewayBuilder {
    /// The parts that every gateway needs.
    pub fn new(router: Arc<dyn Router>, store: Arc<dyn SessionStore>, auth: Arc<dyn Auth>) -> Self {
        Self {
            config: EngineConfig::default(),
            transports: Vec::new(),
            layers: Vec::new(),
            servers: Vec::new(),
            router,
            store,
            auth,
            feedbacks: Vec::new(),
            known_tools: Vec::new(),
            tracer: None,
        }
    }

    /// With other settings.
    #[must_use]
    pub fn with_config(mut self, config: EngineConfig) -> Self {
        self.config = config;
        self
    }

    /// With one more way to reach servers.
    #[must_use]
    pub fn with_transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transports.push(transport);
        self
    }

    /// With one more layer round every call, inside those added before.
    #[must_use]
    pub fn with_layer(mut self, layer: Arc<dyn Layer>) -> Self {
        self.layers.push(layer);
        self
    }

    /// With these servers in the default session, and in every new one.
    #[must_use]
    pub fn with_servers(mut self, servers: Vec<ServerSpec>) -> Self {
        self.servers = servers;
        self
    }

    /// With one more who hears of searches and of the tools that were run after them. Only then does the engine remember searches,
    /// a few of each caller and for minutes.
    #[must_use]
    pub fn with_feedback(mut self, feedback: Arc<dyn Feedback>) -> Self {
        self.feedbacks.push(feedback);
        self
    }

    /// With tools that servers are known to have had, such as an [`Inventory`](crate::Inventory) keeps: they are listed
    /// and found at once, and replaced by what the servers themselves tell when they are connected. A call waits for the
    /// connection as always. What belongs to no server of the gateway is of no effect.
    #[must_use]
    pub fn with_known_tools(mut self, tools: Vec<KnownTool>) -> Self {
        self.known_tools = tools;
        self
    }

    /// With spans for distributed traces: of the doors' requests, of calls and of searches. Without, what callers say of
    /// their traces is passed on to servers, and nothing else happens.
    #[must_use]
    pub fn with_tracer(mut self, tracer: Arc<dyn Tracer>) -> Self {
        self.tracer = Some(tracer);
        self
    }

    /// Starts the gateway: learns from the store what callers have made of the default session, then connects its
    /// servers in the background. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) where two servers have one name;
    /// [`Unavailable`](crate::ErrorKind::Unavailable) where the store cannot be reached, and
    /// [`Internal`](crate::ErrorKind::Internal) where what it keeps cannot be read. It is not overwritten then.
    pub async fn start(self) -> Result<Gateway> {
        let mut names = HashSet::new();
        if let Some(twice) = self.servers.iter().find(|spec| !names.insert(spec.name())) {
            let name = twice.name();
            return Err(Error::new(ErrorKind::InvalidRequest, format!("two servers are called `{name}`")));
        }
        let template = self.servers.into_iter().map(Arc::new).collect();
        let fleet = Arc::new(Fleet::new(&self.config, self.transports, Seeds::new(self.known_tools)));
        // Before anything is read, so that no change is missed.
        let changes = self.store.changes();
        let sessions = Sessions::open(self.config.clone(), fleet, self.store, template).await?;
        let innermost: Arc<dyn Invoke> = Arc::new(Dispatch);
        let pipeline = self.layers.iter().rev().fold(innermost, |inner, layer| layer.layer(inner));
        let engine = Arc::new(Engine {
            config: self.config,
            sessions,
            router: self.router,
            auth: self.auth,
            pipeline,
            recent: (!self.feedbacks.is_empty()).then(|| RecentSearches::new(self.feedbacks)),
            tracer: self.tracer,
            tasks: TaskTracker::new(),
        });
        engine.tasks.spawn(reap(Arc::downgrade(&engine), engine.sessions.fleet.stop.clone()));
        engine.tasks.spawn(follow(Arc::downgrade(&engine), changes, engine.sessions.fleet.stop.clone()));
        for server in engine.sessions.default.servers().iter() {
            server.wake();
        }
        Ok(Gateway::new(engine))
    }
}

/// Ends expired sessions until the gateway stops.
async fn reap(engine: Weak<Engine>, stop: CancellationToken) {
    let mut clock = time::interval(REAP_EVERY);
    clock.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = clock.tick() => {}
        }
        let Some(engine) = engine.upgrade() else { return };
        engine.keep_alive();
        tokio::select! {
            // A server that is slow to go must not hold up the end.
            () = stop.cancelled() => return,
            () = engine.sessions.reap() => {}
        }
    }
}
