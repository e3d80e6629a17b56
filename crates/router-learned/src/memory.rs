//! The tools that are remembered.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use gateway_core::{Feedback, Result, ToolUse};
use rustc_hash::FxHashMap;

use crate::config::MemoryConfig;
use crate::file::{self, Remembered};
use crate::lift;
use crate::spread::Spread;
use crate::terms::Key;
use crate::tool::{Asked, Use, Uses};

/// Tools are spread over so many locks, so that a use waits for no search, and a search for hardly any use.
const SHARDS: usize = 64;

/// Remembers which tools were run after which searches.
///
/// No query is kept, only hashes of its words under a random key of this memory, at most 32 of them, with the day and
/// a hash of the caller's name. In a file, the key lies beside them: who may read the file can test guesses.
pub struct Memory {
    config: MemoryConfig,
    key: Key,
    spread: Spread,
    shards: [RwLock<FxHashMap<u64, Uses>>; SHARDS],
    file: Option<PathBuf>,
    /// Whether something has changed since it was saved.
    changed: AtomicBool,
    /// Held while it is saved.
    saving: Mutex<()>,
}

impl Memory {
    /// One that ends with the process.
    pub fn new(config: MemoryConfig) -> Self {
        Self::with_key(config, Key::random(), None)
    }

    /// The one that is kept in the file `path`, which is made where there is none, with its directory. Both are for
    /// their owner only. Reads the whole file.
    ///
    /// # Errors
    /// Where the file cannot be read or made, is damaged, or was written by a newer version. Nothing is overwritten
    /// then. The message reads after "failed to".
    pub fn open(path: impl Into<PathBuf>, config: MemoryConfig) -> Result<Self> {
        let path = path.into();
        let Some(Remembered { key, tools }) = file::read(&path)? else {
            let memory = Self::with_key(config, Key::random(), Some(path));
            // A directory that cannot be written is better found out now than at the end.
            memory.changed.store(true, Ordering::Relaxed);
            memory.save()?;
            return Ok(memory);
        };
        let memory = Self::with_key(config, key, Some(path));
        for (tool, uses) in tools {
            for known in uses.0 {
                memory.add(tool, known);
            }
        }
        memory.changed.store(false, Ordering::Relaxed);
        Ok(memory)
    }

    fn with_key(config: MemoryConfig, key: Key, file: Option<PathBuf>) -> Self {
        Self {
            config,
            key,
            spread: Spread::new(),
            shards: std::array::from_fn(|_| RwLock::default()),
            file,
            changed: AtomicBool::new(false),
            saving: Mutex::new(()),
        }
    }

    /// Writes it to its file, if anything has changed since: as a whole, and with the old file there until the new
    /// one is complete. `false` where there was nothing to do. Blocks its thread for as long as that takes; searches
    /// and uses go on meanwhile.
    ///
    /// # Errors
    /// Where the file cannot be written; the next attempt writes everything. The message reads after "failed to".
    pub fn save(&self) -> Result<bool> {
        let Some(path) = &self.file else { return Ok(false) };
        let _one_at_a_time = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.changed.swap(false, Ordering::AcqRel) {
            return Ok(false);
        }
        let mut tools = Vec::new();
        for shard in &self.shards {
            tools.extend(read(shard).iter().map(|(tool, uses)| (*tool, uses.clone())));
        }
        file::write(path, &Remembered { key: self.key, tools })
            .inspect_err(|_| self.changed.store(true, Ordering::Release))?;
        Ok(true)
    }

    /// How many tools are remembered.
    pub fn tools(&self) -> usize {
        self.shards.iter().map(|shard| read(shard).len()).sum()
    }

