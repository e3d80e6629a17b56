//! The log: lines on standard error.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::util::TryInitError;

use crate::config::{LogFormat, LogSettings};

/// Libraries whose lines below `info` are about bytes on wires, not about this gateway.
const CHATTY: [&str; 5] = ["h2", "hyper", "hyper_util", "notify", "rustls"];

/// Starts logging for the whole process.
///
/// # Errors
/// Where the process logs already.
pub fn start_logging(settings: &LogSettings) -> Result<(), TryInitError> {
    let log = tracing_subscriber::fmt().with_env_filter(filter(settings)).with_writer(io::stderr);
    match settings.format {
        LogFormat::Json => log.json().flatten_event(true).finish().try_init(),
        LogFormat::Text => {
            let colours = io::IsTerminal::is_terminal(&io::stderr());
            log.with_ansi(colours).finish().try_init()
        }
    }
}

fn filter(settings: &LogSettings) -> EnvFilter {
    let mut directives = settings.level.as_str().to_owned();
    if matches!(settings.level.as_str(), "debug" | "trace") {
        for name in CHATTY {
            directives += &format!(",{name}=info");
        }
    }
    // The exceptions stand last: of two directives for one name the later counts.
    if !settings.filter.is_empty() {
        directives += &format!(",{}", settings.filter);
    }
    EnvFilter::builder().parse_lossy(directives)
}
