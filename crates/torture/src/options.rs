//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Treats gateways badly, and counts what they lost.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask torture")]
pub struct Options {
    #[command(subcommand)]
    pub command: Command,
}

/// What is done to them.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Jobs over several replicas on one Redis, while replicas and Redis are killed
    Queue(Queue),
    /// A steady load with faulty servers, and what it does to the gateway's memory
    Soak(Soak),
}

/// Options of `queue`.
#[derive(Clone, Debug, Args)]
pub struct Queue {
    /// How many jobs
    #[arg(long, default_value_t = 10_000)]
    pub jobs: usize,
    /// How many gateways
    #[arg(long, default_value_t = 3)]
    pub replicas: usize,
    /// Jobs a second that are sent
    #[arg(long, default_value_t = 250)]
    pub rate: usize,
    /// A replica is killed this often, in milliseconds
    #[arg(long, default_value_t = 2_500)]
    pub kill_every_ms: u64,
    /// How often Redis is killed and started again
    #[arg(long, default_value_t = 3)]
    pub redis_restarts: usize,
    #[command(flatten)]
    pub programs: Programs,
}

/// Options of `soak`.
#[derive(Clone, Debug, Args)]
pub struct Soak {
    /// How long, in seconds
    #[arg(long, default_value_t = 600)]
    pub seconds: u64,
    /// Requests a second
    #[arg(long, default_value_t = 200)]
    pub rate: u64,
    /// Of how many calls one meets a fault of its server
    #[arg(long, default_value_t = 100)]
    pub fault_every: u64,
    #[command(flatten)]
    pub programs: Programs,
}

/// Where programs are.
#[derive(Clone, Debug, Args)]
pub struct Programs {
    /// The folder with gateway-http
    #[arg(long, default_value = "target/debug")]
    pub bin_dir: PathBuf,
    /// Keeps the logs of the gateways in this folder
    #[arg(long)]
    pub logs: Option<PathBuf>,
}
