//! Room for open files: every connection and every pipe of a child process is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Settings;

/// No more than systemd gives its services: some programs close every file that they could have open, one by one,
/// and child processes inherit the limit.
const ENOUGH: u64 = 524_288;

/// Three pipes and what their guard and their reading cost, rounded up.
const PER_PROCESS: u64 = 8;

/// Listeners, logs, upstream connections and the like.
const RESERVE: u64 = 256;

/// Raises the limit of this process as far as it may, and tells the log where that is too little for the settings.
pub(crate) fn raise_open_files_limit(settings: &Settings) {
    let limit = getrlimit(Resource::Nofile);
    let raised = target(limit);
    let mut current = limit.current.unwrap_or(u64::MAX);
    if raised > current {
        match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: limit.maximum }) {
            Ok(()) => {
                tracing::debug!(from = current, to = raised, "more open files allowed");
                current = raised;
            }
            Err(error) => tracing::debug!(%error, "the limit of open files stays"),
        }
    }
    let needed = needed(settings.server.max_connections, settings.engine.max_processes);
    if current < needed {
        tracing::warn!(
            "only {current} open files are allowed, and {needed} may be needed: raise the limit (ulimit -Hn, \
             LimitNOFILE), or lower server.max_connections or sessions.max_processes"
        );
    }
}

/// The hard limit, or what is enough, whichever is less.
fn target(limit: Rlimit) -> u64 {
    limit.maximum.unwrap_or(u64::MAX).min(ENOUGH)
}

fn needed(connections: usize, processes: usize) -> u64 {
    RESERVE + connections as u64 + PER_PROCESS * processes as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_beyond_the_hard_limit_or_what_is_enough() {
        let check = |maximum, expected| assert_eq!(target(Rlimit { current: Some(1024), maximum }), expected);
        check(Some(4096), 4096);
        check(Some(1 << 30), ENOUGH);
        check(None, ENOUGH);
    }

    #[test]
    fn the_defaults_need_little() {
        assert_eq!(needed(4096, 256), 6400);
    }
}
