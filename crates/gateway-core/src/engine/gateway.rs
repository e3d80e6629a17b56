//! The gateway: what doors ask.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{self, Instant};
use tokio_util::task::TaskTracker;

use super::catalogue::{Catalogue, excerpt};
use super::change;
use super::find::{find_tool, wake_unlisted};
use super::fleet::Fleet;
use super::recent::RecentSearches;
use super::session::{Session, View, describe};
use super::sessions::Sessions;
use super::spans;
use crate::{
    ActiveSpan, AddReport, Admission, Auth, Call, CommandServers, Context, DoorRecords, EngineConfig, Error, ErrorKind,
    FoundTool, Health, Invoke, NewSession, Principal, Query, RawJson, RemoveReport, Result, Router, SearchReply,
    SearchRequest, ServerSelector, ServerSpec, ServerStatus, SessionStatus, SpanStart, ToolCall, ToolEntry, ToolRef,
    ToolReply, ToolSearch, TraceContext, Tracer,
};

/// Most matches that a search may ask for.
const MAX_LIMIT: usize = 50;

/// One running gateway. Cheap to clone; all clones are the same gateway.
///
/// Every future may be dropped at any time: a call is then cancelled upstream, and a change (a
/// server added, a session deleted) is carried out to its end.
#[derive(Clone, Debug)]
pub struct Gateway {
    engine: Arc<Engine>,
}

/// The parts.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) config: EngineConfig,
    pub(super) sessions: Sessions,
    pub(super) router: Arc<dyn Router>,
    pub(super) auth: Arc<dyn Auth>,
    pub(super) pipeline: Arc<dyn Invoke>,
    /// Only where somebody learns from use.
    pub(super) recent: Option<RecentSearches>,
    /// Only where traces are sent somewhere.
    pub(super) tracer: Option<Arc<dyn Tracer>>,
    /// Changes under way, the reaper, and what follows the store.
    pub(super) tasks: TaskTracker,
}

impl Drop for Engine {
    /// For a gateway that was dropped without a shutdown: its servers end by themselves.
    fn drop(&mut self) {
        self.sessions.fleet.stop.cancel();
    }
}

impl Gateway {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// Finds out who is calling and which session is meant: the only maker of a [`Context`].
    ///
    /// # Errors
    /// `Unauthenticated`; `NotFound` for a session that is not there or belongs to somebody else.
    pub async fn admit(&self, admission: Admission) -> Result<Context> {
        let principal = Arc::new(self.engine.auth.authenticate(&admission.credentials).await?);
        let session = match &admission.session_id {
            None => Arc::clone(&self.engine.sessions.default),
            Some(id) => self.engine.session_in_use(id, &principal).await?,
        };
        Ok(Context {
            request_id: admission.request_id,
            principal,
            local: admission.credentials.local,
            session,
            // A limit beyond the end of time is none.
            deadline: admission.timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            listener: admission.listener,
            door: admission.door,
            trace: admission.trace,
        })
    }

    /// The tools of the context's session that its caller may use, in a fixed order. Asks no upstream.
    pub fn tools(&self, context: &Context) -> Vec<ToolEntry> {
        let view = self.view(context);
        wake_unlisted(&view);
        view.catalogue.entries(&self.visible(context))
    }

    /// The tool that a name means in the context's session, among those its caller may use; `None` where it
    /// means none, or several. Asks no upstream.
    pub fn tool(&self, context: &Context, name: &str) -> Option<ToolEntry> {
        let view = self.view(context);
        let found = view.catalogue.resolve(name, None, &self.visible(context)).ok()?;
        view.catalogue.entry(found)
    }

    /// Begins a span beneath `parent`, for a door's request; `None` where nothing is traced. What is done for the request
    /// belongs beneath it: its context goes into the [`Admission`].
    pub fn begin_span(&self, parent: Option<&TraceContext>, start: impl FnOnce() -> SpanStart) -> Option<ActiveSpan> {
        let tracer = self.engine.tracer.as_ref()?;
        Some(ActiveSpan::new(tracer.begin(start(), parent)))
    }

    /// Finds tools by a description. Asks no upstream.
    ///
    /// # Errors
    /// `InvalidRequest` for an empty query or a limit or score out of range; `NotFound` for an unknown
    /// server in the filter; those of the router.
    pub async fn search(&self, context: &Context, request: SearchRequest) -> Result<SearchReply> {
        let span = self.begin_span(context.trace(), || spans::of_search(context, &request));
        let found = self.find(context, request).await;
        if let Some(span) = span {
            spans::end_search(span, &found);
        }
        found
    }

