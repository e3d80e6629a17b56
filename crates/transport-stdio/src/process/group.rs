//! One server's process group.

use std::fmt;
use std::io;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process_group, test_kill_process_group, waitid, waitpgid,
};
use tokio::time::{Instant, sleep};

use super::guard::GUARD;
use super::spawner;

/// How long a killed group may take to be gone; only a process in an uninterruptible system call
/// takes longer.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// How often a process is looked at where the kernel cannot tell its end.
const EXIT_INTERVAL: Duration = Duration::from_millis(20);

/// A process group that this process started. Its leader is a zombie at least until
/// [`finish`](Self::finish), so its number can belong to nobody else and signals are safe to send.
///
/// Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Group {
    /// `None` when it has been reaped.
    leader: Option<Child>,
    pid: Pid,
}

/// How a leader ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// By itself, with this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
    /// Somebody else has reaped it.
    Unknown,
}

impl Group {
    /// Takes over the leader of a group.
    pub(super) fn new(leader: Child) -> Self {
        let pid = Pid::from_child(&leader);
        Self { leader: Some(leader), pid }
    }

    /// The leader's number, which is the group's.
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// The leader's number, which is the group's.
    pub(crate) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The pipes to the leader; each can be taken once.
    pub(crate) fn take_pipes(&mut self) -> Option<(ChildStdin, ChildStdout, ChildStderr)> {
        let leader = self.leader.as_mut()?;
        Some((leader.stdin.take()?, leader.stdout.take()?, leader.stderr.take()?))
    }

    /// How the leader ended; `None` while it runs. Does not reap it.
    pub(crate) fn exit(&self) -> Option<Exit> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.pid), options) {
            Ok(Some(status)) => Some(match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Status(code),
                (None, Some(signal)) => Exit::Signal(signal),
                (None, None) => Exit::Unknown,
            }),
            Ok(None) | Err(Errno::INTR) => None,
            Err(_) => Some(Exit::Unknown),
        }
    }

    /// Waits until the leader has ended. Does not reap it.
    pub(crate) async fn exited(&self) -> Exit {
        #[cfg(target_os = "linux")]
        if let Ok(exit) = self.exited_by_descriptor().await {
            return exit;
        }
        loop {
            if let Some(exit) = self.exit() {
                return exit;
            }
            sleep(EXIT_INTERVAL).await;
        }
    }

    /// Waits by a process descriptor, which old kernels and some sandboxes lack.
    #[cfg(target_os = "linux")]
    #[expect(deprecated, reason = "its successor is unsafe for types that an `OwnedFd` is not")]
    async fn exited_by_descriptor(&self) -> io::Result<Exit> {
        use rustix::process::{PidfdFlags, pidfd_open};
        use tokio::io::Interest;
        use tokio::io::unix::AsyncFd;

        let descriptor = pidfd_open(self.pid, PidfdFlags::empty())?;
        let descriptor = AsyncFd::with_interest(descriptor, Interest::READABLE)?;
        loop {
            if let Some(exit) = self.exit() {
                return Ok(exit);
            }
            descriptor.readable().await?.clear_ready();
        }
    }

    /// Asks every process of the group to end.
    pub(crate) fn terminate(&self) {
        // ESRCH: all are gone. EPERM: it has become somebody else's (a set-user-id program).
        let _ = kill_process_group(self.pid, Signal::TERM);
    }

    /// Kills every process of the group, reaps the leader and waits until the group is empty.
    pub(crate) async fn finish(mut self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
        if tokio::time::timeout(KILL_PATIENCE, self.exited()).await.is_err() {
            tracing::warn!(pid = self.id(), "a killed server does not end; left to the reaper");
            return;
        }
        let Some(mut leader) = self.leader.take() else { return };
        // All members are killed, and the number is still ours.
        GUARD.dismiss(self.pid);
        let _ = leader.wait();
        self.emptied().await;
    }

    /// Waits until no member is left. Sends no signal, since the number may become another's.
    async fn emptied(&self) {
        let deadline = Instant::now() + KILL_PATIENCE;
        let mut pause = Duration::from_millis(1);
        loop {
            // Orphans come to us where we are process 1, and nobody else would reap them.
            while let Ok(Some(_)) = waitpgid(self.pid, WaitOptions::NOHANG) {}
            if test_kill_process_group(self.pid) == Err(Errno::SRCH) {
                return;
            }
            // Elsewhere process 1 reaps them, and may take its time or never do it.
            if pause > EXIT_INTERVAL && all_dead(self.pid) {
                return;
            }
            if Instant::now() >= deadline {
                tracing::warn!(group = self.id(), "a killed process group does not become empty");
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(10 * EXIT_INTERVAL);
        }
    }
}

/// Whether all members of a group are zombies.
fn all_dead(group: Pid) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    let group = group.to_string();
    processes.flatten().all(|process| {
        let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else { return true };
        // `pid (name) state parent group …`, where the name may hold anything.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
        let state = fields.next();
        fields.nth(1) != Some(group.as_str()) || matches!(state, Some("Z" | "X"))
    })
}

impl Drop for Group {
    /// The net beneath [`finish`](Self::finish), for a runtime that is dropped with its tasks.
    fn drop(&mut self) {
        if let Some(leader) = self.leader.take() {
            let _ = kill_process_group(self.pid, Signal::KILL);
            GUARD.dismiss(self.pid);
            spawner::reap(leader);
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(code) => write!(f, "ended with exit status {code}"),
            Self::Signal(signal) => {
                write!(f, "was ended by signal {signal}")?;
                signal_name(*signal).map_or(Ok(()), |name| write!(f, " ({name})"))
            }
            Self::Unknown => f.write_str("ended"),
        }
    }
}

/// The names of the signals that end programs most.
fn signal_name(number: i32) -> Option<&'static str> {
    Some(match Signal::from_named_raw(number)? {
        Signal::HUP => "SIGHUP",
        Signal::INT => "SIGINT",
        Signal::QUIT => "SIGQUIT",
        Signal::ILL => "SIGILL",
        Signal::ABORT => "SIGABRT",
        Signal::BUS => "SIGBUS",
        Signal::FPE => "SIGFPE",
        Signal::KILL => "SIGKILL",
        Signal::SEGV => "SIGSEGV",
        Signal::PIPE => "SIGPIPE",
        Signal::TERM => "SIGTERM",
        _ => return None,
    })
}
