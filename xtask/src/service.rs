//! Programs that serve until they are told to end.

use std::collections::VecDeque;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::process::lossy_lines;

/// How long one may take to listen. It has been built already.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long one may take to end before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// How often we look.
pub const GLANCE: Duration = Duration::from_millis(50);
/// Lines of a log that are shown when its program fails.
const LAST_LINES: usize = 30;

/// Ctrl-C and SIGTERM, as events that we see between two steps, so that what was started is always ended.
#[derive(Debug)]
pub struct Interrupt {
    signals: Signals,
    came: bool,
}

/// A program as a child process in a group of its own, and what it writes to standard error. It is ended by
/// [`stop`](Self::stop), or with everything that it started when dropped.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    child: Child,
    log: Receiver<String>,
    reader: Option<JoinHandle<()>>,
    last: VecDeque<String>,
}

impl Interrupt {
    /// From here on the two signals do nothing but to be seen.
    pub fn listen() -> Result<Self, String> {
        let signals = Signals::new([SIGINT, SIGTERM]).map_err(|error| format!("no signals: {error}"))?;
        Ok(Self { signals, came: false })
    }

    /// Whether one of them has come.
    pub fn came(&mut self) -> bool {
        self.came |= self.signals.pending().next().is_some();
        self.came
    }
}

impl Service {
    pub fn start(name: &'static str, command: &mut Command) -> Result<Self, String> {
        // A group of its own: Ctrl-C reaches us alone, and we ask it to end, once.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("{name} did not start: {error}"))?;
        let stderr = child.stderr.take().ok_or_else(|| format!("{name}'s stderr is no pipe"))?;
        let (sender, log) = channel();
        let reader = thread::Builder::new()
            .name(format!("log of {name}"))
            .spawn(move || lossy_lines(stderr).for_each(|line| drop(sender.send(line))))
            .map_err(|error| format!("no thread: {error}"))?;
        Ok(Self { name, child, log, reader: Some(reader), last: VecDeque::new() })
    }

    /// The URL that it says it listens on, or nothing when an interrupt came first.
    pub fn wait_until_listening(&mut self, interrupt: &mut Interrupt) -> Result<Option<String>, String> {
        let name = self.name;
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline {
            if interrupt.came() {
                return Ok(None);
            }
            match self.log.recv_timeout(GLANCE) {
                Ok(line) => {
                    let url = listening_url(&line);
                    self.remember(line);
                    if url.is_some() {
                        return Ok(url);
                    }
                }
                Err(_) if self.has_ended()? => {
                    return Err(format!("{name} ended before it listened:\n{}", self.last_words()));
                }
                Err(_) => {}
            }
        }
        Err(format!("{name} did not listen within {} s:\n{}", START_LIMIT.as_secs(), self.last_words()))
    }

    /// Passes the log on meanwhile.
    pub fn serve_until_signal(&mut self, interrupt: &mut Interrupt) -> Result<(), String> {
        // What it logged so far is old news.
        self.read_log();
        let name = self.name;
        while !interrupt.came() {
            if self.has_ended()? {
                return Err(format!("{name} ended:\n{}", self.last_words()));
            }
            if let Ok(line) = self.log.recv_timeout(GLANCE) {
                eprintln!("{line}");
                self.remember(line);
            }
        }
        Ok(())
    }

    pub fn stop(mut self) -> Result<(), String> {
        self.end()?;
        match self.reader.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(format!("reading {}'s log failed", self.name)),
            _ => Ok(()),
        }
    }

    /// The same for a program that leaves others behind (RabbitMQ its `epmd`), which hold its log open: nobody waits
    /// for the log's end.
    pub fn stop_alone(mut self) -> Result<(), String> {
        self.end()
    }

    fn end(&mut self) -> Result<(), String> {
        let name = self.name;
        if !self.has_ended()? {
            // The child has not been waited for, so its id is still its own; it may end by itself meanwhile.
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        }
        let deadline = Instant::now() + STOP_LIMIT;
        while !self.has_ended()? {
            if Instant::now() >= deadline {
                return Err(format!("{name} did not end within {} s and was killed", STOP_LIMIT.as_secs()));
            }
            thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// The end of its log.
    pub fn last_words(&mut self) -> String {
        self.read_log();
        self.last.iter().map(|line| format!("  {line}\n")).collect()
    }

    fn has_ended(&mut self) -> Result<bool, String> {
        let ended = self.child.try_wait().map(|status| status.is_some());
        ended.map_err(|error| format!("no word of {}: {error}", self.name))
    }

    fn remember(&mut self, line: String) {
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    fn read_log(&mut self) {
        while let Ok(line) = self.log.try_recv() {
            self.remember(line);
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        end_group(&mut self.child);
    }
}

/// Kills a child that leads a group, with its whole group.
pub fn end_group(child: &mut Child) {
    if let Ok(None) = child.try_wait() {
        // Not waited for yet, so the id is still its own. What has ended by itself needs no more.
        let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
        let _ = child.wait();
    }
}

/// The address in the line that a program prints when it accepts connections.
fn listening_url(line: &str) -> Option<String> {
    let (_, address) = line.split_once("listening on http://")?;
    let end = address.find(|c: char| !(c.is_ascii_alphanumeric() || ".:[]-".contains(c))).unwrap_or(address.len());
    Some(format!("http://{}", &address[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_is_found_in_any_log_format() {
        let cases = [
            ("listening on http://127.0.0.1:8000", Some("http://127.0.0.1:8000")),
            ("2026-11-22 INFO gateway: listening on http://localhost:41233 demo=true", Some("http://localhost:41233")),
            ("{\"message\":\"listening on http://[::1]:80\"}", Some("http://[::1]:80")),
            ("\u{1b}[2mlistening on http://127.0.0.1:1\u{1b}[0m", Some("http://127.0.0.1:1")),
            ("listening on http://127.0.0.1:1/mcp", Some("http://127.0.0.1:1")),
            ("starting", None),
        ];
        for (line, expected) in cases {
            assert_eq!(listening_url(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn what_a_program_started_ends_with_it() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & echo listening on http://h:1 >&2; wait"]);
        let mut service = Service::start("sh", &mut command).unwrap();
        let mut interrupt = Interrupt::listen().unwrap();
        assert_eq!(service.wait_until_listening(&mut interrupt).unwrap().as_deref(), Some("http://h:1"));
        let reader = service.reader.take().unwrap();
        drop(service);
        // The log ends when the last process that could write to it is gone.
        reader.join().unwrap();
    }
}
