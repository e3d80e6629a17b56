//! MCP clients that others wrote, each taken through the same steps.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::gateway::{LONG, lines};
use crate::upstreams::peer;

/// Whose client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `@modelcontextprotocol/inspector --cli` of npm: a process for every request.
    Inspector,
    /// `@modelcontextprotocol/client` of npm.
    TypeScript,
    /// `mcp` of PyPI.
    Python,
    /// `fastmcp` of PyPI.
    FastMcp,
}

/// What it is told about revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Begin with `initialize`.
    Legacy,
    /// Find out.
    Auto,
    /// Speak 2026-07-28.
    Modern,
}

/// What a client said to a step: the result, or the error.
pub(crate) type Answer = Result<Value, Value>;

/// A client, ready to connect.
pub(crate) struct Client {
    pub(crate) kind: Kind,
    pub(crate) mode: Mode,
    driver: Driver,
}

enum Driver {
    Lines(Lines),
    Commands(Commands),
}

/// A client that stays, and reads its steps from standard input. Killed when dropped.
struct Lines {
    child: Child,
    input: ChildStdin,
    output: Receiver<String>,
    heard: Vec<Value>,
    _home: TempDir,
}

/// A client that is started for each step.
struct Commands {
    mode: Mode,
    home: TempDir,
}

impl Kind {
    /// The script that drives it, and what runs that.
    fn script(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Inspector => None,
            Self::TypeScript => Some(("node", "sdk.mjs")),
            Self::Python => Some(("python", "sdk.py")),
            Self::FastMcp => Some(("python", "fast.py")),
        }
    }
}

impl Mode {
    /// Whether the gateway is spoken to in the newest revision.
    pub(crate) fn is_modern(self) -> bool {
        self != Self::Legacy
    }

    fn word(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Auto => "auto",
            Self::Modern => "modern",
        }
    }
}

impl Client {
    #[track_caller]
    pub(crate) fn new(kind: Kind, mode: Mode) -> Self {
        let home = TempDir::new().unwrap();
        let driver = match kind.script() {
            Some((interpreter, script)) => Driver::Lines(Lines::start(interpreter, script, mode, home)),
            None => Driver::Commands(Commands { mode, home }),
        };
        Self { kind, mode, driver }
    }

    /// Connects to `url` and gives what the client learnt in doing so.
    #[track_caller]
    pub(crate) fn connect(&mut self, url: &str, headers: &Value) -> Value {
        match &mut self.driver {
            Driver::Lines(_) => self.answer(&json!({ "do": "connect", "url": url, "headers": headers })),
            Driver::Commands(commands) => {
                commands.configure(url, headers);
                let greeting = commands.run(&["initialize"]).unwrap_or_else(|error| panic!("{url}: {error}"));
                json!({
                    "protocol": greeting["protocolVersion"],
                    "name": greeting["serverInfo"]["name"],
                    "capabilities": greeting["capabilities"],
                    "instructions": greeting["instructions"],
                })
            }
        }
    }

    /// Ends the connection as a client should.
    #[track_caller]
    pub(crate) fn leave(&mut self) {
        if let Driver::Lines(_) = self.driver {
            self.answer(&json!({ "do": "leave" }));
        }
    }

    /// What comes of a step.
    #[track_caller]
    pub(crate) fn ask(&mut self, step: &Value) -> Answer {
        match &mut self.driver {
            Driver::Lines(lines) => lines.ask(step),
            Driver::Commands(commands) => commands.ask(step),
        }
    }

    /// Begins a step whose answer nobody will read.
    #[track_caller]
    pub(crate) fn begin(&mut self, step: &Value) {
        match &mut self.driver {
            Driver::Lines(lines) => writeln!(lines.input, "{step}").unwrap(),
            Driver::Commands(_) => panic!("{step}: a command is waited for"),
        }
    }

    /// The result of a step that works.
    #[track_caller]
    pub(crate) fn answer(&mut self, step: &Value) -> Value {
        self.ask(step).unwrap_or_else(|error| panic!("{step}: {error}"))
    }

    /// Forgets what was heard.
    pub(crate) fn forget(&mut self) {
        if let Driver::Lines(lines) = &mut self.driver {
            lines.heard.clear();
        }
    }

    /// Takes the params of all that was heard of `method` up to the last answer.
    pub(crate) fn heard(&mut self, method: &str) -> Vec<Value> {
        match &mut self.driver {
            Driver::Lines(lines) => lines.take(method),
            Driver::Commands(_) => Vec::new(),
        }
    }

