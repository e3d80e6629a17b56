//! The guard: one small process that outlives the gateway by a moment and ends its children.
//!
//! The parent-death signal reaches only the leader of a group, never the helpers that it started. So
//! a shell in a session of its own reads the numbers of the groups from a pipe. When the gateway
//! ends, however it ends, the kernel closes the pipe and the guard kills the groups that are left.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::Pid;

/// The guard of this process.
pub(super) static GUARD: Guard = Guard::new();

/// `+ N` adds a group, `- N` removes it, `?` forgets those that do not exist any more. `kill` is written
/// in the one way that dash, bash and busybox all take.
const SCRIPT: &str = r#"
trap '' INT TERM HUP QUIT
groups=' '
forget() { groups=${groups%%" $1 "*}" "${groups#*" $1 "}; }
while read -r verb group; do
    case $verb in
        +) groups="$groups$group " ;;
        -) case $groups in *" $group "*) forget "$group" ;; esac ;;
        '?') for group in $groups; do kill -0 "-$group" || forget "$group"; done ;;
    esac
done
for group in $groups; do kill -9 "-$group"; done
"#;

/// Longest line that is written to the guard: a sign, a space, a number, a line end.
const MAX_LINE: usize = 16;

/// Where a child enlists itself.
pub(super) type GuardPipe = Arc<File>;

pub(super) struct Guard(Mutex<State>);

struct State {
    shell: Option<Shell>,
    groups: BTreeSet<i32>,
    warned: bool,
}

struct Shell {
    process: Child,
    pipe: GuardPipe,
}

impl Guard {
    const fn new() -> Self {
        Self(Mutex::new(State { shell: None, groups: BTreeSet::new(), warned: false }))
    }

    /// The pipe of a guard that is alive; `None` where none can be started (an image without a
    /// shell), which is logged once.
    pub(super) fn pipe(&self) -> Option<GuardPipe> {
        let mut state = self.lock();
        let alive = state.shell.as_mut().is_some_and(Shell::is_alive);
        if !alive {
            state.restart();
        }
        state.shell.as_ref().map(|shell| shell.pipe.clone())
    }

    /// Replaces a guard that does not take lines any more.
    pub(super) fn restart(&self) {
        self.lock().restart();
    }

    /// Remembers a group that has enlisted itself through `pipe`.
    pub(super) fn enlisted(&self, group: Pid, pipe: Option<&GuardPipe>) {
        let group = group.as_raw_nonzero().get();
        let mut state = self.lock();
        state.groups.insert(group);
        // The guard may have been replaced while the child was being started.
        let current = state.shell.as_ref().map(|shell| &shell.pipe);
        let known = match (current, pipe) {
            (Some(current), Some(pipe)) => Arc::ptr_eq(current, pipe),
            (current, _) => current.is_none(),
        };
        if !known {
            state.tell(b'+', group);
        }
    }

    /// Forgets a group. Call it while the number cannot belong to others: before its leader is reaped.
    pub(super) fn dismiss(&self, group: Pid) {
        let group = group.as_raw_nonzero().get();
        let mut state = self.lock();
        if state.groups.remove(&group) {
            state.tell(b'-', group);
        }
    }

    /// Forgets a child that enlisted itself and then could not become the program it should.
    pub(super) fn prune(&self) {
        self.lock().write(b"?\n");
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell(&mut self, verb: u8, group: i32) {
        let mut line = [0; MAX_LINE];
        let line = write_line(&mut line, verb, group);
        self.write(line);
    }

    fn write(&mut self, line: &[u8]) {
        let Some(shell) = &self.shell else { return };
        if (&*shell.pipe).write_all(line).is_err() {
            self.restart();
        }
    }

    fn restart(&mut self) {
        if let Some(mut old) = self.shell.take() {
            // It must be dead before its pipe is closed, or it would take that for the gateway's end.
            let _ = old.process.kill();
            let _ = old.process.wait();
        }
        match Shell::start(&self.groups) {
            Ok(shell) => self.shell = Some(shell),
            Err(error) => {
                if !std::mem::replace(&mut self.warned, true) {
                    tracing::warn!(
                        %error,
                        "no guard process: helpers of servers may survive a gateway that is killed"
                    );
                }
            }
        }
    }
}

impl Shell {
    #[expect(unsafe_code, reason = "a session of its own takes a call between fork and exec")]
    fn start(groups: &BTreeSet<i32>) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SCRIPT, "mcp-gateway-guard"])
            .env_clear()
            .current_dir("/")
            .stdin(reader)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // SAFETY: `setsid` is one system call; nothing is allocated and no lock is taken.
        unsafe {
            command.pre_exec(|| rustix::process::setsid().map(drop).map_err(io::Error::from));
        }
        let process = command.spawn()?;
        let mut known = Vec::with_capacity(groups.len() * MAX_LINE);
        for group in groups {
            known.extend_from_slice(write_line(&mut [0; MAX_LINE], b'+', *group));
        }
        let pipe = File::from(std::os::fd::OwnedFd::from(writer));
        (&pipe).write_all(&known)?;
        // A guard that somebody has stopped must not stop us.
        rustix::io::ioctl_fionbio(pipe.as_fd(), true)?;
        Ok(Self { process, pipe: Arc::new(pipe) })
    }

    fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }
}

