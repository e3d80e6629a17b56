//! Configuration and assembly: settings to a running gateway with its doors.

mod arguments;
mod assemble;
mod config;
mod demo;
mod failure;
mod inventory;
mod learning;
mod listeners;
mod logging;
mod mcp;
mod open_files;
mod program;
mod queue;
mod relay;
mod routing;
mod run;
mod servers_file;
mod signals;
mod storage;
mod usage;
mod watch;

pub use arguments::{Arguments, McpFlags, Program};
pub use config::{
    Broker, Environment, Loaded, LogFormat, LogLevel, LogSettings, Mistake, Mistakes, QueueSettings, RedisSettings,
    ResilienceSettings, ServersSettings, Settings, StoragePlace, StorageSettings, UsageSettings, load,
};
pub use logging::start_logging;
pub use mcp::run_mcp;
pub use program::run_program;
pub use run::run;
pub use servers_file::{ServerList, ServersFile};
pub use watch::Watch;
