//! Changing a session's list of servers: adding, removing, following the servers file.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio::time;

use super::server::Server;
use super::session::Session;
use super::sessions::Sessions;
use super::supervisor::own_limit;
use crate::{AddReport, Error, ErrorKind, RemoveReport, Result, ServerSelector, ServerSpec, ServerState};

/// Adds servers and connects them, side by side. Those that cannot be connected are not added.
pub(super) async fn add(
    sessions: &Sessions,
    session: &Session,
    specs: Vec<ServerSpec>,
    max_servers: usize,
) -> Result<AddReport> {
    let _change = session.change.lock().await;
    sessions.refresh(session).await?;
    let current = session.servers();
    let mut names: HashSet<String> = current.iter().map(|server| server.spec().name().to_owned()).collect();
    let (mut report, mut attempts) = (AddReport::default(), Vec::new());
    for spec in specs {
        let name = spec.name().to_owned();
        if current.len() + attempts.len() >= max_servers {
            let error = format!("a session may have {max_servers} servers (sessions.max_servers)");
            report.failed.push((name, error));
        } else if let Some(why) = sessions.cannot_keep(&spec) {
            report.failed.push((name, why.to_owned()));
        } else if names.insert(name.clone()) {
            attempts.push(sessions.fleet.acquire(&Arc::new(spec), session.presence()));
        } else {
            report.failed.push((name, NAME_TAKEN.to_owned()));
        }
    }
    let outcomes = tokio::select! {
        biased;
        // Whoever ends the session waits for the end of these, too.
        () = session.over.cancelled() => {
            sessions.fleet.release(&attempts).await;
            return Err(Error::new(ErrorKind::NotFound, "the session ended while servers were added to it"));
        }
        outcomes = settle(&attempts) => outcomes,
    };
    let (mut connected, mut refused) = (Vec::new(), Vec::new());
    for (server, outcome) in outcomes {
        match outcome {
            Ok(()) => connected.push(server),
            Err(error) => {
                report.failed.push((server.spec().name().to_owned(), error.message().to_owned()));
                refused.push(server);
            }
        }
    }
    if !connected.is_empty() {
        let added = sessions.commit(session, |current| {
            let new = connected.iter().filter(|server| !has_name(current, server.spec().name()));
            Ok(current.iter().chain(new).cloned().collect())
        });
        if let Err(error) = added.await {
            refused.append(&mut connected);
            sessions.fleet.release(&refused).await;
            return Err(error);
        }
    }
    let servers = session.servers();
    for server in connected {
        if servers.iter().any(|held| held.id() == server.id()) {
            report.added.push(server.describe());
        } else {
            // Another replica was quicker.
            report.failed.push((server.spec().name().to_owned(), NAME_TAKEN.to_owned()));
            refused.push(server);
        }
    }
    report.total = servers.len();
    sessions.fleet.release(&refused).await;
    Ok(report)
}

const NAME_TAKEN: &str = "a server of this name is there already; remove it first, or choose another name";

fn has_name(servers: &[Arc<Server>], name: &str) -> bool {
    servers.iter().any(|server| server.spec().name() == name)
}

/// Removes one server; its connection is gone when this returns.
pub(super) async fn remove(sessions: &Sessions, session: &Session, which: &ServerSelector) -> Result<RemoveReport> {
    let _change = session.change.lock().await;
    sessions.refresh(session).await?;
    let mut removed = None;
    let removing = sessions.commit(session, |current| {
        let place = place_of(current, which)?;
        let mut rest = current.to_vec();
        removed = Some(rest.remove(place));
        Ok(rest)
    });
    removing.await?;
    let server = removed.ok_or_else(|| Error::new(ErrorKind::Internal, "a change that was made removed nothing"))?;
    sessions.fleet.release(std::slice::from_ref(&server)).await;
    let remaining = session.servers().iter().map(|server| Arc::clone(server.spec())).collect();
    Ok(RemoveReport { removed: Arc::clone(server.spec()), removed_tools: server.tools().tools().len(), remaining })
}

fn place_of(servers: &[Arc<Server>], which: &ServerSelector) -> Result<usize> {
    let found = servers.iter().position(|server| match which {
        ServerSelector::Uuid(uuid) => server.spec().uuid() == *uuid,
        ServerSelector::Name(name) => server.spec().name() == name,
    });
    found.ok_or_else(|| {
        let which = match which {
            ServerSelector::Uuid(uuid) => uuid.to_string(),
            ServerSelector::Name(name) => super::catalogue::excerpt(name),
        };
        Error::new(ErrorKind::NotFound, format!("there is no server `{which}`"))
    })
}

/// Makes the default session follow the servers file. What did not change in the file stays
/// untouched, and so does what callers added or removed; where both claim a name, the file wins. The
/// order is that after a restart: the file's servers in its order, then those that callers added. When this returns,
/// what left the list has ended.
pub(super) async fn follow_file(sessions: &Sessions, specs: Vec<ServerSpec>) {
    let session = &sessions.default;
    let _change = session.change.lock().await;
    let mut names = HashSet::new();
    let (wanted, twice): (Vec<_>, Vec<_>) =
        specs.into_iter().partition(|spec: &ServerSpec| names.insert(spec.name().to_owned()));
    for spec in twice {
        tracing::error!(server = spec.name(), "the servers file has this name twice; the first one counts");
    }
    match sessions.follow(wanted.into_iter().map(Arc::new).collect()).await {
        // Only the runtime's own end can stop it.
        Ok(Some(exchange)) => drop(exchange.await),
        Ok(None) => {}
        Err(error) => tracing::debug!(%error, "the servers file is not followed any more"),
    }
}

/// Waits until every server's first attempt has ended, in the order given.
async fn settle(servers: &[Arc<Server>]) -> Vec<(Arc<Server>, Result<()>)> {
    let mut attempts = JoinSet::new();
    for (place, server) in servers.iter().enumerate() {
        let server = Arc::clone(server);
        attempts.spawn(async move { (place, first_attempt(&server).await) });
    }
    let mut outcomes: Vec<_> = servers
        .iter()
        .map(|server| (Arc::clone(server), Err(Error::new(ErrorKind::Internal, "the attempt to connect broke off"))))
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
    let limit = limits.connect_timeout() + own_limit(server.spec());
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