    /// Whether nothing is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        self.spread.queries() == 0
    }

    /// What is to be added to the score of each of `tools` (server and name) for a query, in log-odds.
    pub(crate) fn lifts<'a>(&self, query: &str, tools: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<f32> {
        let terms = self.key.terms(query);
        let asked = Asked::new(&terms, &self.spread, today(), self.config.half_life_days);
        let evidence: Vec<_> = tools
            .map(|(server, name)| {
                let tool = self.key.tool(server, name);
                read(self.shard(tool)).get(&tool)?.evidence(&asked)
            })
            .collect();
        lift::lifts(&evidence)
    }

    /// Remembers one use of a tool.
    fn add(&self, tool: u64, new: Use) {
        let most = self.config.max_tools.div_ceil(SHARDS).max(1);
        let mut shard = write(self.shard(tool));
        if shard.len() >= most && !shard.contains_key(&tool) {
            let last_use = |uses: &Uses| uses.0.last().map(|known| known.day);
            let oldest = shard.iter().min_by_key(|(_, uses)| last_use(uses)).map(|(tool, _)| *tool);
            for known in oldest.and_then(|oldest| shard.remove(&oldest)).into_iter().flat_map(|uses| uses.0) {
                self.spread.remove(&known.terms);
            }
        }
        self.spread.add(&new.terms);
        if let Some(displaced) = shard.entry(tool).or_default().add(new, self.config.max_uses.max(1)) {
            self.spread.remove(&displaced.terms);
        }
        self.changed.store(true, Ordering::Release);
    }

    fn shard(&self, tool: u64) -> &RwLock<FxHashMap<u64, Uses>> {
        &self.shards[tool as usize % SHARDS]
    }
}

impl Feedback for Memory {
    fn used(&self, used: &ToolUse<'_>) {
        let terms = self.key.terms(used.query);
        if terms.is_empty() {
            return;
        }
        let tool = self.key.tool(used.server, used.tool);
        let day = today();
        let asked = Asked::new(&terms, &self.spread, day, self.config.half_life_days);
        let known = read(self.shard(tool)).get(&tool).and_then(|uses| uses.evidence(&asked));
        let needed = lift::needed(lift::uncontested(known), used.score, used.rival);
        let principal = self.key.principal(used.principal);
        self.add(tool, Use { terms: terms.into(), principal, day, needed });
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("config", &self.config)
            .field("uses", &self.spread.queries())
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// In days since 1970.
fn today() -> u32 {
    const DAY_SECONDS: u64 = 24 * 60 * 60;
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs() / DAY_SECONDS).unwrap_or(u32::MAX)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    // A shard is whole whenever its lock is free, even after a panic elsewhere.
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(memory: &Memory, principal: &str, query: &str, tool: &str) {
        memory.used(&ToolUse { principal, query, server: "s", tool, score: 0.3, rival: Some(0.6) });
    }

    #[test]
    fn its_size_is_bounded() {
        let memory = Memory::new(MemoryConfig { max_tools: 640, max_uses: 2, ..MemoryConfig::default() });
        for n in 0..5_000 {
            for query in ["one", "two", "three"] {
                used(&memory, "p", query, &n.to_string());
            }
        }
        assert!((600..=640).contains(&memory.tools()), "{}", memory.tools());
        assert_eq!(memory.spread.queries() as usize, 2 * memory.tools(), "what is displaced is no longer counted");
    }

    #[test]
    fn a_query_without_words_is_nothing() {
        let memory = Memory::new(MemoryConfig::default());
        used(&memory, "p", "what is 17?", "t");
        assert!(memory.is_empty() && memory.tools() == 0);
    }

    #[test]
    fn doing_the_same_again_changes_nothing() {
        let memory = Memory::new(MemoryConfig::default());
        let lift = || memory.lifts("weather in Rome", [("s", "t")].into_iter())[0];
        used(&memory, "p", "weather in Rome", "t");
        let once = lift();
        assert!(once > 0.0);
        for _ in 0..1_000 {
            // It goes on being found behind another one, as where the lift does not suffice.
            used(&memory, "p", "weather in Rome", "t");
        }
        assert_eq!(memory.spread.queries(), 1);
        assert!(lift() <= lift::MOST);
    }

    #[test]
    fn it_shows_no_secret() {
        let memory = Memory::new(MemoryConfig::default());
        used(&memory, "p", "a secret", "t");
        let shown = format!("{memory:?} {:?}", memory.key);
        assert!(!shown.contains("secret") && shown.contains("***"), "{shown}");
    }
}
