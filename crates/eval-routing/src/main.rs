//! The program behind `cargo xtask eval-routing`.

use std::process::ExitCode;

use clap::Parser as _;
use eval_routing::{Memory, Options, run};
use peak_alloc::PeakAlloc;

/// Counts what is allocated, so that the memory of an index is what it holds and not what the system has set aside.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = Options::parse();
    let memory = Memory::new(|| ALLOCATOR.current_usage());
    match run(&options, memory, &mut std::io::stdout().lock()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("eval-routing: {error}");
            ExitCode::FAILURE
        }
    }
}
