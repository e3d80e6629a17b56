//! One run after the other.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use super::expected::Entry;
use super::options::{Options, Path, REVISIONS, Role, Run, Upstream};
use super::suite::Suite;
use super::{Outcome, expected, requirements, results};
use crate::peers::{self, Peers};
use crate::process::run as run_command;
use crate::service::{GLANCE, Interrupt, Service};
use crate::workspace::{Workspace, without_settings};

/// How a gateway shows everything that its servers have, under their own names.
const GATEWAY_VARIABLES: [(&str, &str); 2] = [("GATEWAY__MCP__EXPOSE", "all"), ("GATEWAY__SERVERS__PREFIX", "never")];
/// How long the gateway may take to know the fixture's tools.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// How long the suite waits for a client, in milliseconds: they go one after the other.
const CLIENT_LIMIT: &str = "300000";
/// Tools whose scenarios pass where the tool is not there at all.
const MUST_BE_LISTED: [&str; 2] = ["test_simple_text", "test_error_handling"];

/// `cargo xtask conformance`.
pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode, String> {
    let peers = peers::set_up(workspace)?;
    let mut build = workspace.cargo();
    run_command(build.args(["build", "-p", "gateway-http", "-p", "gateway-testkit", "--bins"]))?;
    let outcomes = run_all(workspace, &peers, options)?;
    let good = outcomes.iter().all(|outcome| outcome.mistakes.is_empty());
    if outcomes.len() > 1 {
        println!("\n── summary ──");
        outcomes.iter().for_each(|outcome| println!("{}", outcome.line()));
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The part of `cargo xtask test`; everything is built and set up already.
pub fn in_test(workspace: &Workspace, peers: &Peers) -> Result<Vec<Outcome>, String> {
    run_all(workspace, peers, &Options::all())
}

fn run_all(workspace: &Workspace, peers: &Peers, options: &Options) -> Result<Vec<Outcome>, String> {
    let mut interrupt = Interrupt::listen()?;
    let mut stage = Stage { workspace, peers, options, interrupt: &mut interrupt };
    let mut outcomes = Vec::new();
    for &run in &options.runs {
        let outcome = match stage.run(run) {
            Ok(outcome) => outcome,
            Err(why) if stage.interrupt.came() => return Err(format!("{run}: {why}")),
            // One that cannot be made says nothing about the others.
            Err(why) => Outcome { run: run.to_string(), mistakes: vec![why], ..Outcome::default() },
        };
        report(&outcome, &stage.folder(run));
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// What every run needs.
struct Stage<'a> {
    workspace: &'a Workspace,
    peers: &'a Peers,
    options: &'a Options,
    interrupt: &'a mut Interrupt,
}

impl Stage<'_> {
    /// Runs the suite once and judges it.
    fn run(&mut self, run: Run) -> Result<Outcome, String> {
        let list = self.workspace.root.join("xtask/conformance/expected-failures.yml");
        let known = expected::read(&list, run.role.name())?;
        let required = self.required(run)?;
        self.check_names(run, &known)?;
        let mut suite = Suite::new(self.peers, &self.folder(run))?;
        let log = suite.log();
        let command = suite.command();
        command.arg(run.role.name());
        match &self.options.scenario {
            Some(scenario) => command.args(["--scenario", scenario, "--spec-version", run.revision]),
            None => command.args(["--requirements", run.revision]),
        };
        command.args(&self.options.more);
        let content = match run.role {
            Role::Server(upstream) => self.serve(run, upstream, suite),
            Role::Client => self.be_a_client(suite),
        }?;
        if self.options.scenario.is_some() {
            println!("── {run} ──\n{}", fs::read_to_string(&log).unwrap_or_default());
            let mistakes = if content { Vec::new() } else { vec!["failed, see above".to_owned()] };
            let run = run.to_string();
            return Ok(Outcome { run, required: 1, passed: content.into(), mistakes, ..Outcome::default() });
        }
        let prefix = if run.role == Role::Client { "" } else { "server-" };
        let seen = results::read(&self.folder(run), prefix)?;
        let mut outcome = Outcome::judge(&required, &seen, &known);
        outcome.run = run.to_string();
        if matches!(run.role, Role::Server(_)) {
            outcome.mistakes.extend(missing_tools(seen.get("tools-list").map_or(&[], |ran| &ran.checks)));
        }
        Ok(outcome)
    }

    /// The scenarios that the revision requires.
    fn required(&self, run: Run) -> Result<Vec<String>, String> {
        requirements::read(&peers::requirements(&self.peers.folder, run.revision), run.role.name())
    }

    /// An entry that names no scenario of any revision would stand there for ever.
    fn check_names(&self, run: Run, known: &[Entry]) -> Result<(), String> {
        let mut all = Vec::new();
        for revision in REVISIONS {
            all.extend(self.required(Run { revision, ..run })?);
        }
        match known.iter().find(|entry| !all.contains(&entry.scenario)) {
            None => Ok(()),
            Some(entry) => Err(format!("expected-failures.yml: no revision requires {}", entry.scenario)),
        }
    }

    /// The suite as a client of the gateway, or of the fixture itself.
    fn serve(&mut self, run: Run, upstream: Upstream, mut suite: Suite) -> Result<bool, String> {
        let mut services = Vec::new();
        let program = self.workspace.programs().join("testkit-upstream");
        let arguments = ["--conformance", "--era", &self.options.era];
        let fixture = match upstream {
            Upstream::Stdio => serde_json::json!({ "command": program, "args": arguments }),
            Upstream::Http => {
                let mut command = Command::new(program);
                command.args(["--http", "127.0.0.1:0"]).args(arguments);
                let (service, url) = self.start("the fixture", &mut command)?;
                services.push(service);
                serde_json::json!({ "url": format!("{url}/mcp") })
            }
        };
        let url = match self.options.path {
            Path::Direct => fixture["url"].as_str().unwrap_or_default().to_owned(),
            Path::ThroughTheGateway => {
                let folder = self.folder(run);
                let file = folder.join("servers.json");
                let servers = serde_json::json!({ "mcpServers": { "fixture": fixture } });
                fs::write(&file, servers.to_string()).map_err(|error| format!("{}: {error}", file.display()))?;
                let mut command = self.workspace.gateway();
                command.args(["--host", "127.0.0.1", "--port", "0", "--servers", "servers.json"]);
                command.envs(GATEWAY_VARIABLES).current_dir(&folder);
                let (mut service, url) = self.start("the gateway", &mut command)?;
                if let Err(why) = wait_until_ready(&url, self.interrupt) {
                    return Err(format!("{why}\n{}", service.last_words()));
                }
                services.push(service);
                format!("{url}/mcp")
            }
        };
        suite.command().args(["--url", &url]);
        let ran = suite.run(self.interrupt);
        // The gateway before the fixture.
        let stopped: Result<Vec<()>, String> = services.into_iter().rev().map(Service::stop).collect();
        let content = ran?;
        stopped?;
        Ok(content)
    }

    /// The suite as a server, which starts a client for each of its scenarios.
    fn be_a_client(&mut self, mut suite: Suite) -> Result<bool, String> {
        let programs = self.workspace.programs();
        let client = programs.join("conformance-client");
        let client = client.to_str().filter(|path| !path.contains(char::is_whitespace));
        let client = client.ok_or("the suite starts no program from a path with white space in it")?;
        let direct = if self.options.path == Path::Direct { " --direct" } else { "" };
        let command = suite.command();
        without_settings(command);
        command.args(["--command", &format!("{client}{direct}"), "--timeout", CLIENT_LIMIT]);
        command.env("CONFORMANCE_GATEWAY", programs.join("gateway-http")).envs(GATEWAY_VARIABLES);
        command.env("CONFORMANCE_LOCK", self.workspace.target.join("conformance/lock"));
        suite.run(self.interrupt)
    }

    fn start(&mut self, name: &'static str, command: &mut Command) -> Result<(Service, String), String> {
        let mut service = Service::start(name, command)?;
        let url = service.wait_until_listening(self.interrupt)?.ok_or("interrupted")?;
        Ok((service, url))
    }

    fn folder(&self, run: Run) -> PathBuf {
        let name: String = run.to_string().chars().filter(|c| !"()".contains(*c)).collect();
        self.workspace.target.join("conformance").join(name.replace(' ', "-"))
    }
}

/// Waits until the gateway knows the tools of its server.
fn wait_until_ready(url: &str, interrupt: &mut Interrupt) -> Result<(), String> {
    let deadline = Instant::now() + READY_LIMIT;
    while Instant::now() < deadline {
        if get(url, "/mcp/servers").is_ok_and(|answer| answer.contains(r#""state":"ready""#)) {
            return Ok(());
        }
        if interrupt.came() {
            return Err("interrupted".to_owned());
        }
        thread::sleep(GLANCE);
    }
    Err(format!("the gateway did not reach the fixture within {} s", READY_LIMIT.as_secs()))
}

/// The answer to a GET, head and body.
fn get(url: &str, path: &str) -> std::io::Result<String> {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(READY_LIMIT))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn missing_tools(checks: &[results::Check]) -> Vec<String> {
    let listed = |tool: &str| {
        checks
            .iter()
            .any(|check| check.details["tools"].as_array().is_some_and(|tools| tools.iter().any(|name| name == tool)))
    };
    let missing = MUST_BE_LISTED.iter().filter(|tool| !listed(tool));
    missing.map(|tool| format!("tools-list: {tool} is not there")).collect()
}

fn report(outcome: &Outcome, folder: &std::path::Path) {
    println!("{}", outcome.line());
    for mistake in outcome.mistakes.iter().flat_map(|mistake| mistake.lines()) {
        println!("  {mistake}");
    }
    if !outcome.beside.is_empty() {
        println!("  not required, and failed: {}", outcome.beside.join(", "));
    }
    if !outcome.mistakes.is_empty() {
        println!("  what was said and seen: {}", folder.display());
    }
}
