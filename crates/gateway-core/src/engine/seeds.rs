//! Tools that are known before their servers have told them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::{KnownTool, RawJson, ServerSpec, ServerTools};

/// What servers had before this process began, until each has told its tools itself.
#[derive(Debug, Default)]
pub(super) struct Seeds(Mutex<HashMap<Uuid, Seed>>);

#[derive(Debug)]
enum Seed {
    /// As they were handed in; nobody has asked for them.
    Declared(Vec<RawJson>),
    Read(Arc<ServerTools>),
}

impl Seeds {
    pub(super) fn new(tools: Vec<KnownTool>) -> Self {
        let mut seeds: HashMap<Uuid, Vec<RawJson>> = HashMap::new();
        for tool in tools {
            seeds.entry(tool.server_uuid).or_default().push(tool.declaration);
        }
        Self(Mutex::new(seeds.into_iter().map(|(uuid, declared)| (uuid, Seed::Declared(declared))).collect()))
    }

    /// The tools of a server that has not told them yet; one list for all who ask.
    pub(super) fn of(&self, spec: &ServerSpec) -> Option<Arc<ServerTools>> {
        let mut seeds = self.lock();
        let seed = seeds.get_mut(&spec.uuid())?;
        if let Seed::Declared(declared) = seed {
            *seed = Seed::Read(Arc::new(ServerTools::new(spec.name(), "", std::mem::take(declared))));
        }
        match seed {
            Seed::Read(tools) => Some(Arc::clone(tools)),
            Seed::Declared(_) => None,
        }
    }

    /// The server has told its tools, which count from now on.
    pub(super) fn forget(&self, spec: &ServerSpec) {
        self.lock().remove(&spec.uuid());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Seed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