    async fn find(&self, context: &Context, request: SearchRequest) -> Result<SearchReply> {
        check_search(&request)?;
        let view = self.view(context);
        wake_unlisted(&view);
        let servers = places(&view.catalogue, request.servers.as_deref())?;
        let allowed = self.visible(context);
        let visible = |tool: ToolRef| {
            servers.as_ref().is_none_or(|servers| servers.contains(&tool.server))
                && view.catalogue.is_visible(tool, &allowed)
        };
        within(context, async {
            let index = view.catalogue.index(&self.engine.router, &self.engine.tasks).await?;
            let begun = Instant::now();
            let query =
                Query { text: &request.query, limit: request.limit, min_score: request.min_score, visible: &visible };
            let ranking = index.rank(&query).await?;
            let matches: Vec<_> = ranking
                .matches
                .into_iter()
                .filter_map(|found| {
                    let tool = view.catalogue.entry(found.tool)?;
                    Some(FoundTool { tool, score: found.score, reasoning: found.reasoning.to_string() })
                })
                .collect();
            // With the reasons, which are written only now.
            let took = begun.elapsed();
            if let Some(recent) = &self.engine.recent {
                recent.searched(&ToolSearch { context, query: &request.query, matches: &matches, took });
            }
            let router = ranking.answered_by.map_or_else(|| self.engine.router.name().to_owned(), Cow::into_owned);
            Ok(SearchReply { router, took, matches })
        })
        .await
    }

    /// Runs a tool. Dropping the future cancels it upstream.
    ///
    /// # Errors
    /// `NotFound` and `Conflict` for the name, `InvalidArguments` where the arguments are no object or
    /// the upstream refuses them, and whatever happens on the way to the upstream. A tool that ran
    /// and failed is a reply.
    pub async fn call(&self, context: &Context, call: ToolCall) -> Result<ToolReply> {
        if !call.arguments.is_object() {
            return Err(Error::new(ErrorKind::InvalidArguments, "the arguments of a tool must be a JSON object"));
        }
        // A call keeps its session alive; the default one needs nobody for that.
        let _under_way = context.session_id().map(|_| context.session.begin_call());
        within(context, async {
            let (view, found) = find_tool(|| self.view(context), &call, &self.visible(context)).await?;
            let entry = view.catalogue.entry(found);
            let server = view.servers.get(found.server as usize).map(Arc::clone);
            let (Some(entry), Some(server)) = (entry, server) else {
                return Err(Error::new(ErrorKind::Internal, "the catalogue contradicts itself"));
            };
            let call = Call {
                server,
                method: "tools/call".into(),
                params: call_params(entry.tool.name(), &call)?,
                tool: Some(Arc::clone(&entry.tool)),
            };
            let result = self.invoke(context, &call).await?;
            let era = call.server.era();
            let ToolEntry { server, server_uuid, tool, .. } = entry;
            let reply = ToolReply { server, server_uuid, tool, result, era };
            if let Some(recent) = &self.engine.recent {
                recent.called(context, &reply);
            }
            Ok(reply)
        })
        .await
    }

    /// The servers of the context's session.
    pub fn servers(&self, context: &Context) -> Vec<ServerStatus> {
        describe(&context.session.servers())
    }

    /// Adds servers to the context's session and connects them. One that fails stops no other.
    ///
    /// # Errors
    /// Those of the session store; what is wrong with one server stands in the report.
    pub async fn add_servers(&self, context: &Context, specs: Vec<ServerSpec>) -> Result<AddReport> {
        let may_add = |spec: &ServerSpec| if spec.is_command() { self.may_start_programs(context) } else { Ok(()) };
        let (permitted, refused): (Vec<_>, Vec<_>) =
            specs.into_iter().map(|spec| (may_add(&spec), spec)).partition(|(may, _)| may.is_ok());
        let permitted = permitted.into_iter().map(|(_, spec)| spec).collect();
        let refused = refused
            .into_iter()
            .filter_map(|(may, spec)| Some((spec.name().to_owned(), may.err()?.message().to_owned())));
        let (engine, session) = (Arc::clone(&self.engine), Arc::clone(&context.session));
        let mut report = self
            .to_the_end(async move {
                let max = engine.config.max_servers_per_session;
                change::add(&engine.sessions, &session, permitted, max).await
            })
            .await?;
        report.failed.extend(refused);
        Ok(report)
    }

