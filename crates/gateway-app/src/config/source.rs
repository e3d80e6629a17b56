//! Where settings come from: one typed value each, with its place.
//!
//! Every single value is a figment provider of its own, so that figment's provenance names the very line,
//! variable or flag that a value came from.

use figment::value::{Dict, Map, Value};
use figment::{Error, Figment, Metadata, Profile, Provider};

use super::mistake::{Mistake, Mistakes};

/// The variables that the contract names, and the settings they stand for.
pub(super) const CONTRACT_VARIABLES: [(&str, &str); 13] = [
    ("GATEWAY_HOST", "server.host"),
    ("GATEWAY_PORT", "server.port"),
    ("GATEWAY_API_KEY", "auth.api_key"),
    ("GATEWAY_URL", "relay.url"),
    ("GATEWAY_URL_API_KEY", "relay.api_key"),
    ("GATEWAY_SESSION", "relay.session"),
    ("GATEWAY_ENCRYPTION_KEY", "storage.encryption_key"),
    ("LOG_LEVEL", "log.level"),
    ("REDIS_HOST", "redis.host"),
    ("REDIS_PORT", "redis.port"),
    ("OPENAI_API_KEY", "llm.openai_api_key"),
    ("ANTHROPIC_API_KEY", "llm.anthropic_api_key"),
    ("GEMINI_API_KEY", "llm.gemini_api_key"),
];

/// The setting of the gateway's own key.
const API_KEY: [&str; 2] = ["auth", "api_key"];

/// The beginning of every other variable of ours: `GATEWAY__SERVER__PORT`.
pub(super) const VARIABLE_PREFIX: &str = "GATEWAY__";

/// One value that somebody typed.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    /// Its key, split at the dots.
    pub(super) path: Vec<String>,
    pub(super) value: Value,
    /// Where it was typed.
    pub(super) source: String,
}

impl Provider for Setting {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut path = self.path.iter().rev();
        let Some(last) = path.next() else { return Ok(Map::new()) };
        let innermost = Dict::from([(last.clone(), self.value.clone())]);
        let outermost = path.fold(innermost, |inner, name| Dict::from([(name.clone(), inner.into())]));
        Ok(Map::from([(Profile::Default, outermost)]))
    }
}

/// All layers, the weakest first, as one figment.
pub(super) fn merge(layers: impl IntoIterator<Item = Setting>) -> Figment {
    layers.into_iter().fold(Figment::new(), Figment::merge)
}

/// The settings of a TOML text.
pub(super) fn from_toml(name: &str, text: &str, mistakes: &mut Mistakes) -> Vec<Setting> {
    let (document, errors) = toml::de::DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start);
        let source = format!("file {name}:{}", line_of(text, at));
        let problem = format!("is not valid TOML: {}", error.message());
        mistakes.0.push(Mistake::new("the configuration file", problem).with_source(source));
    }
    let mut settings = Vec::new();
    if errors.is_empty() {
        from_table(document.get_ref(), &[], name, text, &mut settings);
    }
    settings
}

/// The settings among environment variables; `origin` says how to name one (`variable X`).
pub(super) fn from_variables(
    variables: &[(String, String)],
    origin: impl Fn(&str) -> String,
    mistakes: &mut Mistakes,
) -> Vec<Setting> {
    let mut settings: Vec<Setting> = Vec::new();
    for (name, value) in variables {
        let Some(path) = path_of(name) else {
            if let Some(meant) = nearly_a_contract_variable(name) {
                let problem = format!("is no variable of the gateway; did you mean {meant}?");
                mistakes.0.push(Mistake::new(name, problem).with_source(origin(name)));
            }
            continue;
        };
        // `${X:-}` in a compose file gives an empty variable where none is meant. Not so for the key: without it
        // everybody may call, and whoever names it means to have one.
        if value.is_empty() && path != API_KEY {
            continue;
        }
        // Kubernetes tells every container of a service called "redis" in its own way, which nobody meant for us.
        if name == "REDIS_PORT" && value.starts_with("tcp://") {
            continue;
        }
        let setting = Setting { path, value: value.clone().into(), source: origin(name) };
        if let Some(other) = settings.iter().find(|other| other.path == setting.path)
            && other.value.as_str() != setting.value.as_str()
        {
            let problem = format!("contradicts the {}; remove one of them", other.source);
            let mistake = Mistake::new(setting.path.join("."), problem);
            mistakes.0.push(mistake.with_source(&*setting.source));
        }
        settings.push(setting);
    }
    settings
}

fn path_of(variable: &str) -> Option<Vec<String>> {
    if let Some((_, key)) = CONTRACT_VARIABLES.iter().find(|(name, _)| *name == variable) {
        return Some(key.split('.').map(str::to_owned).collect());
    }
    let rest = variable.strip_prefix(VARIABLE_PREFIX)?;
    Some(rest.split("__").map(str::to_ascii_lowercase).collect())
}

/// A slip of the pen in one of the contract's names. Other names that begin with `GATEWAY_` belong to
/// others: Kubernetes makes several for a service called "gateway".
fn nearly_a_contract_variable(name: &str) -> Option<&'static str> {
    let near = |meant: &str| (1..=2).contains(&strsim::osa_distance(meant, name));
    let names = CONTRACT_VARIABLES.iter().map(|(meant, _)| *meant);
    names.filter(|meant| meant.starts_with("GATEWAY_")).find(|meant| near(meant))
}

fn from_table(table: &toml::de::DeTable<'_>, above: &[String], name: &str, text: &str, settings: &mut Vec<Setting>) {
    for (key, value) in table {
        let mut path = above.to_vec();
        path.push(key.get_ref().to_string());
        match value.get_ref() {
            toml::de::DeValue::Table(inner) => from_table(inner, &path, name, text, settings),
            _ => settings.push(Setting {
                path,
                value: value_of(value.get_ref()),
                source: format!("file {name}:{}", line_of(text, key.span().start)),
            }),
        }
    }
}

fn value_of(value: &toml::de::DeValue<'_>) -> Value {
    use toml::de::DeValue;
    match value {
        DeValue::String(text) => text.to_string().into(),
        DeValue::Boolean(flag) => (*flag).into(),
        // What is negative or too large for every setting stays as it was typed, for the message.
        DeValue::Integer(number) => match u64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => number.into(),
            Err(_) => number.as_str().to_owned().into(),
        },
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) => number.into(),
            Err(_) => number.as_str().to_owned().into(),
        },
        DeValue::Datetime(time) => time.to_string().into(),
        DeValue::Array(values) => values.iter().map(|value| value_of(value.get_ref())).collect::<Vec<_>>().into(),
        DeValue::Table(table) => {
            let entries = table.iter().map(|(key, value)| (key.get_ref().to_string(), value_of(value.get_ref())));
            entries.collect::<Dict>().into()
        }
    }
}

/// The number of the line in which byte `at` stands, from 1.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
