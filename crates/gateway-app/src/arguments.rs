//! The command line.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser};

/// What stands on the command line.
#[derive(Args, Clone, Debug, Default)]
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

    /// Directory for data that outlives the process. Kept there: what was learned from use, and vectors of tools.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Add the bundled demo server (time, calculator, echo).
    #[arg(long)]
    pub demo: bool,

    /// Check the configuration and the servers file, print all settings as they count, and stop.
    #[arg(long)]
    pub check: bool,

    /// Which program was called.
    #[arg(skip)]
    pub program: Program,
}

/// One of the gateway's programs.
#[derive(Clone, Debug, Default)]
pub enum Program {
    /// `gateway-http`.
    #[default]
    Http,
    /// `gateway-mcp`, with the flags that only it has.
    Mcp(McpFlags),
}

/// The flags of `gateway-mcp` beside those of `gateway-http`.
#[derive(Args, Clone, Debug, Default)]
pub struct McpFlags {
    /// Stand in front of the gateway that runs at this address, http://localhost:8000. Without it the servers of
    /// the servers file are used.
    #[arg(long, value_name = "URL")]
    pub gateway_url: Option<String>,

    /// Speak MCP on standard input and output instead of listening; the log goes to standard error.
    #[arg(long)]
    pub stdio: bool,

    /// What clients see: "search" shows two tools to find and run all others, "all" shows every one.
    #[arg(long, value_name = "search|all")]
    pub expose: Option<String>,

    /// The gateway's session (X-Session-ID) that is used at --gateway-url.
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
}

#[derive(Parser)]
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
struct HttpCommand {
    #[command(flatten)]
    arguments: Arguments,
}

#[derive(Parser)]
#[command(
    name = "gateway-mcp",
    version,
    about = "A self-hosted routing proxy between AI agents and MCP servers, for MCP clients.",
    long_about = "A self-hosted routing proxy between AI agents and MCP servers, for MCP clients: one server over \
                  Streamable HTTP (at /mcp) or stdio that has the tools of all of them.",
    after_help = "Settings come from, the later one counting: the defaults, config/gateway.toml (or --config), \
                  the file .env, environment variables (GATEWAY_URL, GATEWAY_URL_API_KEY for the key of that \
                  gateway, GATEWAY_SESSION, GATEWAY_HOST, GATEWAY_PORT, GATEWAY_API_KEY for the key of this \
                  program's own callers, LOG_LEVEL, and GATEWAY__SECTION__KEY for everything else), flags. --check \
                  prints them all.\n\n\
                  Exit status: 0 after SIGTERM, SIGINT or the end of standard input, 1 when running failed, 2 for a \
                  mistake in the configuration."
)]
struct McpCommand {
    #[command(flatten)]
    flags: McpFlags,
    #[command(flatten)]
    arguments: Arguments,
}

impl Arguments {
    /// Those of this process, which is `gateway-http`. Ends it for `--help` and `--version`, and with status 2 for
    /// flags that are none.
    pub fn of_process() -> Self {
        HttpCommand::parse().arguments
    }

    /// Those of this process, which is `gateway-mcp`.
    pub fn of_mcp_process() -> Self {
        let port = "Port to listen on; 0 takes a free one [default: 3000]";
        let command = McpCommand::command().mut_arg("port", |argument| argument.help(port));
        let parsed = McpCommand::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
        Self { program: Program::Mcp(parsed.flags), ..parsed.arguments }
    }
}
