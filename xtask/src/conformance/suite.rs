//! The suite as a child process.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::peers::Peers;
use crate::service::{GLANCE, Interrupt, end_group};

/// Much longer than a run takes.
const LIMIT: Duration = Duration::from_secs(600);

/// A call of the suite, and where it writes.
#[derive(Debug)]
pub struct Suite {
    command: Command,
    folder: PathBuf,
}

impl Suite {
    /// A call whose results go to `folder`, which is emptied.
    pub fn new(peers: &Peers, folder: &Path) -> Result<Self, String> {
        let failed = |error| format!("cannot empty {}: {error}", folder.display());
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(failed)?;
        }
        // What is killed cannot tidy up; so it has its temporary files here.
        let temporary = folder.join("tmp");
        fs::create_dir_all(&temporary).map_err(failed)?;
        let mut command = Command::new(peers.folder.join("bin/mcp-conformance"));
        command.stdin(Stdio::null()).env("TMPDIR", temporary);
        Ok(Self { command, folder: folder.to_owned() })
    }

    /// Its arguments and variables.
    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Where what it prints goes.
    pub fn log(&self) -> PathBuf {
        self.folder.join("suite.log")
    }

    /// Runs it to its end and returns whether it was content. What it started is gone then.
    pub fn run(mut self, interrupt: &mut Interrupt) -> Result<bool, String> {
        let log = self.log();
        let failed = |error: std::io::Error| format!("{}: {error}", log.display());
        let out = File::create(&log).map_err(failed)?;
        let err = out.try_clone().map_err(failed)?;
        self.command.arg("-o").arg(&self.folder).stdout(out).stderr(err).process_group(0);
        let mut child = self.command.spawn().map_err(|error| format!("the suite did not start: {error}"))?;
        let deadline = Instant::now() + LIMIT;
        let ended = loop {
            match child.try_wait() {
                Err(error) => break Err(format!("no word of the suite: {error}")),
                Ok(Some(status)) => break Ok(status.success()),
                Ok(None) if interrupt.came() => break Err("interrupted".to_owned()),
                Ok(None) if Instant::now() >= deadline => {
                    break Err(format!("the suite did not end within {} s, see {}", LIMIT.as_secs(), log.display()));
                }
                Ok(None) => thread::sleep(GLANCE),
            }
        };
        end_group(&mut child);
        ended
    }
}
