//! The client that the official conformance suite starts, with a gateway between it and the suite's server.
//!
//! The suite starts it once for each client scenario, names the scenario and the revision in variables, and
//! gives the URL of a server of its own. What that server sees decides. This program starts `gateway-http`
//! in front of it and uses, through the gateway, everything that the server offers: so the suite judges how
//! the gateway speaks to its upstreams. With `--direct` there is no gateway, which judges this client.

mod answers;
mod arguments;
mod client;
mod gateway;
mod http;
mod legacy;
mod mirror;
mod modern;
mod sse;
mod tour;

use std::process::ExitCode;
use std::time::Duration;

use arguments::Arguments;
use client::Client;
use gateway::Gateway;
use http::Target;

/// What a program may fail with here: a sentence for the log that the suite keeps.
type Outcome<T> = Result<T, String>;

/// Much longer than any scenario takes.
const LIMIT: Duration = Duration::from_secs(25);

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(mistake) => {
            eprintln!("conformance-client: {mistake}\n\n{}", arguments::USAGE);
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    match runtime.block_on(run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("conformance-client: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Outcome<()> {
    // Held to the end: the suite starts all its clients at once, and they would only slow each other down.
    let _turn = arguments.turn()?;
    let work = async {
        if arguments.direct {
            return visit(arguments, &arguments.url).await;
        }
        let mut gateway = Gateway::start(arguments).await?;
        let visited = visit(arguments, &gateway.url()).await;
        gateway.stop().await?;
        visited
    };
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(|error| format!("no signals: {error}"))?;
    // Both ways out drop the gateway, which kills it.
    tokio::select! {
        worked = tokio::time::timeout(LIMIT, work) => {
            worked.unwrap_or_else(|_| Err(format!("not done after {} s", LIMIT.as_secs())))
        }
        _ = terminate.recv() => Err("told to end".to_owned()),
    }
}

async fn visit(arguments: &Arguments, url: &str) -> Outcome<()> {
    let client = Client::connect(Target::parse(url)?, arguments.era).await?;
    let toured = tour::take(&client, arguments).await;
    client.close().await;
    toured
}
