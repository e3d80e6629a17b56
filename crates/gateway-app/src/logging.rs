//! The log: lines on standard error.

use std::borrow::Cow;
use std::io::{self, Write};

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
    let log = tracing_subscriber::fmt().with_env_filter(filter(settings)).with_writer(|| OneLine(io::stderr()));
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

/// Writes each event as one line. Names and messages come from callers and servers: what they hold must neither
/// begin a line that looks like ours nor command a terminal. (The formatter sees to that in messages only.)
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    /// Takes a whole event, which is how the formatter writes.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.write_all(&one_line(event))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// With every control character but the last line break, tabs and colours written out.
fn one_line(event: &[u8]) -> Cow<'_, [u8]> {
    let line = event.strip_suffix(b"\n").unwrap_or(event);
    // Of U+0080 to U+009F, which are control characters too, every one begins with 0xC2.
    if !line.iter().any(|byte| byte.is_ascii_control() || *byte == 0xC2) {
        return Cow::Borrowed(event);
    }
    let line = String::from_utf8_lossy(line);
    let mut written = String::with_capacity(event.len() + 16);
    for (at, character) in line.char_indices() {
        let harmless = character == '\t' || (character == '\u{1b}' && is_colour(&line[at + 1..]));
        if character.is_control() && !harmless {
            written.extend(character.escape_default());
        } else {
            written.push(character);
        }
    }
    written.push('\n');
    Cow::Owned(written.into_bytes())
}

/// Whether the text after an escape character only sets a colour: `[1;32m`.
fn is_colour(text: &str) -> bool {
    let parameters = text.strip_prefix('[').and_then(|text| text.split_once('m'));
    parameters.is_some_and(|(numbers, _)| numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        for (event, expected) in [
            ("caf\u{e9}\t\"x\"\n", "caf\u{e9}\t\"x\"\n"),
            ("a\r\nFORGED\0\n", "a\\r\\nFORGED\\u{0}\n"),
            ("\u{1b}[32mINFO\u{1b}[0m a\n\n", "\u{1b}[32mINFO\u{1b}[0m a\\n\n"),
            ("\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}1m\u{1b}\n", "\\u{1b}[2J\\u{1b}]0;title\\u{7}\\u{9b}1m\\u{1b}\n"),
            ("\n", "\n"),
        ] {
            let mut written = OneLine(Vec::new());
            written.write_all(event.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(written.0).unwrap(), expected);
        }
    }
}