    /// Waits until `method` is heard and gives its params; from then on nothing is known of what came before.
    #[track_caller]
    pub(crate) fn hears(&mut self, method: &str, limit: Duration) -> Value {
        match &mut self.driver {
            Driver::Lines(lines) => lines.hears(method, limit),
            Driver::Commands(_) => panic!("{method}: a client that has ended hears nothing"),
        }
    }
}

impl Lines {
    fn start(interpreter: &str, script: &str, mode: Mode, home: TempDir) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
        let mut command = command(interpreter, home.path());
        command.arg(script).arg(mode.word()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), lines(child.stdout.take().unwrap()));
        Self { child, input, output, heard: Vec::new(), _home: home }
    }

    #[track_caller]
    fn ask(&mut self, step: &Value) -> Answer {
        writeln!(self.input, "{step}").unwrap();
        let end = Instant::now() + LONG;
        loop {
            let mut line = self.line(end).unwrap_or_else(|| panic!("{step}: no answer"));
            if line.get("heard").is_some() {
                self.heard.push(line);
            } else {
                return line.get("answer").cloned().ok_or_else(|| line["error"].take());
            }
        }
    }

    #[track_caller]
    fn hears(&mut self, method: &str, limit: Duration) -> Value {
        let end = Instant::now() + limit;
        loop {
            if let Some(params) = self.take(method).pop() {
                return params;
            }
            let line = self.line(end).unwrap_or_else(|| panic!("{method} was not heard within {limit:?}"));
            assert!(line.get("heard").is_some(), "nothing was asked, yet {line}");
            self.heard.push(line);
        }
    }

    fn take(&mut self, method: &str) -> Vec<Value> {
        let taken = self.heard.extract_if(.., |line| line["heard"] == method);
        taken.map(|mut line| line["params"].take()).collect()
    }

    fn line(&self, end: Instant) -> Option<Value> {
        let line = self.output.recv_timeout(end.saturating_duration_since(Instant::now())).ok()?;
        Some(serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}")))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Commands {
    fn configure(&self, url: &str, headers: &Value) {
        let roots = [json!({ "uri": "file:///home/ada", "name": "the root of the inspector" })];
        let gateway = json!({ "type": "streamable-http", "url": url, "headers": headers, "roots": roots });
        let text = json!({ "mcpServers": { "gateway": gateway } }).to_string();
        std::fs::write(self.home.path().join("mcp.json"), text).unwrap();
    }

    #[track_caller]
    fn ask(&self, step: &Value) -> Answer {
        let text = |member: &str| step[member].as_str().expect(member);
        match text("do") {
            "tools" => self.run(&["tools/list"]),
            "prompts" => self.run(&["prompts/list"]),
            "resources" => self.run(&["resources/list"]),
            "templates" => self.run(&["resources/templates/list"]),
            "call" => {
                let arguments = step["args"].to_string();
                self.run(&["tools/call", "--tool-name", text("name"), "--tool-args-json", &arguments])
            }
            "prompt" => {
                let mut words = vec!["prompts/get".to_owned(), "--prompt-name".to_owned(), text("name").to_owned()];
                for (name, value) in step["args"].as_object().expect("arguments") {
                    let value = value.as_str().expect("text");
                    words.extend(["--prompt-args".to_owned(), format!("{name}={value}")]);
                }
                self.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
            }
            "read" => self.run(&["resources/read", "--uri", text("uri")]),
            "level" => self.run(&["logging/setLevel", "--log-level", text("level")]),
            other => panic!("the inspector has no command for {other}"),
        }
    }

    fn run(&self, arguments: &[&str]) -> Answer {
        let mut command = command("mcp-inspector", self.home.path());
        command.arg("--cli").arg("--config").arg(self.home.path().join("mcp.json"));
        command.args(["--server", "gateway", "--protocol-era", self.mode.word(), "--format", "json", "--method"]);
        let said = command.args(arguments).stdin(Stdio::null()).output().unwrap();
        let last = |text: &[u8]| String::from_utf8_lossy(text).trim().lines().next_back().unwrap_or("").to_owned();
        // A result that is an error makes a failure of the command, and is printed all the same.
        let printed: Value = serde_json::from_slice(&said.stdout).unwrap_or_default();
        match printed.get("result") {
            Some(result) => Ok(result.clone()),
            None => Err(serde_json::from_str(&last(&said.stderr)).unwrap_or_else(|_| json!(last(&said.stderr)))),
        }
    }
}

/// A program of the peers, with nothing of our surroundings but where it is found.
fn command(program: &str, home: &Path) -> Command {
    let mut command = Command::new(peer(program));
    command.env_clear().env("HOME", home).current_dir(home);
    for name in ["PATH", "MCP_PEERS"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    // No compiled files beside our scripts; secrets, of which there are none, are not looked for anywhere.
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("MCP_INSPECTOR_SECRET_STORE", "memory");
    command
}
