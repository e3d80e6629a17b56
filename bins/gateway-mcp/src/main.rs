//! The gateway's MCP server, over Streamable HTTP or stdio.

use std::process::ExitCode;

use gateway_app::{Arguments, run_mcp, run_program};

fn main() -> ExitCode {
    run_program("gateway-mcp", &Arguments::of_mcp_process(), run_mcp)
}
