//! The program behind `cargo xtask torture`.
#![expect(clippy::print_stdout, reason = "its figures are for people")]

mod error;
mod options;
mod producer;
mod redis_server;
mod replica;
mod replicas;
mod soak;
mod tally;
mod upstream;

use std::process::ExitCode;

use clap::Parser as _;

use crate::options::{Command, Options};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match &options.command {
        Command::Queue(queue) => replicas::run(queue).await,
        Command::Soak(soak) => soak::run(soak).await,
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("torture: {error}");
            ExitCode::FAILURE
        }
    }
}
