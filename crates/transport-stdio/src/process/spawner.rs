//! The one thread that forks.
//!
//! The parent-death signal is sent when the *thread* that forked ends, not the process. Worker
//! threads of a runtime come and go, so children are forked by a thread that lives as long as the
//! process. It also reaps what was left to it.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, getpid, getppid};
use tokio::sync::oneshot;

use super::Group;
use super::guard::{GUARD, GuardPipe, enlist_myself};

/// How often killed leaders are looked after until they can be reaped.
const REAP_INTERVAL: Duration = Duration::from_millis(20);

/// The way to the thread; it starts with the first job.
static JOBS: Mutex<Option<Sender<Job>>> = Mutex::new(None);

enum Job {
    Spawn(Box<Command>, oneshot::Sender<io::Result<Group>>),
    Reap(Child),
}

/// Starts `command` as the leader of a new process group that ends with this process.
///
/// Once this has been called, dropping the future does not keep the program from starting, but it is
/// killed at once.
pub(crate) async fn spawn(command: Command) -> io::Result<Group> {
    let (reply, answer) = oneshot::channel();
    submit(Job::Spawn(Box::new(command), reply))?;
    answer.await.map_err(|_| io::Error::other("the thread that starts programs is gone"))?
}

/// Reaps a leader that has been killed, as soon as it is dead.
pub(super) fn reap(child: Child) {
    // Without the thread the zombie stays until the gateway ends; there is nothing better to do.
    let _ = submit(Job::Reap(child));
}

fn submit(job: Job) -> io::Result<()> {
    let mut jobs = JOBS.lock().unwrap_or_else(PoisonError::into_inner);
    if jobs.is_none() {
        let (sender, receiver) = mpsc::channel();
        std::thread::Builder::new().name("spawner".into()).spawn(move || work(&receiver))?;
        *jobs = Some(sender);
    }
    let sender = jobs.as_ref().expect("was just set");
    sender.send(job).map_err(|_| io::Error::other("the thread that starts programs is gone"))
}

fn work(jobs: &Receiver<Job>) {
    let mut dying: Vec<Child> = Vec::new();
    loop {
        let job = if dying.is_empty() {
            jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            jobs.recv_timeout(REAP_INTERVAL)
        };
        match job {
            // Where nobody waits any more, the group comes back in the error and its end with it.
            Ok(Job::Spawn(command, reply)) => drop(reply.send(start(*command))),
            Ok(Job::Reap(child)) => dying.push(child),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        dying.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }
}

fn start(mut command: Command) -> io::Result<Group> {
    let pipe = GUARD.pipe();
    prepare(&mut command, pipe.clone());
    match command.spawn() {
        Ok(child) => {
            let group = Group::new(child);
            GUARD.enlisted(group.pid(), pipe.as_ref());
            Ok(group)
        }
        Err(error) => {
            if error.kind() == io::ErrorKind::BrokenPipe {
                GUARD.restart();
            } else {
                GUARD.prune();
            }
            Err(error)
        }
    }
}

/// What a child does between fork and exec.
#[expect(unsafe_code, reason = "the parent-death signal takes calls between fork and exec")]
fn prepare(command: &mut Command, pipe: Option<GuardPipe>) {
    let parent = getpid();
    command.process_group(0);
    // SAFETY: `die_with` and `enlist_myself` make system calls only; nothing is allocated and no lock
    // is taken.
    unsafe {
        command.pre_exec(move || {
            die_with(parent)?;
            // From here on the group is known, so a gateway killed before the next line of its own
            // leaves nothing behind either.
            match &pipe {
                Some(pipe) => enlist_myself(pipe).map_err(|_| rustix::io::Errno::PIPE.into()),
                None => Ok(()),
            }
        });
    }
}

fn die_with(parent: Pid) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // A parent that died before the line above sends no signal.
    if getppid() == Some(parent) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
}
