//! Telling an [`Inventory`] what sessions show, for as long as the gateway runs.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{self, Instant};

use super::catalogue::Catalogue;
use super::session::{Session, View};
use crate::{Gateway, Inventory, InventorySnapshot, Result, ServerSpec, ServerState, ToolEntry};

/// What is out is published anew this often, before whoever keeps it forgets it.
const BEAT: Duration = Duration::from_secs(20);

/// Sessions that began or ended, and servers that came or went, are looked for this often.
const LOOK: Duration = Duration::from_secs(2);

/// Changed tools often come in bursts.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// After a failure, the next attempt comes so much later.
const REST: Duration = Duration::from_secs(5);

/// A session is kept published while it is used, and so long after. Thousands of idle ones cost nothing.
const IN_USE: Duration = Duration::from_secs(60);

/// Nothing is published before the servers of the default session have been tried once, but for no longer than this: a
/// gateway that has just begun must not tell others that there is nothing.
const FIRST_WAIT: Duration = Duration::from_secs(10);

/// Publishes what the default session and the sessions in use show, whenever that changes and every 20 seconds, and
/// withdraws sessions that have ended. An inventory that is away is tried again; it says so once in the log.
///
/// Runs until the gateway stops, or until it is dropped: it leaves nothing behind but what it published.
pub async fn publish_inventory(gateway: Gateway, inventory: Arc<dyn Inventory>) {
    let stop = gateway.fleet().stop.clone();
    let mut changes = gateway.fleet().changes();
    let mut publisher = Publisher { gateway, inventory, published: HashMap::new(), is_away: false };
    let run = async {
        let _ = time::timeout(FIRST_WAIT, publisher.gateway.settled()).await;
        let mut beat_at = Instant::now();
        loop {
            changes.borrow_and_update();
            let is_beat = Instant::now() >= beat_at;
            if publisher.round(is_beat).await {
                if is_beat {
                    beat_at = Instant::now() + BEAT;
                }
                if let Ok(Ok(())) = time::timeout(LOOK, changes.changed()).await {
                    time::sleep(DEBOUNCE).await;
                }
            } else {
                time::sleep(REST).await;
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = run => {}
    }
}

struct Publisher {
    gateway: Gateway,
    inventory: Arc<dyn Inventory>,
    /// Sessions that are out, each with a hash of what was said of it.
    published: HashMap<Option<String>, u64>,
    is_away: bool,
}

impl Publisher {
    /// Publishes what is new, or everything, and withdraws what is over. `false` where the inventory is away.
    async fn round(&mut self, everything: bool) -> bool {
        let done = match self.publish(everything).await {
            Ok(()) => self.withdraw().await,
            Err(error) => Err(error),
        };
        match done {
            Ok(()) if std::mem::take(&mut self.is_away) => tracing::info!("the inventory of tools is published again"),
            Ok(()) => {}
            Err(error) if self.is_away => tracing::debug!(?error, "the inventory of tools cannot be published"),
            Err(error) => {
                tracing::warn!(%error, "the inventory of tools cannot be published; trying again until it can");
                self.is_away = true;
            }
        }
        !self.is_away
    }

    async fn publish(&mut self, everything: bool) -> Result<()> {
        // Sessions with equal servers share a catalogue, and so its list of tools.
        let mut lists = HashMap::new();
        for session in self.gateway.sessions_in_use(IN_USE) {
            let shown = Shown::of(&self.gateway, &session);
            let hash = shown.hash();
            let id = session.id().map(str::to_owned);
            if !everything && self.published.get(&id) == Some(&hash) {
                continue;
            }
            let snapshot = shown.into_snapshot(id.clone(), &mut lists);
            self.inventory.publish(&snapshot).await?;
            self.published.insert(id, hash);
        }
        Ok(())
    }

    async fn withdraw(&mut self) -> Result<()> {
        let is_over = |id: &&String| !self.gateway.has_session(id);
        let over: Vec<String> = self.published.keys().flatten().filter(is_over).cloned().collect();
        for id in over {
            self.inventory.withdraw(&id).await?;
            self.published.remove(&Some(id));
        }
        Ok(())
    }
}

/// What one session shows now.
struct Shown {
    view: Arc<View>,
    healthy: bool,
    servers: Vec<(Arc<ServerSpec>, ServerState)>,
}

/// The tools of each catalogue that a round has met. Each catalogue is held, so that its address stays its own.
type Lists = HashMap<usize, (Arc<Catalogue>, Arc<[ToolEntry]>)>;

impl Shown {
    fn of(gateway: &Gateway, session: &Session) -> Self {
        let view = gateway.view_of(session);
        let healthy = view.servers.iter().all(|server| server.is_in_order());
        let servers = view.servers.iter().map(|server| (Arc::clone(server.spec()), server.state())).collect();
        Self { view, healthy, servers }
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.view.catalogue.content_hash(), self.healthy).hash(&mut hasher);
        for (spec, state) in &self.servers {
            (spec.uuid(), state).hash(&mut hasher);
        }
        hasher.finish()
    }

    fn into_snapshot(self, session_id: Option<String>, lists: &mut Lists) -> InventorySnapshot {
        let catalogue = Arc::clone(&self.view.catalogue);
        let tools_hash = catalogue.content_hash();
        let tools = match lists.entry(Arc::as_ptr(&catalogue).addr()) {
            Entry::Occupied(known) => Arc::clone(&known.get().1),
            Entry::Vacant(vacant) => {
                let tools: Arc<[ToolEntry]> = catalogue.entries(&|_, _| true).into();
                Arc::clone(&vacant.insert((catalogue, tools)).1)
            }
        };
        InventorySnapshot { session_id, healthy: self.healthy, servers: self.servers, tools, tools_hash }
    }
}
