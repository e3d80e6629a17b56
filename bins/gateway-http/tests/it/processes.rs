//! What the kernel says of processes: their children, their memory, whether they are there at all.

use std::fs;
use std::time::{Duration, Instant};

use crate::gateway::LONG;

/// A process and what it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) id: u32,
    pub(crate) command: String,
}

impl Process {
    /// Whether it is still there; a zombie is not. Another process of the same number is not it, either.
    fn is_there(&self) -> bool {
        let Some(stat) = stat_of(self.id) else { return false };
        !matches!(stat.state, 'Z' | 'X') && command_of(self.id) == self.command
    }
}

struct Stat {
    state: char,
    parent: u32,
}

/// All processes below `id`, with those that a shell started.
pub(crate) fn descendants(id: u32) -> Vec<Process> {
    let all: Vec<(u32, Stat)> = ids().filter_map(|id| Some((id, stat_of(id)?))).collect();
    let mut found = vec![id];
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(all.iter().filter(|(_, stat)| stat.parent == parent).map(|(id, _)| *id));
        at += 1;
    }
    found[1..].iter().map(|&id| Process { id, command: command_of(id) }).collect()
}

/// Those below `id` that run `program`.
pub(crate) fn descendants_running(id: u32, program: &str) -> Vec<Process> {
    let mut found = descendants(id);
    found.retain(|process| process.command.contains(program) && process.is_there());
    found
}

/// All processes of the machine that have `mark` in their command line.
pub(crate) fn with_mark(mark: &str) -> Vec<Process> {
    let all = ids().map(|id| Process { id, command: command_of(id) });
    all.filter(|process| process.command.contains(mark) && process.is_there()).collect()
}

fn ids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Waits until all are gone.
#[track_caller]
pub(crate) fn assert_gone(processes: &[Process]) {
    let end = Instant::now() + LONG;
    loop {
        let left: Vec<_> = processes.iter().filter(|process| process.is_there()).collect();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "these still live: {left:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The memory that a process holds, in KiB.
pub(crate) fn resident_kib(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("the process lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
}

fn stat_of(id: u32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // `pid (name) state parent ...`, where the name may hold anything.
    let mut fields = stat.rsplit(')').next()?.split_ascii_whitespace();
    Some(Stat { state: fields.next()?.chars().next()?, parent: fields.next()?.parse().ok()? })
}

fn command_of(id: u32) -> String {
    let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ").trim_end().to_owned()
}
