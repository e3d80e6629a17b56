//! Reads typed values out of what was typed, and remembers everything it was asked for.
//!
//! One call per setting says its key, its default and what is valid; from those calls come the settings,
//! all mistakes, the list of known keys (so that an unknown one is a mistake) and the effective
//! configuration.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use figment::Figment;
use figment::value::{Dict, Value};
use gateway_core::Secret;

use super::mistake::{Mistake, Mistakes};
use super::source::{CONTRACT_VARIABLES, VARIABLE_PREFIX};

/// Reads settings one after another.
pub(super) struct Reader<'a> {
    figment: &'a Figment,
    root: Dict,
    mistakes: Mistakes,
    effective: Vec<Effective>,
}

/// One setting as it counts.
struct Effective {
    key: &'static str,
    /// `None`: it has no value.
    value: Option<toml::Value>,
    /// Where it was typed; `None` for a default.
    source: Option<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(figment: &'a Figment, mistakes: Mistakes) -> Self {
        let root = match figment.find_value("") {
            Ok(Value::Dict(_, root)) => root,
            _ => Dict::new(),
        };
        Self { figment, root, mistakes, effective: Vec::new() }
    }

    pub(super) fn text(&mut self, key: &'static str, default: &str) -> String {
        let read = |value: &Value| value.as_str().map(str::to_owned);
        self.value(key, default.to_owned(), "a text in quotes", read, |text| Some(text.clone().into()))
    }

