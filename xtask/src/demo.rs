//! `cargo xtask demo`: from a clone to a gateway that answers, with one command.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, ExitCode, Stdio};

use crate::process::run as run_command;
use crate::service::{Interrupt, Service};
use crate::workspace::Workspace;

/// Where the documentation says that the gateway listens.
const USUAL_PORT: u16 = 8000;

/// What follows the tour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Serve until Ctrl-C.
    Serve,
    /// End, with the tour's exit status.
    Stop,
}

/// Builds, starts, shows round, and serves.
pub fn run(workspace: &Workspace, after: After) -> Result<ExitCode, String> {
    let mut interrupt = Interrupt::listen()?;
    println!("building the gateway, the demo server and the tour (the first time takes a few minutes)");
    run_command(workspace.cargo().args(["build", "-p", "gateway-http", "-p", "demo-server", "-p", "tour"]))?;
    let mut gateway = start(workspace)?;
    let shown = show_round(workspace, &mut gateway, after, &mut interrupt);
    let stopped = gateway.stop();
    let code = shown?;
    stopped?;
    Ok(code)
}

fn show_round(
    workspace: &Workspace,
    gateway: &mut Service,
    after: After,
    interrupt: &mut Interrupt,
) -> Result<ExitCode, String> {
    let Some(url) = gateway.wait_until_listening(interrupt)? else {
        return Ok(ExitCode::FAILURE);
    };
    let mut tour = Command::new(workspace.programs().join("tour"));
    tour.arg(&url).arg("--server").arg(workspace.programs().join("demo-server")).stdin(Stdio::null());
    let status = tour.status().map_err(|error| format!("the tour did not start: {error}"))?;
    if interrupt.came() {
        return Ok(ExitCode::FAILURE);
    }
    if !status.success() {
        return Err(format!("the tour failed ({status}); the gateway's last words:\n{}", gateway.last_words()));
    }
    if after == After::Serve {
        invite(&url);
        gateway.serve_until_signal(interrupt)?;
        println!("\nstopping");
    }
    Ok(ExitCode::SUCCESS)
}

fn invite(url: &str) {
    println!("\nThe gateway serves until Ctrl-C:\n");
    println!("  REST API    {url}/mcp/…");
    println!("  OpenAPI     {url}/openapi.json");
    println!("  health      {url}/health\n");
    println!("Try it from another terminal:\n");
    println!("  curl -s {url}/mcp/tools");
    for (path, body) in [
        ("search", r#"{"query": "what time is it in Tokyo"}"#),
        ("execute", r#"{"tool_name": "calculate", "args": {"expression": "15% of 240"}}"#),
    ] {
        println!("  curl -s {url}/mcp/{path} -H 'content-type: application/json' -d '{body}'");
    }
    println!();
}

/// Starts the gateway with the bundled demo server.
fn start(workspace: &Workspace) -> Result<Service, String> {
    // An empty folder, so that a `.env` or a configuration lying about does not change the demo.
    let folder = workspace.target.join("demo");
    fs::create_dir_all(&folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    let mut command = workspace.gateway();
    command.args(["--demo", "--host", "127.0.0.1", "--port", &free_port().to_string()]);
    Service::start("the gateway", command.current_dir(&folder))
}

/// The usual port where it is free, else whichever the system gives.
fn free_port() -> u16 {
    match TcpListener::bind(("127.0.0.1", USUAL_PORT)) {
        Ok(_) => USUAL_PORT,
        Err(_) => {
            println!("port {USUAL_PORT} is taken; using another");
            0
        }
    }
}
