//! The reference server as a process of its own, for tests.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::OnceLock;
use std::time::SystemTime;

/// The variable that names a ready-made `testkit-upstream`.
const PROGRAM_VARIABLE: &str = "TESTKIT_UPSTREAM";

/// A running `testkit-upstream` on the network. It is killed when dropped.
#[derive(Debug)]
pub struct ReferenceProcess {
    child: Child,
    url: String,
    /// Kept open: a process that writes to a closed pipe dies of it.
    _stderr: ChildStderr,
}

impl ReferenceProcess {
    /// Starts one on a free port with `arguments` besides `--http`, and waits until it listens.
    ///
    /// # Panics
    /// Where it does not start: a test has nothing to say then.
    pub fn http(arguments: &[&str]) -> Self {
        Self::http_at("127.0.0.1:0", arguments)
    }

    /// The same on a given address, such as one where another process has just died.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn http_at(address: &str, arguments: &[&str]) -> Self {
        Self::start("--http", address, arguments)
    }

    /// The same over the HTTP+SSE transport of 2024-11-05.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn old_sse(arguments: &[&str]) -> Self {
        Self::old_sse_at("127.0.0.1:0", arguments)
    }

    /// The same on a given address.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn old_sse_at(address: &str, arguments: &[&str]) -> Self {
        Self::start("--old-sse", address, arguments)
    }

    fn start(wire: &str, address: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(program())
            .args([wire, address])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("testkit-upstream starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("its standard error is a pipe"));
        let url = stderr
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.split_once("listening on ").map(|(_, url)| url.to_owned()))
            .expect("testkit-upstream says where it listens");
        Self { child, url, _stderr: stderr.into_inner() }
    }

    /// Where it serves: `http://127.0.0.1:PORT/mcp`, or `/sse`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its address: `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://").trim_end_matches("/mcp").trim_end_matches("/sse")
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&mut self) {
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for ReferenceProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The path of the binary `testkit-upstream`: the one that the variable `TESTKIT_UPSTREAM` names, else
/// the one beside the running test, built first where it is missing or older than its sources.
///
/// # Panics
/// Where it cannot be built.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(program) = std::env::var_os(PROGRAM_VARIABLE) {
            return program.into();
        }
        let test = std::env::current_exe().expect("a running test has a path");
        // target/debug/deps/test-123 stands beside target/debug/testkit-upstream.
        let directory = test.ancestors().nth(2).expect("a test lies two folders below its profile's");
        let program = directory.join(format!("testkit-upstream{}", std::env::consts::EXE_SUFFIX));
        if !is_fresh(&program) {
            build(directory);
        }
        program
    })
}

fn is_fresh(program: &Path) -> bool {
    let built = program.metadata().and_then(|metadata| metadata.modified());
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    built.is_ok_and(|built| newest(&sources).is_none_or(|changed| changed < built))
}

fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    entries
        .filter_map(|entry| match entry.file_type().ok()?.is_dir() {
            true => newest(&entry.path()),
            false => entry.metadata().ok()?.modified().ok(),
        })
        .max()
}

fn build(profile_directory: &Path) {
    let release = profile_directory.file_name().is_some_and(|name| name == "release");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--package", "gateway-testkit", "--bin", "testkit-upstream"])
        .args(release.then_some("--release"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(status.is_ok_and(|status| status.success()), "testkit-upstream cannot be built");
}
