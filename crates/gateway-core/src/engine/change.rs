//! Changing a session's list of servers: adding, removing, following the servers file.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time;

use super::server::Server;
use super::session::{Session, describe};
use super::sessions::Sessions;
use crate::{AddReport, Error, ErrorKind, RemoveReport, Result, ServerSelector, ServerSpec, ServerState};

/// Adds servers and connects them, side by side. Those that cannot be connected are not added.
pub(super) async fn add(
    sessions: &Sessions,
    session: &Session,
    specs: Vec<ServerSpec>,
    max_servers: usize,
) -> Result<AddReport> {
    let _change = session.change.lock().await;
    let mut servers = (*session.servers()).clone();
    let mut names: HashSet<String> = servers.iter().map(|server| server.spec().name().to_owned()).collect();
    let (mut report, mut attempts) = (AddReport::default(), Vec::new());
    for spec in specs {
        let name = spec.name().to_owned();
        if servers.len() + attempts.len() >= max_servers {
            let error = format!("a session may have {max_servers} servers (sessions.max_servers)");
            report.failed.push((name, error));
        } else if names.insert(name.clone()) {
            attempts.push(sessions.fleet.acquire(&Arc::new(spec), session.presence()));
        } else {
            report.failed.push((name, "a server of this name is there already".to_owned()));
        }
    }
    for (server, outcome) in settle(attempts).await {
        match outcome {
            Ok(()) => {
                report.added.extend(describe(std::slice::from_ref(&server)));
                servers.push(server);
            }
            Err(error) => {
                report.failed.push((server.spec().name().to_owned(), error.message().to_owned()));
                sessions.fleet.release(&server).await;
            }
        }
    }
    report.total = servers.len();
    if !report.added.is_empty() {
        replace(sessions, session, servers).await?;
    }
    Ok(report)
}

/// Removes one server; its connection is gone when this returns.
pub(super) async fn remove(sessions: &Sessions, session: &Session, which: &ServerSelector) -> Result<RemoveReport> {
    let _change = session.change.lock().await;
    let mut servers = (*session.servers()).clone();
    let place = servers.iter().position(|server| match which {
        ServerSelector::Uuid(uuid) => server.spec().uuid() == *uuid,
        ServerSelector::Name(name) => server.spec().name() == name,
    });
    let Some(place) = place else {
        let which = match which {
            ServerSelector::Uuid(uuid) => uuid.to_string(),
            ServerSelector::Name(name) => super::catalogue::excerpt(name),
        };
        return Err(Error::new(ErrorKind::NotFound, format!("there is no server `{which}`")));
    };
    let server = servers.remove(place);
    let remaining = servers.iter().map(|server| Arc::clone(server.spec())).collect();
    replace(sessions, session, servers).await?;
    sessions.fleet.release(&server).await;
    Ok(RemoveReport { removed: Arc::clone(server.spec()), removed_tools: server.tools().tools().len(), remaining })
}

/// Makes the default session follow the servers file. What did not change in the file stays
/// untouched, and so does what callers added; where both claim a name, the file wins.
pub(super) async fn follow_file(sessions: &Sessions, specs: Vec<ServerSpec>) {
    let session = &sessions.default;
    let _change = session.change.lock().await;
    let wanted: Vec<Arc<ServerSpec>> = specs.into_iter().map(Arc::new).collect();
    let before: HashSet<_> = sessions.template().iter().map(|spec| spec.uuid()).collect();
    let after: HashSet<_> = wanted.iter().map(|spec| spec.uuid()).collect();
    let current = session.servers();
    let new: Vec<_> = wanted
        .iter()
        .filter(|spec| !before.contains(&spec.uuid()))
        .filter(|spec| !current.iter().any(|server| server.spec().uuid() == spec.uuid()))
        .collect();
    let new_names: HashSet<&str> = new.iter().map(|spec| spec.name()).collect();
    let leaves = |server: &Arc<Server>| {
        let spec = server.spec();
        let dropped = before.contains(&spec.uuid()) && !after.contains(&spec.uuid());
        dropped || new_names.contains(spec.name())
    };
    let (gone, mut servers): (Vec<_>, Vec<_>) = current.iter().cloned().partition(leaves);
    let added: Vec<_> = new.iter().map(|spec| sessions.fleet.acquire(spec, session.presence())).collect();
    tracing::info!(added = added.len(), removed = gone.len(), "the servers file has changed");
    servers.extend(added.iter().cloned());
    sessions.set_template(wanted.clone());
    session.set_servers(servers);
    for server in &added {
        server.wake();
    }
    sessions.release_all(&gone).await;
}

/// Puts a new list in force and into the store; the old one again where the store refuses.
async fn replace(sessions: &Sessions, session: &Session, servers: Vec<Arc<Server>>) -> Result<()> {
    let before = session.servers();
    session.set_servers(servers);
    if let Err(error) = sessions.persist(session).await {
        let after = session.servers();
        session.set_servers((*before).clone());
        let new: Vec<_> =
            after.iter().filter(|server| !before.iter().any(|old| old.id() == server.id())).cloned().collect();
        sessions.release_all(&new).await;
        return Err(error);
    }
    Ok(())
}

/// Waits until every server's first attempt has ended, in the order given.
async fn settle(servers: Vec<Arc<Server>>) -> Vec<(Arc<Server>, Result<()>)> {
    let mut attempts = JoinSet::new();
    for (place, server) in servers.iter().enumerate() {
        let server = Arc::clone(server);
        attempts.spawn(async move { (place, first_attempt(&server).await) });
    }
    let mut outcomes: Vec<_> = servers
        .into_iter()
        .map(|server| (server, Err(Error::new(ErrorKind::Internal, "the attempt to connect broke off"))))
        .collect();
    while let Some(joined) = attempts.join_next().await {
        if let Ok((place, outcome)) = joined {
            outcomes[place].1 = outcome;
        }
    }
    outcomes
}

async fn first_attempt(server: &Arc<Server>) -> Result<()> {
    let limits = server.spec().limits();
    let limit = limits.connect_timeout() + limits.request_timeout();
    time::timeout(limit, server.settled()).await.unwrap_or_else(|_| {
        let limit = limit.as_millis();
        Err(Error::new(ErrorKind::Unavailable, format!("it was not ready within {limit} ms")))
    })?;
    if server.state() == ServerState::Degraded {
        let why = server.describe().last_error.unwrap_or_default();
        return Err(Error::new(ErrorKind::UpstreamFailed, why));
    }
    Ok(())
}
