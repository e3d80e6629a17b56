//! Programs: where they are, and running them.

use std::env;
use std::ffi::OsString;
use std::io::{Read, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
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
