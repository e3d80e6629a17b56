//! The bundled demo server.

use std::env::consts::EXE_SUFFIX;
use std::path::Path;

use gateway_core::{Command, Endpoint, ServerSpec};

use crate::config::{Mistake, Mistakes};

/// The name of the demo server, of its package and of its executable's stem.
const PACKAGE: &str = "demo-server";

/// The demo server as an upstream; its executable stands beside the gateway's own, in `programs`.
///
/// # Errors
/// Where it is not there.
pub(crate) fn demo_server(programs: &Path) -> Result<ServerSpec, Mistakes> {
    let program = programs.join(format!("{PACKAGE}{EXE_SUFFIX}"));
    let mistake = |problem: String| Mistakes(vec![Mistake::new("the demo server", problem).with_source("flag --demo")]);
    if !program.is_file() {
        let release = if cfg!(debug_assertions) { "" } else { " --release" };
        return Err(mistake(format!(
            "{} is not there; build it with: cargo build -p {PACKAGE}{release}",
            program.display()
        )));
    }
    let command = Command { program: program.display().to_string(), ..Command::default() };
    ServerSpec::new("demo", "stdio", Endpoint::Command(command)).map_err(|error| mistake(error.to_string()))
}