/// Enlists the calling process. For use between fork and exec: allocates nothing, takes no lock.
pub(super) fn enlist_myself(mut pipe: &File) -> io::Result<()> {
    let myself = rustix::process::getpid().as_raw_nonzero().get();
    let mut line = [0; MAX_LINE];
    // As short as it is, the line is written whole or not at all (PIPE_BUF).
    pipe.write(write_line(&mut line, b'+', myself)).map(drop)
}

fn write_line(line: &mut [u8; MAX_LINE], verb: u8, group: i32) -> &[u8] {
    let mut start = MAX_LINE - 1;
    line[start] = b'\n';
    let mut rest = group.unsigned_abs();
    loop {
        start -= 1;
        line[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    line[start - 1] = b' ';
    line[start - 2] = verb;
    &line[start - 2..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_written_without_memory() {
        let check = |verb: u8, group: i32, expected: &str| {
            assert_eq!(write_line(&mut [0; MAX_LINE], verb, group), expected.as_bytes());
        };
        check(b'+', 7, "+ 7\n");
        check(b'-', i32::MAX, "- 2147483647\n");
    }

    #[test]
    fn kills_what_is_left_and_nothing_else() {
        let sleeper = || Command::new("sleep").arg("600").process_group(0).spawn().expect("sleep starts");
        let (mut kept, mut removed, mut late) = (sleeper(), sleeper(), sleeper());
        let id = |child: &Child| i32::try_from(child.id()).expect("a pid");
        let mut gone = Command::new("true").process_group(0).spawn().expect("true starts");
        gone.wait().expect("it ends");

        let groups = BTreeSet::from([id(&kept), id(&removed), id(&gone)]);
        let mut shell = Shell::start(&groups).expect("sh starts");
        assert!(shell.is_alive());
        let say = |verb, group| {
            let mut line = [0; MAX_LINE];
            (&*shell.pipe).write_all(write_line(&mut line, verb, group)).expect("it reads");
        };
        say(b'-', id(&removed));
        say(b'-', 999_999_999);
        (&*shell.pipe).write_all(b"?\n").expect("it reads");
        say(b'+', id(&late));
        drop(shell.pipe);

        shell.process.wait().expect("it ends by itself");
        for child in [&mut kept, &mut late] {
            let status = child.wait().expect("killed");
            assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
        }
        assert!(removed.try_wait().expect("alive").is_none());
        removed.kill().expect("ours");
        removed.wait().expect("killed");
    }

    #[test]
    fn a_guard_that_was_killed_is_replaced_and_knows_the_groups() {
        let guard = Guard::new();
        let first = guard.pipe().expect("sh starts");
        let mut child = Command::new("sleep").arg("600").process_group(0).spawn().expect("sleep starts");
        let pid = Pid::from_child(&child);
        guard.enlisted(pid, Some(&first));
        {
            let mut state = guard.lock();
            let shell = state.shell.as_mut().expect("running");
            shell.process.kill().expect("ours");
            shell.process.wait().expect("killed");
        }
        let second = guard.pipe().expect("sh starts again");
        assert!(!Arc::ptr_eq(&first, &second));
        drop((first, second));
        let shell = guard.lock().shell.take().expect("running");
        let mut process = shell.process;
        drop(shell.pipe);
        process.wait().expect("ends by itself");
        let status = child.wait().expect("killed");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    }
}
