//! The terminal: lines to read, questions to answer.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::{JoinHandle, spawn_blocking};

/// The terminal of this program. Clones are the same one; one question is asked at a time.
#[derive(Clone, Debug, Default)]
pub struct Terminal {
    /// A read that is under way. It cannot be called off: when its question is, the next one gets the line.
    reading: Arc<Mutex<Option<JoinHandle<Option<String>>>>>,
}

impl Terminal {
    /// Shows a line, or several.
    pub fn say(&self, text: impl Display) {
        show(&format!("{text}\n"));
    }

    /// Asks, and returns the line that was typed; `None` where nobody types any more.
    pub async fn ask(&self, question: &str) -> Option<String> {
        let mut reading = self.reading.lock().await;
        show(question);
        let line = reading.get_or_insert_with(|| spawn_blocking(read_line)).await;
        *reading = None;
        line.ok().flatten()
    }

    /// Asks for yes or no; Enter means yes, and so does nothing else but a word with `y`.
    pub async fn agrees(&self, question: &str) -> bool {
        let answer = self.ask(&format!("{question} [Y/n] ")).await;
        answer.is_some_and(|answer| answer.trim().is_empty() || answer.trim().to_lowercase().starts_with('y'))
    }
}

fn show(text: &str) {
    let mut out = io::stdout().lock();
    // Nobody is left to tell that the terminal is gone.
    let _ = out.write_all(harmless(text).as_bytes()).and_then(|()| out.flush());
}

/// The text without what a terminal takes for a command: much of it was written by servers.
fn harmless(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

fn read_line() -> Option<String> {
    let mut line = String::new();
    let bytes = io::stdin().read_line(&mut line).ok()?;
    (bytes > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_do_not_command_the_terminal() {
        assert_eq!(harmless("a\tb\n\u{1b}[2Jc\u{7}\u{9b}d\r ü"), "a\tb\n[2Jcd ü");
    }
}
