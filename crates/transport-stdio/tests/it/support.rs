//! What the tests share.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use gateway_core::{
    Command, Connect, Endpoint, Era, Error, ErrorKind, RawJson, Result, ServerLimits, ServerSpec, Transport, Upstream,
    UpstreamEvents, UpstreamRequest,
};
use transport_stdio::{StdioConfig, StdioTransport};

/// The longest that anything here may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The path of the odd server.
pub const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/server.py");

/// Writes down what it hears.
#[derive(Debug, Default)]
pub struct Heard {
    pub notified: Mutex<Vec<String>>,
    pub closed: Mutex<Vec<Error>>,
    pub wrote: Mutex<Vec<String>>,
}

#[async_trait]
impl UpstreamEvents for Heard {
    fn notified(&self, method: &str, _params: RawJson) {
        self.notified.lock().expect("no panic").push(method.to_owned());
    }

    async fn asked(&self, method: &str, params: RawJson) -> Result<RawJson> {
        match method {
            "roots/list" => Ok(json(&format!(r#"{{"you-said":{}}}"#, params.as_str()))),
            "think" => std::future::pending().await,
            "break" => Err(Error::new(ErrorKind::Internal, "answer: broken")),
            _ => Err(Error::new(ErrorKind::NotFound, "answer: nobody knows this")),
        }
    }

    fn closed(&self, reason: Error) {
        self.closed.lock().expect("no panic").push(reason);
    }

    fn wrote(&self, line: &str) {
        self.wrote.lock().expect("no panic").push(line.to_owned());
    }
}

/// A transport with short patience.
pub fn transport() -> StdioTransport {
    StdioTransport::new(StdioConfig {
        probe_timeout: Duration::from_millis(300),
        stdin_grace: Duration::from_millis(500),
        term_grace: Duration::from_millis(500),
        ..StdioConfig::default()
    })
}

/// The odd server with these flags.
pub fn odd(flags: &[&str]) -> Command {
    let mut args = vec![SERVER.to_owned()];
    args.extend(flags.iter().map(|flag| (*flag).to_owned()));
    Command { program: python().to_owned(), args, ..Command::default() }
}

/// Python itself: what `PATH` has may be a script round it that changes the environment.
pub fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let mut python = std::process::Command::new("python3");
        python.args(["-c", "import sys; print(sys.executable)"]);
        let output = python.output().expect("Python 3 is installed");
        String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
    })
}

/// A line for the shell.
pub fn shell(script: &str) -> Command {
    let args = vec!["-c".to_owned(), script.to_owned()];
    Command { program: "sh".to_owned(), args, ..Command::default() }
}

/// What connects to `command` and tells `heard`.
pub fn connecting(command: Command, heard: &Arc<Heard>) -> Connect {
    connecting_with(command, heard, ServerLimits::default(), None)
}

pub fn connecting_with(
    command: Command,
    heard: &Arc<Heard>,
    limits: ServerLimits,
    remembered_era: Option<Era>,
) -> Connect {
    let spec = ServerSpec::new("odd", "stdio", Endpoint::Command(command)).expect("a valid spec");
    let spec = Arc::new(spec.with_limits(limits));
    Connect {
        spec,
        remembered_era,
        client_capabilities: RawJson::empty_object(),
        events: Arc::clone(heard) as Arc<dyn UpstreamEvents>,
    }
}

/// An open connection to `command`.
pub async fn open(transport: &StdioTransport, command: Command) -> Arc<dyn Upstream> {
    let connect = connecting(command, &Arc::default());
    within(transport.connect(connect)).await.expect("it connects")
}

/// The error of connecting to `command`.
pub async fn refusal(transport: &StdioTransport, command: Command) -> Error {
    let connect = connecting(command, &Arc::default());
    within(transport.connect(connect)).await.expect_err("it does not connect")
}

/// The answer to a request.
pub async fn ask(upstream: &Arc<dyn Upstream>, method: &'static str, params: &str) -> Result<RawJson> {
    within(upstream.request(UpstreamRequest::new(method, json(params)))).await
}

pub fn json(text: &str) -> RawJson {
    RawJson::parse(text.to_owned()).expect("valid JSON")
}

/// The number of the group that leads `upstream`.
pub fn group(upstream: &Arc<dyn Upstream>) -> u32 {
    upstream.info().process_id.expect("a process")
}

/// Whether a process of the group is more than a zombie that waits for process 1.
pub fn is_alive(group: u32) -> bool {
    let states = std::process::Command::new("ps").args(["-eo", "pgid=,stat="]).output();
    let states = String::from_utf8(states.expect("ps").stdout).expect("ASCII");
    states.lines().any(|line| {
        let (number, state) = line.trim().split_once(' ').expect("two columns");
        number.parse() == Ok(group) && !state.trim().starts_with('Z')
    })
}

/// Bounds what must not hang.
pub async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}

/// Waits until `check` gives something.
pub async fn eventually<T>(what: impl Debug, mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what:?} does not happen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A folder that goes with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("transport-stdio-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path.canonicalize().expect("it exists"))
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }

    /// The process ids in the file `name`, one a line.
    pub fn numbers(&self, name: &str) -> Vec<u32> {
        let text = std::fs::read_to_string(self.0.join(name)).unwrap_or_default();
        text.lines().map(|line| line.parse().expect("a number")).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