    /// Removes a server from the context's session and ends its connection.
    ///
    /// # Errors
    /// `NotFound`; those of the session store.
    pub async fn remove_server(&self, context: &Context, which: ServerSelector) -> Result<RemoveReport> {
        let (engine, session) = (Arc::clone(&self.engine), Arc::clone(&context.session));
        self.to_the_end(async move { change::remove(&engine.sessions, &session, &which).await }).await
    }

    /// Makes a session with the servers of the servers file. Starts none of them.
    ///
    /// # Errors
    /// `RateLimited` where there are too many; `InvalidRequest` and `TooLarge` for what it should be;
    /// those of the session store.
    pub async fn create_session(&self, context: &Context, new: NewSession) -> Result<SessionStatus> {
        let (engine, principal) = (Arc::clone(&self.engine), Arc::clone(&context.principal));
        self.to_the_end(async move { engine.sessions.create(&principal, new).await }).await
    }

    /// One session of the caller's.
    ///
    /// # Errors
    /// `NotFound`; those of the session store.
    pub async fn session(&self, context: &Context, id: &str) -> Result<SessionStatus> {
        let session = self.engine.session_in_use(id, &context.principal).await?;
        Ok(session.describe())
    }

    /// The caller's sessions, in order of their ids.
    ///
    /// # Errors
    /// Those of the session store.
    pub async fn sessions(&self, context: &Context) -> Result<Vec<SessionStatus>> {
        self.engine.sessions.list(&context.principal).await
    }

    /// Ends a session: its connections and processes are gone when this returns.
    ///
    /// # Errors
    /// `NotFound`; those of the session store.
    pub async fn delete_session(&self, context: &Context, id: &str) -> Result<()> {
        let (engine, principal) = (Arc::clone(&self.engine), Arc::clone(&context.principal));
        let id = id.to_owned();
        self.to_the_end(async move { engine.sessions.delete(&id, &principal).await }).await
    }

    /// Small records that a door keeps in the session store, so that it finds them after a restart and on other
    /// replicas. Their ids begin with `prefix`, which ends with `_` and is no other door's.
    ///
    /// # Panics
    /// Where the prefix is not of that kind, or that of sessions.
    pub fn door_records(&self, prefix: &'static str) -> DoorRecords {
        DoorRecords::new(prefix, Arc::clone(&self.engine.sessions.store))
    }

    /// How the gateway is.
    pub fn health(&self) -> Health {
        let sessions = &self.engine.sessions;
        let servers = sessions.default.servers();
        Health {
            healthy: servers.iter().all(|server| server.is_in_order()),
            total_tools: sessions.default.view(&sessions.fleet, self.engine.config.prefix).catalogue.total(),
            servers: describe(&servers),
            sessions: sessions.count(),
            processes: sessions.fleet.processes(),
        }
    }

    /// Waits until every server of the default session has been tried once, well or badly.
    pub async fn settled(&self) {
        for server in self.engine.sessions.default.servers().iter() {
            // A failure is settled as well; it stands in the server's state.
            let _ = server.settled().await;
        }
    }

    /// Makes the default session's servers those of the servers file, touching just what changed.
    /// Sessions that exist keep what they have; new ones start with these.
    pub async fn replace_servers(&self, specs: Vec<ServerSpec>) {
        let engine = Arc::clone(&self.engine);
        let changed = self.to_the_end(async move {
            change::follow_file(&engine.sessions, specs).await;
            Ok(())
        });
        if let Err(error) = changed.await {
            tracing::error!(?error, "cannot follow the servers file");
        }
    }

    /// Ends all connections in order. Calls under way fail; let them finish first.
    pub async fn shutdown(&self) {
        let sessions = &self.engine.sessions;
        sessions.fleet.stop.cancel();
        sessions.end_all().await;
        // Changes under way find their servers stopped, and give back what they hold.
        self.engine.tasks.close();
        self.engine.tasks.wait().await;
        sessions.fleet.ended().await;
    }

    /// Runs a call through the layers.
    pub(super) async fn invoke(&self, context: &Context, call: &Call) -> Result<RawJson> {
        let Engine { pipeline, tracer, .. } = &*self.engine;
        match tracer {
            None => pipeline.invoke(context, call).await,
            // In a box, so that calls without a span carry no room for one.
            Some(tracer) => Box::pin(spans::traced_call(&**tracer, &**pipeline, context, call)).await,
        }
    }

    pub(super) fn fleet(&self) -> &Fleet {
        &self.engine.sessions.fleet
    }

