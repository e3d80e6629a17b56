//! What a server writes to its standard error: logged, and its last lines kept.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gateway_core::Command;
use tokio::io::AsyncRead;

use crate::lines::{LineError, Lines};

/// Longest line that is logged, in bytes; the rest of a longer one is skipped.
const MAX_LINE: usize = 8 * 1024;

/// How much is kept for error messages.
const KEPT_LINES: usize = 20;
const KEPT_BYTES: usize = 4 * 1024;

/// How much of it a caller sees.
const SHOWN_LINES: usize = 3;
const SHOWN_CHARS: usize = 300;

/// Shorter values of variables (`1`, `yes`) are no secrets, and hiding them would hide the message.
const MIN_SECRET: usize = 4;

/// The last lines of a server's standard error, without the values of its variables.
#[derive(Debug)]
pub(crate) struct Tail {
    secrets: Vec<String>,
    lines: Mutex<VecDeque<String>>,
}

impl Tail {
    /// For a server that was started by `command`.
    pub(crate) fn new(command: &Command) -> Self {
        // A value of several lines is printed line by line.
        let mut secrets: Vec<String> = command
            .env
            .values()
            .flat_map(|value| value.expose().lines())
            .map(str::trim)
            .filter(|text| text.len() >= MIN_SECRET)
            .map(str::to_owned)
            .collect();
        // The longest first, or a short one inside a long one would leave its ends.
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        Self { secrets, lines: Mutex::default() }
    }

    /// Reads until the server closes its standard error. Each line that is kept is `told`.
    pub(crate) async fn read(&self, server: &str, source: impl AsyncRead + Unpin, told: impl Fn(&str)) {
        let mut lines = Lines::new(source, MAX_LINE);
        loop {
            match lines.next().await {
                Ok(Some(line)) => self.add(server, &line, &told),
                Ok(None) | Err(LineError::Io(_)) => return,
                Err(LineError::TooLong) => {
                    self.add(server, lines.beginning(), &told);
                    if lines.skip().await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// The end of it in one line, for a caller; `None` where there is nothing.
    pub(crate) fn last_words(&self) -> Option<String> {
        let lines = self.lock();
        // Indented lines are frames of a stack trace or excerpts of source, in most languages.
        let telling = |line: &&String| !line.starts_with([' ', '\t', '}', ')']) && !line.starts_with("Traceback");
        let mut shown: Vec<&String> = lines.iter().rev().filter(telling).take(SHOWN_LINES).collect();
        if shown.is_empty() {
            shown.extend(lines.back());
        }
        let shown: Vec<String> = shown.into_iter().rev().map(|line| cut(line.trim(), SHOWN_CHARS)).collect();
        (!shown.is_empty()).then(|| shown.join(" | "))
    }

    /// `text` without the values of the server's variables.
    pub(crate) fn redact(&self, mut text: String) -> String {
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), "***");
            }
        }
        text
    }

    fn add(&self, server: &str, line: &[u8], told: impl Fn(&str)) {
        let line = self.redact(plain(&String::from_utf8_lossy(line)));
        if line.trim().is_empty() {
            return;
        }
        tracing::debug!(target: "upstream", server, "{line}");
        told(&line);
        let mut lines = self.lock();
        lines.push_back(cut(&line, KEPT_BYTES / 4));
        let mut bytes: usize = lines.iter().map(String::len).sum();
        while lines.len() > KEPT_LINES || (bytes > KEPT_BYTES && lines.len() > 1) {
            bytes -= lines.pop_front().map_or(0, |line| line.len());
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first `max` characters, and a sign where there are more.
pub(crate) fn cut(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Without colours and other control characters.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' && chars.next_if_eq(&'[').is_some() {
            // A control sequence ends with a byte of `@` to `~`.
            while chars.next_if(|c| !matches!(c, '@'..='~')).is_some() {}
            chars.next();
        } else if !c.is_control() || c == '\t' {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gateway_core::Secret;

    use super::*;

    fn tail(secrets: &[&str]) -> Tail {
        let env: BTreeMap<_, _> =
            secrets.iter().enumerate().map(|(index, secret)| (index.to_string(), Secret::new(*secret))).collect();
        Tail::new(&Command { env, ..Command::default() })
    }

    async fn words(secrets: &[&str], text: &str) -> Option<String> {
        let tail = tail(secrets);
        tail.read("test", text.as_bytes(), |_| {}).await;
        tail.last_words()
    }

    #[tokio::test]
    async fn shows_what_tells_most() {
        let check = async |text: &str, expected: Option<&str>| {
            assert_eq!(words(&[], text).await.as_deref(), expected, "{text:?}");
        };
        check("", None).await;
        check("\n \n", None).await;
        check("a\nb\nc\nd\n", Some("b | c | d")).await;
        check("  only this", Some("only this")).await;
        check(
            "Traceback (most recent call last):\n  File \"x\", line 1\n    import y\n\
             ModuleNotFoundError: No module named 'y'\n",
            Some("ModuleNotFoundError: No module named 'y'"),
        )
        .await;
        check("\u{1b}[31mred\u{1b}[0m\u{7}\r\n", Some("red")).await;
        check(&"x".repeat(100_000), Some(&format!("{}…", "x".repeat(SHOWN_CHARS)))).await;
    }

    #[tokio::test]
    async fn shows_no_value_of_a_variable() {
        let check = async |secrets: &[&str], text: &str, expected: &str| {
            assert_eq!(words(secrets, text).await.as_deref(), Some(expected), "{text:?}");
        };
        check(&["hush", "1"], "1: token=hush, again hush!", "1: token=***, again ***!").await;
        check(&["hush", "hush-hush"], "hush-hush", "***").await;
        check(&["-----BEGIN\nabcdef\n"], "bad key\nabcdef", "bad key | ***").await;
    }

    #[tokio::test]
    async fn keeps_little() {
        let tail = tail(&[]);
        let text = format!("{}\n", "y".repeat(900)).repeat(1_000);
        tail.read("test", text.as_bytes(), |_| {}).await;
        let lines = tail.lock();
        assert!(lines.iter().map(String::len).sum::<usize>() <= KEPT_BYTES);
        assert!(!lines.is_empty());
    }
}
