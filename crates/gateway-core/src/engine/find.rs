//! Finding the tool that a call means, also while servers are still telling which they have.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{self, Instant};

use super::catalogue::{Visible, excerpt};
use super::naming;
use super::server::Server;
use super::session::View;
use crate::{Error, ErrorKind, Result, ServerState, ToolCall, ToolRef};

/// A call of a tool that nobody knows waits for a server until it has been needed for so long. Whoever
/// misspells a name waits only while some server is that young.
const FIRST_SECONDS: Duration = Duration::from_secs(10);

/// A call that names its server waits so long for the tools of that server.
const FOR_ITS_SERVER: Duration = Duration::from_secs(10);

/// Most servers that a message names.
const MAX_NAMED: usize = 3;

/// Finds the tool that a call means in what `look` shows. Where nobody knows it, waits for servers whose
/// tools are not known yet: a gateway that has just started must not deny what it has. No server that is
/// slow holds up a call whose tool another one has.
///
/// # Errors
/// `NotFound` and `Conflict` for the name; why a server that surely has the tool cannot be asked.
pub(super) async fn find_tool(
    look: impl Fn() -> Arc<View>,
    call: &ToolCall,
    visible: Visible<'_>,
) -> Result<(Arc<View>, ToolRef)> {
    let mut waiting: Option<Waiting> = None;
    let mut trouble = None;
    loop {
        let view = look();
        let missing = match resolve(&view, call, visible) {
            Ok(found) => return Ok((view, found)),
            Err(error) if error.kind() == ErrorKind::NotFound => error,
            Err(error) => return Err(error),
        };
        let waiting = match &mut waiting {
            Some(waiting) => waiting,
            none => none.insert(Waiting::for_unlisted(&view, call)?),
        };
        match waiting.next().await {
            // The tool surely belongs to one of these, so what is wrong with it is the answer.
            Some(Err(error)) if waiting.is_certain => trouble = trouble.or(Some(error)),
            Some(_) => {}
            None => return Err(trouble.unwrap_or_else(|| with_unlisted(&missing, &look()))),
        }
    }
}

/// The refusal of a name, with the servers that may know it and have not told their tools yet.
fn with_unlisted(missing: &Error, view: &View) -> Error {
    let unlisted: Vec<_> = view.unlisted().map(|(_, server)| format!("`{}`", server.spec().name())).collect();
    let message = match unlisted.len() {
        0 => return missing.duplicate(),
        1..=MAX_NAMED => format!("{} (the tools of {} are not known yet)", missing.message(), unlisted.join(", ")),
        many => format!("{} (the tools of {many} servers are not known yet)", missing.message()),
    };
    Error::new(missing.kind(), message)
}

/// Begins to connect servers whose tools are unknown; waits for none.
pub(super) fn wake_unlisted(view: &View) {
    for (_, server) in view.unlisted() {
        server.wake();
    }
}

fn resolve(view: &View, call: &ToolCall, visible: Visible<'_>) -> Result<ToolRef> {
    view.catalogue.resolve(&call.name, place_of_server(view, call)?, visible)
}

fn place_of_server(view: &View, call: &ToolCall) -> Result<Option<u32>> {
    let place = |name: &str| {
        view.catalogue
            .server(name)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no server `{}`", excerpt(name))))
    };
    call.server.as_deref().map(place).transpose()
}

/// Servers whose tools are unknown and that may have the tool a caller asks for.
struct Waiting {
    /// One waiter for each; they end with this.
    servers: JoinSet<Result<()>>,
    /// Whether the tool surely belongs to one of them, since the caller names the server.
    is_certain: bool,
}

impl Waiting {
    fn for_unlisted(view: &View, call: &ToolCall) -> Result<Self> {
        let named = place_of_server(view, call)?;
        let of_name = |place: usize, server: &Server| match named {
            Some(named) => place == named as usize,
            None => naming::is_of_server(&call.name, server.spec().name()),
        };
        let mut servers = JoinSet::new();
        for (_, server) in view.unlisted().filter(|(place, server)| of_name(*place, server)) {
            servers.spawn(settled(Arc::clone(server), FOR_ITS_SERVER));
        }
        if named.is_some() || !servers.is_empty() {
            return Ok(Self { servers, is_certain: true });
        }
        for (_, server) in view.unlisted() {
            let patience = FIRST_SECONDS.saturating_sub(server.age());
            let is_pending = matches!(server.state(), ServerState::Idle | ServerState::Connecting);
            if is_pending && !patience.is_zero() {
                servers.spawn(settled(Arc::clone(server), patience));
            }
        }
        Ok(Self { servers, is_certain: false })
    }

    /// The next server that has been tried, well or badly; `None` after the last.
    async fn next(&mut self) -> Option<Result<()>> {
        let joined = self.servers.join_next().await?;
        Some(joined.unwrap_or_else(|panic| {
            Err(Error::new(ErrorKind::Internal, "the wait for a server broke off").with_source(panic))
        }))
    }
}

/// Waits until a server's first attempt has ended, but not for longer than `patience`.
async fn settled(server: Arc<Server>, patience: Duration) -> Result<()> {
    let give_up = Instant::now() + patience;
    time::timeout_at(give_up, server.settled()).await.unwrap_or_else(|_| {
        let name = server.spec().name();
        let message = format!("server `{name}` is still being connected, and its tools are not known yet");
        Err(Error::new(ErrorKind::Unavailable, message).with_retry_after_ms(1000))
    })
}
