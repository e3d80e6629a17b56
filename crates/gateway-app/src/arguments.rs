//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// What stands on the command line.
#[derive(Clone, Debug, Default, Parser)]
#[command(
    name = "gateway-http",
    version,
    about = "A self-hosted routing proxy between AI agents and MCP servers.",
    long_about = "A self-hosted routing proxy between AI agents and MCP servers: one REST API to search and \
                  run the tools of all of them.",
    after_help = "Settings come from, the later one counting: the defaults, config/gateway.toml (or --config), \
                  the file .env, environment variables (GATEWAY_HOST, GATEWAY_PORT, GATEWAY_API_KEY, LOG_LEVEL, \
                  and GATEWAY__SECTION__KEY for everything else), flags. --check prints them all.\n\n\
                  Exit status: 0 after SIGTERM or SIGINT, 1 when running failed, 2 for a mistake in the \
                  configuration."
)]
pub struct Arguments {
    /// Address to listen on: localhost or an IP address [default: localhost].
    /// Other addresses than loopback need an API key.
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,

    /// Port to listen on; 0 takes a free one [default: 8000].
    #[arg(long, value_name = "PORT")]
    pub port: Option<String>,

    /// Configuration file [default: config/gateway.toml, where there is one].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// File with the MCP servers, {"mcpServers": {...}}
    /// [default: servers.json or servers.txt, here or in config/].
    #[arg(long, value_name = "FILE")]
    pub servers: Option<PathBuf>,

    /// Directory for data that outlives the process. Nothing is kept there yet.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Add the bundled demo server (time, calculator, echo).
    #[arg(long)]
    pub demo: bool,

    /// Check the configuration and the servers file, print all settings as they count, and stop.
    #[arg(long)]
    pub check: bool,
}

impl Arguments {
    /// Those of this process. Ends it for `--help` and `--version`, and with status 2 for flags that are none.
    pub fn of_process() -> Self {
        Self::parse()
    }
}
