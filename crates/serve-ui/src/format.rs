//! Numbers, times and texts as people read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use maud::{Markup, html};

/// Longest JSON or text that is shown of one thing, in bytes.
pub(crate) const MAX_SHOWN: usize = 256 * 1024;

/// `1234567` as `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1234567` as `1.23M`, for places without room.
pub(crate) fn short(number: f64) -> String {
    let scales = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
    match scales.iter().find(|(scale, _)| number.abs() >= *scale) {
        Some((scale, unit)) => format!("{}{unit}", digits(number / scale)),
        None => digits(number),
    }
}

/// Bytes, in units of 1,000.
pub(crate) fn bytes(number: u64) -> String {
    let text = short(number as f64);
    match text.find(|c: char| c.is_ascii_alphabetic()) {
        Some(unit) => format!("{} {}B", &text[..unit], &text[unit..]),
        None => format!("{text} B"),
    }
}

/// `1 tool`, `2 tools`.
pub(crate) fn plural(number: usize, what: &str) -> String {
    format!("{} {what}{}", count(number as u64), if number == 1 { "" } else { "s" })
}

/// Milliseconds: `0.41 ms`, `12 ms`, `1.5 s`.
pub(crate) fn millis(milliseconds: f64) -> String {
    match milliseconds {
        ms if ms >= 60_000.0 => format!("{} min", digits(ms / 60_000.0)),
        ms if ms >= 1000.0 => format!("{} s", digits(ms / 1000.0)),
        ms => format!("{} ms", digits(ms)),
    }
}

/// How long something took.
pub(crate) fn took(duration: Duration) -> String {
    millis(duration.as_secs_f64() * 1000.0)
}

/// A part of a whole: `0 %`, `0.4 %`, `12 %`.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    format!("{} %", digits(part as f64 * 100.0 / whole as f64))
}

/// A length of time in its largest unit: `3 days`.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (number, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    plural(usize::try_from(number).unwrap_or(usize::MAX), unit)
}

/// Where a moment lies from now: `in 5 minutes`, `2 hours ago`. Its exact time stands in the title.
pub(crate) fn moment(at: SystemTime, now: SystemTime) -> Markup {
    let words = match (at.duration_since(now), now.duration_since(at)) {
        (Ok(ahead), _) if ahead.as_secs() > 0 => format!("in {}", span(ahead)),
        (_, Ok(ago)) if ago.as_secs() > 0 => format!("{} ago", span(ago)),
        _ => "now".to_owned(),
    };
    let exact = rfc3339(at);
    html! { time datetime=(exact) title=(exact) { (words) } }
}

/// A moment on the clock, which the script turns into the reader's own.
pub(crate) fn clock(at: SystemTime, form: &'static str) -> Markup {
    let exact = rfc3339(at);
    let shown = match form {
        "date" => exact.get(..10),
        "time" => exact.get(11..19),
        _ => exact.get(11..16),
    };
    html! { time datetime=(exact) data-clock=(form) title=(exact) { (shown.unwrap_or_default()) } }
}

/// RFC 3339 in UTC.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    // The crate formats the years 1970 to 9999 only.
    let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    humantime::format_rfc3339_millis(time.clamp(UNIX_EPOCH, last)).to_string()
}

/// An error's clause as a sentence.
pub(crate) fn sentence(clause: &str) -> String {
    let mut chars = clause.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// At most `max` bytes of a text, and a sign where there is more.
pub(crate) fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let end = (0..=max).rfind(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// JSON with line breaks; as it came where it is long. Numbers and order of keys stay what they are.
pub(crate) fn pretty(json: &str) -> String {
    if json.len() > MAX_SHOWN {
        return cut(json, MAX_SHOWN);
    }
    let mut pretty = Pretty { text: String::with_capacity(json.len() * 2), depth: 0 };
    pretty.write(json);
    cut(&pretty.text, MAX_SHOWN)
}

struct Pretty {
    text: String,
    depth: usize,
}

impl Pretty {
    fn write(&mut self, json: &str) {
        let (mut in_string, mut escaped, mut is_empty) = (false, false, false);
        for c in json.chars() {
            if in_string {
                self.text.push(c);
                in_string = escaped || c != '"';
                escaped = !escaped && c == '\\';
                continue;
            }
            if c.is_ascii_whitespace() {
                continue;
            }
            if is_empty && !matches!(c, '}' | ']') {
                self.line();
            }
            match c {
                '{' | '[' => self.depth += 1,
                '}' | ']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if !is_empty {
                        self.line();
                    }
                }
                _ => {}
            }
            is_empty = matches!(c, '{' | '[');
            self.text.push(c);
            match c {
                '"' => in_string = true,
                ':' => self.text.push(' '),
                ',' => self.line(),
                _ => {}
            }
        }
    }

    fn line(&mut self) {
        self.text.push('\n');
        // However deep it is, it stays readable and short.
        self.text.extend(std::iter::repeat_n("  ", self.depth.min(20)));
    }
}

/// Three digits that count.
fn digits(number: f64) -> String {
    let magnitude = number.abs();
    let text = match magnitude {
        m if m >= 100.0 => format!("{number:.0}"),
        m if m >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_true() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0.0, 0.126, 9.99, 12.34, 123.4, 1234.0, 5.6e6].map(short),
            ["0", "0.13", "9.99", "12.3", "123", "1.23k", "5.6M"]
        );
        assert_eq!([0, 999, 1500].map(bytes), ["0 B", "999 B", "1.5 kB"]);
        assert_eq!([0.0, 0.41, 12.0, 1500.0, 90_000.0].map(millis), ["0 ms", "0.41 ms", "12 ms", "1.5 s", "1.5 min"]);
        assert_eq!(
            [(0, 0), (0, 5), (1, 250), (1, 3), (5, 5)].map(|(part, whole)| percent(part, whole)),
            ["–", "0 %", "0.4 %", "33.3 %", "100 %"]
        );
        assert_eq!(
            [1, 59, 60, 7200, 86_400, 200_000].map(|s| span(Duration::from_secs(s))),
            ["1 second", "59 seconds", "1 minute", "2 hours", "24 hours", "2 days"]
        );
    }

    #[test]
    fn json_is_broken_into_lines_and_nothing_else() {
        let check = |json: &str, expected: &str| assert_eq!(pretty(json), expected, "{json}");
        check("1.50e+3", "1.50e+3");
        check("{}", "{}");
        check(
            r#"{"b":[1, 2],"a":"x: {\"y\"\\"}"#,
            "{\n  \"b\": [\n    1,\n    2\n  ],\n  \"a\": \"x: {\\\"y\\\"\\\\\"\n}",
        );
        check(r#"[[],{}]"#, "[\n  [],\n  {}\n]");
        assert!(pretty(&"[".repeat(10_000)).len() < 1_000_000);
    }
}
