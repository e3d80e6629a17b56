//! Changing a session's list of servers: adding, removing, following the servers file.

use std::collections::{HashMap, HashSet};
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
    let server = place_of(&session.servers(), which).map(|(_, server)| server)?;
    let removing = sessions.commit(session, |current| {
        let (place, _) = place_of(current, which)?;
        let mut rest = current.to_vec();
        rest.remove(place);
        Ok(rest)
    });
    removing.await?;
    sessions.fleet.release(std::slice::from_ref(&server)).await;
    let remaining = session.servers().iter().map(|server| Arc::clone(server.spec())).collect();
    Ok(RemoveReport { removed: Arc::clone(server.spec()), removed_tools: server.tools().tools().len(), remaining })
}

fn place_of(servers: &[Arc<Server>], which: &ServerSelector) -> Result<(usize, Arc<Server>)> {
    let mut servers = servers.iter().enumerate();
    let found = servers.find(|(_, server)| match which {
        ServerSelector::Uuid(uuid) => server.spec().uuid() == *uuid,
        ServerSelector::Name(name) => server.spec().name() == name,
    });
    found.map(|(place, server)| (place, Arc::clone(server))).ok_or_else(|| {
        let which = match which {
            ServerSelector::Uuid(uuid) => uuid.to_string(),
            ServerSelector::Name(name) => super::catalogue::excerpt(name),
        };
        Error::new(ErrorKind::NotFound, format!("there is no server `{which}`"))
    })
}

/// Makes the default session follow the servers file. What did not change in the file stays
/// untouched, and so does what callers added or removed; where both claim a name, the file wins. The
/// order is that after a restart: the file's servers in its order, then those that callers added.
pub(super) async fn follow_file(sessions: &Sessions, specs: Vec<ServerSpec>) {
    let session = &sessions.default;
    let _change = session.change.lock().await;
    let mut names = HashSet::new();
    let (wanted, twice): (Vec<_>, Vec<_>) =
        specs.into_iter().partition(|spec: &ServerSpec| names.insert(spec.name().to_owned()));
    for spec in twice {
        tracing::error!(server = spec.name(), "the servers file has this name twice; the first one counts");
    }
    let wanted: Vec<Arc<ServerSpec>> = wanted.into_iter().map(Arc::new).collect();
    let before: HashSet<_> = sessions.template().iter().map(|spec| spec.uuid()).collect();
    let after: HashSet<_> = wanted.iter().map(|spec| spec.uuid()).collect();
    let current = session.servers();
    let is_new = |spec: &ServerSpec| !before.contains(&spec.uuid());
    let by_uuid: HashMap<_, _> = current.iter().rev().map(|server| (server.spec().uuid(), server)).collect();
    let new_names: HashSet<&str> = wanted.iter().filter(|spec| is_new(spec)).map(|spec| spec.name()).collect();
    let leaves = |server: &&Arc<Server>| {
        let uuid = server.spec().uuid();
        !after.contains(&uuid) && (before.contains(&uuid) || new_names.contains(server.spec().name()))
    };
    let (gone, others): (Vec<_>, Vec<_>) = current.iter().partition(leaves);
    let gone: Vec<_> = gone.into_iter().cloned().collect();
    let (mut servers, mut added) = (Vec::with_capacity(wanted.len()), Vec::new());
    for spec in &wanted {
        if let Some(server) = by_uuid.get(&spec.uuid()) {
            servers.push(Arc::clone(server));
        } else if is_new(spec) {
            let server = sessions.fleet.acquire(spec, session.presence());
            added.push(Arc::clone(&server));
            servers.push(server);
        }
    }
    servers.extend(others.into_iter().filter(|server| !after.contains(&server.spec().uuid())).cloned());
    tracing::info!(added = added.len(), removed = gone.len(), "the servers follow their file");
    sessions.set_template(wanted);
    if session.set_servers(servers).is_err() {
        // The gateway stops.
        sessions.fleet.release(&added).await;
        return;
    }
    sessions.fleet.catalogue_changed();
    // What replaces a server starts after its end: both may want the same files and ports.
    let (replacing, fresh): (Vec<_>, Vec<_>) = added.iter().partition(|server| has_name(&gone, server.spec().name()));
    for server in fresh {
        server.wake();
    }
    sessions.fleet.release(&gone).await;
    for server in replacing {
        server.wake();
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
