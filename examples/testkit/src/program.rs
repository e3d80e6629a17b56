//! Programs: where they are, and running them.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// Much longer than anything takes here.
pub(crate) const LONG: Duration = Duration::from_secs(60);

const GLANCE: Duration = Duration::from_millis(5);

/// The program `name` of this workspace: in the folder that `MCP_BIN_DIR` names, else beside the running test,
/// where it is built first if it is missing.
///
/// # Panics
/// Where there is none.
pub fn program(name: &str) -> PathBuf {
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    if let Some(folder) = env::var_os("MCP_BIN_DIR") {
        let program = PathBuf::from(folder).join(file);
        assert!(program.exists(), "{} is not there: run `cargo xtask test`", program.display());
        return program;
    }
    let test = env::current_exe().expect("a running test has a path");
    // target/debug/deps/test-123 stands beside target/debug/NAME.
    let program = test.ancestors().nth(2).expect("a test lies two folders below its profile's").join(file);
    if !program.exists() {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        // The one program that is not called like its package.
        let package = if name == "testkit-upstream" { "gateway-testkit" } else { name };
        let built = Command::new(cargo).args(["build", "--quiet", "-p", package, "--bins"]).status();
        assert!(built.is_ok_and(|status| status.success()), "`{name}` must build");
    }
    program
}

/// A program from npm or PyPI, among those that `cargo xtask peers` sets up.
///
/// # Panics
/// Where it is not there.
pub fn peer(name: &str) -> PathBuf {
    let folder = env::var_os("MCP_PEERS").expect("MCP_PEERS names the peers' folder: run `cargo xtask test`");
    let program = PathBuf::from(folder).join(name);
    assert!(program.exists(), "{} is not there: run `cargo xtask test`", program.display());
    program
}

/// A program that is about to run, with none of our variables but `PATH`.
#[derive(Debug)]
pub struct Program {
    command: Command,
    input: String,
}

/// A program that runs; killed when dropped.
#[derive(Debug)]
pub struct Started {
    child: Child,
    lines: Receiver<String>,
    reader: Option<JoinHandle<()>>,
}

/// What a program said.
#[derive(Debug)]
pub struct Run {
    /// The exit status; `None` where a signal ended it.
    pub status: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Program {
    /// The program at `path`.
    pub fn new(path: impl Into<OsString>) -> Self {
        let mut command = Command::new(path.into());
        command.env_clear().envs(env::var_os("PATH").map(|path| ("PATH", path)));
        Self { command, input: String::new() }
    }

    /// With arguments.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    /// With an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// With lines that a person types. Nobody types more.
    #[must_use]
    pub fn typed(mut self, lines: &[&str]) -> Self {
        self.input = lines.iter().flat_map(|line| [line, "\n"]).collect();
        self
    }

    /// Starts it, with what was typed.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start(mut self) -> Started {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = self.command.spawn().expect("the program starts");
        let out = child.stdout.take().expect("its standard output is a pipe");
        let mut input = child.stdin.take().expect("its standard input is a pipe");
        input.write_all(self.input.as_bytes()).expect("the program reads");
        let (sender, lines) = channel();
        let read = move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        };
        let reader = Builder::new().spawn(read).expect("a thread starts");
        Started { child, lines, reader: Some(reader) }
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// Where it does not start, or does not end.
    pub fn run(mut self) -> Run {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the program starts");
        let out = reader(child.stdout.take().expect("its standard output is a pipe"));
        let err = reader(child.stderr.take().expect("its standard error is a pipe"));
        let mut input = child.stdin.take().expect("its standard input is a pipe");
        // A program that has ended already reads nothing, and what it said tells why.
        let _ = input.write_all(self.input.as_bytes());
        drop(input);
        let status = end(&mut child);
        let text = |reader: JoinHandle<String>| reader.join().expect("a reader does not panic");
        Run { status, out: text(out), err: text(err) }
    }
}

impl Started {
    /// Waits for a line of its standard output that contains `part`.
    ///
    /// # Panics
    /// Where there is none.
    #[track_caller]
    pub fn wait_for(&self, part: &str) {
        let end = Instant::now() + LONG;
        loop {
            let line = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("no line with {part:?}"));
            if line.contains(part) {
                return;
            }
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Run {
    /// Checks how it ended, and that its standard output has these parts in this order.
    ///
    /// # Panics
    /// Where that is not so.
    #[track_caller]
    pub fn check(&self, status: i32, parts: &[&str]) {
        let mut rest = self.out.as_str();
        for part in parts {
            let found = rest.split_once(part);
            rest = found.unwrap_or_else(|| panic!("{part:?} is missing, or not in its place: {self:#?}")).1;
        }
        assert_eq!(self.status, Some(status), "{self:#?}");
    }

    /// Checks that it failed with `status`, and that its standard error has `part`.
    ///
    /// # Panics
    /// Where that is not so.
    #[track_caller]
    pub fn check_failure(&self, status: i32, part: &str) {
        assert!(self.status == Some(status) && self.err.contains(part), "{part:?}: {self:#?}");
    }
}

fn reader(mut stream: impl Read + Send + 'static) -> JoinHandle<String> {
    let read = move || {
        let mut bytes = Vec::new();
        // What came before an error is worth seeing.
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Builder::new().spawn(read).expect("a thread starts")
}

fn end(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + LONG;
    loop {
        match child.try_wait().expect("a child can be waited for") {
            Some(status) => return status.code(),
            None if Instant::now() > deadline => {
                // It may have ended by now.
                let _ = child.kill();
                panic!("the program does not end");
            }
            None => std::thread::sleep(GLANCE),
        }
    }
}