    pub(super) fn view(&self, context: &Context) -> Arc<View> {
        self.view_of(&context.session)
    }

    pub(super) fn view_of(&self, session: &Session) -> Arc<View> {
        session.view(self.fleet(), self.engine.config.prefix)
    }

    /// The default session, and those that have been used within this time.
    pub(super) fn sessions_in_use(&self, within: Duration) -> Vec<Arc<Session>> {
        self.engine.sessions.used_within(within)
    }

    pub(super) fn has_session(&self, id: &str) -> bool {
        self.engine.sessions.has(id)
    }

    pub(super) fn visible<'a>(&'a self, context: &'a Context) -> impl Fn(&str, &str) -> bool + Send + Sync + 'a {
        |server, tool| self.engine.auth.allows(&context.principal, server, tool)
    }

    /// Runs a change in a task of its own, so that a caller who goes away leaves nothing half done.
    async fn to_the_end<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.engine
            .tasks
            .spawn(change)
            .await
            .unwrap_or_else(|panic| Err(Error::new(ErrorKind::Internal, "the change broke off").with_source(panic)))
    }

    /// Whether this caller may add servers that start a program. Who may not must not read the gateway's
    /// environment either.
    ///
    /// # Errors
    /// `Forbidden`, with what would have to be set.
    pub fn may_start_programs(&self, context: &Context) -> Result<()> {
        let refuse = |message: &str| Err(Error::new(ErrorKind::Forbidden, message));
        let Principal { authenticated, .. } = *context.principal;
        match self.engine.config.command_servers {
            CommandServers::Never => refuse(
                "a server with a `command` may only stand in the servers file (servers.command_servers = \"never\")",
            ),
            CommandServers::Authenticated if !authenticated => refuse(
                "a server with a `command` may only be added with the API key (servers.command_servers = \"authenticated\")",
            ),
            CommandServers::Local if !authenticated && !context.local => refuse(
                "a server with a `command` may only be added with the API key (GATEWAY_API_KEY), or by a program \
                 on this machine that is no browser and comes through no proxy",
            ),
            _ => Ok(()),
        }
    }
}

fn check_search(request: &SearchRequest) -> Result<()> {
    let refuse = |message: String| Err(Error::new(ErrorKind::InvalidRequest, message));
    if request.query.trim().is_empty() {
        return refuse("`query` must not be empty: say in plain words what the tool should do".to_owned());
    }
    if !(1..=MAX_LIMIT).contains(&request.limit) {
        return refuse(format!("`limit` is {} but must be between 1 and {MAX_LIMIT}", request.limit));
    }
    if !(0.0..=1.0).contains(&request.min_score) {
        return refuse(format!("`min_score` is {} but must be between 0 and 1", request.min_score));
    }
    Ok(())
}

/// The places of the servers in a filter.
fn places(catalogue: &Catalogue, servers: Option<&[String]>) -> Result<Option<HashSet<u32>>> {
    let Some(servers) = servers else { return Ok(None) };
    let place = |name: &String| {
        catalogue.server(name).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no server `{}` (in `servers`)", excerpt(name)))
        })
    };
    servers.iter().map(place).collect::<Result<_>>().map(Some)
}

/// The `params` of `tools/call`.
fn call_params(name: &str, call: &ToolCall) -> Result<RawJson> {
    let arguments = call.arguments.as_bytes();
    let extra = call.extra.as_bytes();
    let mut text = Vec::with_capacity(name.len() + arguments.len() + extra.len() + 32);
    text.extend_from_slice(br#"{"name":"#);
    serde_json::to_writer(&mut text, name)
        .map_err(|error| Error::new(ErrorKind::Internal, "cannot write a tool's name").with_source(error))?;
    text.extend_from_slice(br#","arguments":"#);
    text.extend_from_slice(arguments);
    if call.extra.is_object() && extra.len() > b"{}".len() {
        text.push(b',');
        text.extend_from_slice(&extra[1..]);
    } else {
        text.push(b'}');
    }
    Ok(RawJson::assembled(text))
}

/// Runs `work` until the caller's own limit.
pub(super) async fn within<T>(context: &Context, work: impl Future<Output = Result<T>>) -> Result<T> {
    let Some(deadline) = context.deadline() else { return work.await };
    time::timeout_at(deadline, work).await.unwrap_or_else(|_| {
        Err(Error::new(ErrorKind::DeadlineExceeded, "no answer within the caller's own time limit (`timeout_ms`)"))
    })
}