    /// A text that has no default.
    pub(super) fn optional_text(&mut self, key: &'static str) -> Option<String> {
        let read = |value: &Value| value.as_str().map(|text| Some(text.trim().to_owned()));
        self.value(key, None, "a text in quotes", read, |text: &Option<String>| text.clone().map(Into::into))
    }

    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        let read = |value: &Value| match value {
            Value::Bool(_, flag) => Some(*flag),
            _ => match value.as_str()?.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Some(true),
                "false" | "0" | "no" | "off" => Some(false),
                _ => None,
            },
        };
        self.value(key, default, "true or false", read, |flag| Some((*flag).into()))
    }

    pub(super) fn number(&mut self, key: &'static str, range: RangeInclusive<u64>, default: u64) -> u64 {
        let show = |number: &u64| Some(i64::try_from(*number).unwrap_or(i64::MAX).into());
        self.value(key, default, &wanted_number(&range), |value| number_in(value, &range), show)
    }

    /// A number that has no default.
    pub(super) fn optional_number(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let show = |number: &Option<u64>| number.map(|number| i64::try_from(number).unwrap_or(i64::MAX).into());
        self.value(key, None, &wanted_number(&range), |value| number_in(value, &range).map(Some), show)
    }

    /// A number that counts things in memory.
    pub(super) fn count(&mut self, key: &'static str, range: RangeInclusive<u64>, default: usize) -> usize {
        let number = self.number(key, range, default as u64);
        usize::try_from(number).unwrap_or(usize::MAX)
    }

    pub(super) fn fraction(&mut self, key: &'static str, default: f32) -> f32 {
        let read = |value: &Value| {
            let number = match value {
                Value::Num(_, number) => number.to_f64().or(number.to_u128().map(|n| n as f64)),
                _ => value.as_str()?.trim().parse::<f64>().ok(),
            };
            number.map(|number| number as f32).filter(|number| (0.0..=1.0).contains(number))
        };
        // Through its text, since 0.1 as a longer float is not 0.1.
        let show = |number: &f32| number.to_string().parse::<f64>().ok().map(Into::into);
        self.value(key, default, "a number from 0 to 1", read, show)
    }

    pub(super) fn texts(&mut self, key: &'static str, default: &[String]) -> Vec<String> {
        let read = |value: &Value| match value {
            Value::Array(_, values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
            _ => {
                let parts = value.as_str()?.split(',').map(str::trim);
                Some(parts.filter(|part| !part.is_empty()).map(str::to_owned).collect())
            }
        };
        let wanted = "an array of texts (in a variable: separated by commas)";
        self.value(key, default.to_vec(), wanted, read, |texts| Some(texts.clone().into()))
    }

    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let read = |value: &Value| value.as_str().filter(|path| !path.is_empty()).map(|path| Some(PathBuf::from(path)));
        self.value(key, None, "a path in quotes", read, |path: &Option<PathBuf>| {
            path.as_ref().map(|path| path.to_string_lossy().into_owned().into())
        })
    }

    pub(super) fn secret(&mut self, key: &'static str) -> Option<Secret> {
        let found = self.figment.find_value(key).ok();
        let source = found.as_ref().map(|value| self.source_of(value));
        // Not through `value`: its message shows what was typed.
        let text = found.as_ref().and_then(Value::as_str);
        if found.is_some() && text.is_none() {
            let mistake = Mistake::new(key, "must be a text in quotes");
            self.mistakes.0.push(mistake.with_source(source.clone().unwrap_or_default()));
        }
        let secret = text.map(Secret::new);
        let value = text.map(|text| toml::Value::from(if text.is_empty() { "" } else { "***" }));
        self.effective.push(Effective { key, value, source });
        secret
    }

    /// One of a few words; the first of equal values is the one that is shown.
    pub(super) fn choice<T: Copy + PartialEq>(
        &mut self,
        key: &'static str,
        words: &[(&'static str, T)],
        default: T,
    ) -> T {
        let wanted: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
        let wanted = format!("one of {}", wanted.join(", "));
        let read = |value: &Value| {
            let typed = value.as_str()?.trim();
            words.iter().find(|(word, _)| word.eq_ignore_ascii_case(typed)).map(|(_, meaning)| *meaning)
        };
        let show = |value: &T| {
            let word = words.iter().find(|(_, meaning)| meaning == value);
            word.map(|(word, _)| (*word).into())
        };
        self.value(key, default, &wanted, read, show)
    }

    /// Whether somebody typed a value for this key.
    pub(super) fn is_typed(&self, key: &str) -> bool {
        self.figment.find_value(key).is_ok()
    }

    /// Notes what is wrong with a value that [`Reader`] itself took.
    pub(super) fn mistake(&mut self, key: &'static str, problem: impl Into<String>) {
        let mut mistake = Mistake::new(key, problem);
        if let Some(effective) = self.effective.iter().find(|effective| effective.key == key) {
            mistake.value = effective.value.as_ref().map(toml::Value::to_string);
            mistake.source = effective.source.clone();
        }
        self.mistakes.0.push(mistake);
    }

    /// The effective configuration as TOML, and all mistakes; a key that nobody asked for is one.
    pub(super) fn finish(mut self) -> (String, Mistakes) {
        let root = std::mem::take(&mut self.root);
        self.unknown_keys(&root, "");
        (self.to_toml(), self.mistakes)
    }

    fn value<T>(
        &mut self,
        key: &'static str,
        default: T,
        wanted: &str,
        read: impl FnOnce(&Value) -> Option<T>,
        show: impl FnOnce(&T) -> Option<toml::Value>,
    ) -> T {
        let found = self.figment.find_value(key).ok();
        let source = found.as_ref().map(|value| self.source_of(value));
        let value = match found.as_ref().map(|value| (value, read(value))) {
            None => default,
            Some((_, Some(value))) => value,
            Some((value, None)) => {
                let mistake = Mistake::new(key, format!("must be {wanted}")).with_value(shown(value));
                self.mistakes.0.push(mistake.with_source(source.clone().unwrap_or_default()));
                default
            }
        };
        self.effective.push(Effective { key, value: show(&value), source });
        value
    }

    fn source_of(&self, value: &Value) -> String {
        let metadata = self.figment.get_metadata(value.tag());
        metadata.map(|metadata| metadata.name.to_string()).unwrap_or_default()
    }

    fn unknown_keys(&mut self, dict: &Dict, above: &str) {
        for (name, value) in dict {
            let key = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
            let known = self.effective.iter().any(|effective| effective.key == key);
            match value {
                _ if known => {}
                Value::Dict(_, inner) => self.unknown_keys(inner, &key),
                _ => {
                    let source = self.source_of(value);
                    let problem = self.about_unknown(&key, source.starts_with("variable"));
                    self.mistakes.0.push(Mistake::new(key, problem).with_source(source));
                }
            }
        }
    }

    fn about_unknown(&self, key: &str, as_variable: bool) -> String {
        let keys = || self.effective.iter().map(|effective| effective.key);
        if keys().any(|known| known.split('.').next() == Some(key)) {
            return format!("is a section; write its settings below [{key}]");
        }
        let last = key.rsplit('.').next().unwrap_or(key);
        let nearest = keys()
            .map(|known| {
                let same_name = known.rsplit('.').next() == Some(last);
                (if same_name { 0 } else { strsim::osa_distance(known, key) }, known)
            })
            // Of equally near ones the first that is read, which is the one that most people have.
            .min_by_key(|(distance, _)| *distance)
            .filter(|(distance, _)| *distance <= 3);
        let meant = nearest.map(|(_, known)| if as_variable { variable_of(known) } else { known.to_owned() });
        match meant {
            Some(meant) => format!("is no setting; did you mean {meant}?"),
            None => "is no setting; `--check` prints all there are".to_owned(),
        }
    }

    fn to_toml(&self) -> String {
        let mut sections: Vec<(&str, String)> = Vec::new();
        for Effective { key, value, source } in &self.effective {
            let (section, name) = key.split_once('.').unwrap_or(("", key));
            let line = match (value, source) {
                (None, _) => format!("# {name} is not set\n"),
                (Some(value), None) => format!("{name} = {value}\n"),
                (Some(value), Some(source)) => format!("{name} = {value}  # {source}\n"),
            };
            match sections.iter_mut().find(|(other, _)| *other == section) {
                Some((_, lines)) => lines.push_str(&line),
                None => sections.push((section, line)),
            }
        }
        let sections: Vec<_> = sections.iter().map(|(name, lines)| format!("[{name}]\n{lines}")).collect();
        sections.join("\n")
    }
}

fn wanted_number(range: &RangeInclusive<u64>) -> String {
    format!("a whole number from {} to {}", range.start(), range.end())
}

fn number_in(value: &Value, range: &RangeInclusive<u64>) -> Option<u64> {
    let number = match value {
        Value::Num(_, number) => u64::try_from(number.to_u128()?).ok()?,
        // An underscore between digits is TOML's way to write large numbers.
        _ => value.as_str()?.trim().replace('_', "").parse().ok()?,
    };
    range.contains(&number).then_some(number)
}

/// The variable of a setting.
fn variable_of(key: &str) -> String {
    let contract = CONTRACT_VARIABLES.iter().find(|(_, of)| *of == key);
    contract.map_or_else(
        || format!("{VARIABLE_PREFIX}{}", key.replace('.', "__").to_ascii_uppercase()),
        |(name, _)| (*name).to_owned(),
    )
}

/// What was typed, for a message.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(_, text) => format!("{text:?}"),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => match number.to_u128() {
            Some(number) => number.to_string(),
            None => number.to_f64().unwrap_or_default().to_string(),
        },
        Value::Array(..) => "[...]".to_owned(),
        _ => "{...}".to_owned(),
    };
    let mut cut: String = text.chars().take(80).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}
