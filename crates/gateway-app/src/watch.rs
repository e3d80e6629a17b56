//! Follows the servers file.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway_core::ServerSpec;
use notify::{Config, Event, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::{task, time};

use crate::config::{Mistake, Mistakes};
use crate::servers_file::{ServerList, ServersFile};

/// How long to wait after the first sign of a change: an editor writes, renames and touches in one go.
const SETTLE: Duration = Duration::from_millis(200);

/// How often to look where the operating system tells nothing.
const POLL_EVERY: Duration = Duration::from_secs(2);

/// Follows the servers file for as long as it lives.
pub struct Watch {
    file: ServersFile,
    /// What counts now.
    current: ServerList,
    /// What was wrong at the last reading, to say everything once only.
    told: Vec<Mistake>,
    changes: mpsc::Receiver<()>,
    /// Ends the watching when dropped.
    _watcher: Box<dyn Watcher + Send>,
}

impl Watch {
    /// Watches the directories where `file` is or may appear. `current` is what it said last.
    ///
    /// Directories, not the file: editors put a new file in the place of the old one, and a watch on the
    /// file would stay with the old one.
    ///
    /// # Errors
    /// Where the operating system can watch none of them.
    pub fn new(file: ServersFile, current: ServerList) -> notify::Result<Self> {
        let (directories, names) = places(&file);
        let (sender, changes) = mpsc::channel(1);
        // The file may have changed between `current` and the first watch: the first look is free.
        let _ = sender.try_send(());
        let tell = move |event: notify::Result<Event>| {
            let matters = match &event {
                Ok(event) => !event.kind.is_access() && event.paths.iter().any(|path| concerns(path, &names)),
                // Something was missed: better look.
                Err(_) => true,
            };
            if matters {
                // Where one is waiting already, it will do.
                let _ = sender.try_send(());
            }
        };
        let watcher = start(&directories, tell)?;
        let told = current.mistakes().0;
        Ok(Self { file, current, told, changes, _watcher: watcher })
    }

    /// The servers after the next change of the file that makes them others. Cancelling loses nothing for good:
    /// the next change brings along what was missed.
    ///
    /// An entry that is broken keeps the server that it was before, and a broken file all of them; the log
    /// says why. A file that is gone keeps all of them, too.
    pub async fn next(&mut self) -> Option<Vec<ServerSpec>> {
        loop {
            self.changes.recv().await?;
            time::sleep(SETTLE).await;
            let _ = self.changes.try_recv();
            let file = self.file.clone();
            // Not here: a file system that hangs must not hold up whoever shares this task.
            let Ok(read) = task::spawn_blocking(move || file.read()).await else { continue };
            if let Some(servers) = self.compare(read) {
                return Some(servers);
            }
        }
    }

    fn compare(&mut self, read: Result<ServerList, Mistakes>) -> Option<Vec<ServerSpec>> {
        let list = match read {
            Ok(list) if list.path.is_none() => {
                let gone = self.current.path.as_ref().map(|path| {
                    let problem = format!("{} is gone; put it back", path.display());
                    Mistake::new("the servers file", problem)
                });
                self.tell(gone.into_iter().collect());
                return None;
            }
            Ok(list) => list,
            Err(Mistakes(mistakes)) => {
                self.tell(mistakes);
                return None;
            }
        };
        self.tell(list.mistakes().0);
        let list = keep_broken(list, &self.current);
        let changed = list.servers != self.current.servers;
        self.current = list;
        changed.then(|| self.current.servers.clone())
    }

    fn tell(&mut self, mistakes: Vec<Mistake>) {
        for mistake in mistakes.iter().filter(|mistake| !self.told.contains(mistake)) {
            tracing::error!("{mistake}; what was there before stays");
        }
        self.told = mistakes;
    }
}

/// `new`, with the servers of `old` in the place of entries that are broken.
fn keep_broken(mut new: ServerList, old: &ServerList) -> ServerList {
    let old: HashMap<_, _> = old.servers.iter().map(|server| (server.name(), server)).collect();
    for (name, _) in &new.refused {
        if let Some(server) = old.get(name.as_str())
            && !new.servers.iter().any(|other| other.name() == server.name())
        {
            new.servers.push((*server).clone());
        }
    }
    new
}

/// The directories to watch and the file names that matter there, those behind symbolic links included.
fn places(file: &ServersFile) -> (BTreeSet<PathBuf>, BTreeSet<OsString>) {
    let mut paths = file.candidates();
    let targets: Vec<_> = paths.iter().filter_map(|path| path.canonicalize().ok()).collect();
    paths.extend(targets);
    let parent = |path: &PathBuf| path.parent().filter(|parent| parent.is_dir()).map(Path::to_path_buf);
    let directories = paths.iter().filter_map(parent).collect();
    let names = paths.iter().filter_map(|path| path.file_name().map(Into::into)).collect();
    (directories, names)
}

/// Kubernetes swaps the link `..data` and leaves the files' own names alone.
fn concerns(path: &Path, names: &BTreeSet<OsString>) -> bool {
    path.file_name().is_none_or(|name| names.contains(name) || name.to_string_lossy().starts_with(".."))
}

fn start(
    directories: &BTreeSet<PathBuf>,
    tell: impl FnMut(notify::Result<Event>) + Clone + Send + 'static,
) -> notify::Result<Box<dyn Watcher + Send>> {
    let told: notify::Result<Box<dyn Watcher + Send>> = RecommendedWatcher::new(tell.clone(), Config::default())
        .map(|watcher| Box::new(watcher) as _)
        .and_then(|watcher| watch_all(watcher, directories));
    // Out of watches, or a file system without them.
    told.or_else(|error| {
        tracing::debug!(%error, "watching the servers file by looking at it");
        let config = Config::default().with_poll_interval(POLL_EVERY).with_compare_contents(true);
        watch_all(Box::new(PollWatcher::new(tell, config)?), directories)
    })
}

fn watch_all(
    mut watcher: Box<dyn Watcher + Send>,
    directories: &BTreeSet<PathBuf>,
) -> notify::Result<Box<dyn Watcher + Send>> {
    for directory in directories {
        watcher.watch(directory, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}
