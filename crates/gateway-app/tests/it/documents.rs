//! What documents and deployment files say of settings, held against the settings that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gateway_app::{Broker, StoragePlace};

use crate::Scene;

/// The variable that stands for any other.
const PLACEHOLDER: &str = "GATEWAY__SECTION__KEY";

/// Words with a dot that look like settings and are the names of files.
const FILE_ENDINGS: [&str; 6] = ["json", "txt", "toml", "rs", "md", "js"];

/// What looks like a setting and is none: members of messages, attributes of spans.
const OTHERS: [&str; 4] = ["data.details", "data.kind", "data.retry_after_ms", "http.route"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The text files below `folder`, by their paths.
fn files_below(folder: &Path, into: &mut Vec<(PathBuf, String)>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.map(|entry| entry.expect("an entry").path()) {
        if path.is_dir() {
            files_below(&path, into);
        } else if let Ok(text) = fs::read_to_string(&path) {
            into.push((path, text));
        }
    }
}

/// Everything that people read to set up a gateway.
fn documents() -> Vec<(PathBuf, String)> {
    let root = root();
    let mut documents = Vec::new();
    for folder in ["config", "docs"] {
        files_below(&root.join(folder), &mut documents);
    }
    let readme = root.join("README.md");
    let text = fs::read_to_string(&readme).expect("the README");
    documents.push((readme, text));
    documents
}

/// The words in `text` that begin with `prefix` and go on with capital letters and underscores.
fn variables<'a>(text: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    let in_a_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let starts = text.match_indices(prefix).map(|(at, _)| at);
    let starts = starts.filter(|at| *at == 0 || !in_a_name(text.as_bytes()[at - 1]));
    starts
        .map(|at| {
            let rest = &text[at..];
            &rest[..rest.bytes().position(|byte| !in_a_name(byte)).unwrap_or(rest.len())]
        })
        .collect()
}

/// The settings that `text` names between backticks: `section.key`, alone or with a value behind it.
fn settings<'a>(text: &'a str, sections: &BTreeSet<String>) -> BTreeSet<&'a str> {
    let in_a_key = |byte: u8| byte.is_ascii_lowercase() || byte == b'_' || byte == b'.';
    let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    quoted
        .filter_map(|code| {
            let end = code.bytes().position(|byte| !in_a_key(byte)).unwrap_or(code.len());
            let (key, rest) = code.split_at(end);
            let (section, name) = key.split_once('.')?;
            let is_a_setting = sections.contains(section) && !name.is_empty() && !name.contains('.');
            let is_a_word = rest.is_empty() || rest.starts_with([' ', '=']);
            (is_a_setting && is_a_word && !FILE_ENDINGS.contains(&name)).then_some(key)
        })
        .collect()
}

/// Whether the gateway knows a variable of this name, whatever it says of the value.
fn is_known(variable: &str) -> bool {
    match Scene::new().variable(variable, "1").load() {
        Ok(_) => true,
        Err(mistakes) => !mistakes.to_string().contains(&format!("(variable {variable}): is no setting")),
    }
}

#[test]
fn every_variable_that_is_named_is_one() {
    assert!(!is_known("GATEWAY__STORAGE__POSTGRES_URI"), "the test finds out nothing");
    let (mut seen, mut wrong) = (0, Vec::new());
    for (path, text) in documents() {
        // What ends with an underscore is the beginning of several.
        for name in
            variables(&text, "GATEWAY__").into_iter().filter(|name| !name.ends_with('_') && *name != PLACEHOLDER)
        {
            seen += 1;
            if !is_known(name) {
                wrong.push(format!("{} names {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "no settings: {wrong:#?}");
    assert!(seen >= 5, "only {seen} variables were found");
}

#[test]
fn every_setting_that_is_named_is_one() {
    let example = fs::read_to_string(root().join("config/gateway.toml")).expect("the example file");
    let sections = example.lines().filter_map(|line| line.strip_prefix('[')?.strip_suffix(']'));
    let sections: BTreeSet<String> = sections.map(str::to_owned).collect();
    let (mut seen, mut wrong) = (0, Vec::new());
    for (path, text) in documents() {
        for key in settings(&text, &sections).into_iter().filter(|key| !OTHERS.contains(key)) {
            let variable = format!("GATEWAY__{}", key.to_ascii_uppercase().replace('.', "__"));
            seen += 1;
            if !is_known(&variable) {
                wrong.push(format!("{} names {key}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "no settings: {wrong:#?}");
    assert!(seen >= 30, "only {seen} settings were found");
}

/// The variables of the gateway in a deployment file, whichever of its forms they are written in:
/// `NAME: value` (Compose), `{name: NAME, value: "value"}` and `--from-literal=NAME=value` (Kubernetes), `NAME=value` (Dockerfile).
fn assigned(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for line in text.lines() {
        for name in ["GATEWAY_", "REDIS_"].into_iter().flat_map(|prefix| variables(line, prefix)) {
            let Some((_, rest)) = line.split_once(name) else { continue };
            let value = match rest.strip_prefix([':', '=']) {
                Some(value) => value,
                None => match rest.strip_prefix(", value:") {
                    Some(value) => value.trim_end_matches('}'),
                    None => continue,
                },
            };
            let value = value.trim().trim_end_matches('\\').trim().trim_matches(['"', '\'']);
            // What the shell or Compose fills in is a key.
            let is_filled_in = value.starts_with('$') || value.starts_with("\"$");
            found.push((name, if is_filled_in { KEY } else { value }));
        }
    }
    found
}

/// In the place of `openssl rand -hex 32`.
const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

#[test]
fn the_deployments_start_what_they_say() {
    let read = |name: &str| fs::read_to_string(root().join("config/deploy").join(name)).expect(name);
    let image = read("Dockerfile");
    let image = image.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    for (name, redis) in [("compose.yaml", "redis://redis:6379/"), ("kubernetes/gateway.yaml", "redis://redis:6379/")] {
        let deployment = read(name);
        let mut scene = Scene::new().file("servers.json", &read("servers.json"));
        let file = scene.path().join("servers.json").display().to_string();
        for (variable, value) in assigned(&image).into_iter().chain(assigned(&deployment)) {
            // The place in the image is a place in the scene here.
            let value = if value == "/etc/mcp-gateway/servers.json" { &file } else { value };
            scene = scene.variable(variable, value);
        }
        let loaded = scene.load().unwrap_or_else(|mistakes| panic!("{name}: {mistakes}"));
        assert_eq!(loaded.list.refused, [], "{name}");
        let settings = loaded.settings;
        assert_eq!(settings.address.to_string(), "0.0.0.0:8000", "{name}");
        assert!(settings.api_key.is_some(), "{name}: everybody may call");
        assert!(settings.storage.encryption_key.is_some(), "{name}: secrets are not kept");
        assert!(matches!(settings.storage.place, StoragePlace::Postgres { .. }), "{name}");
        assert!(matches!(settings.queue.broker, Broker::Redis), "{name}");
        assert_eq!(settings.redis.expect("Redis").url.expose(), redis, "{name}");
    }
}

#[test]
fn the_deployments_list_the_same_servers() {
    let read = |name: &str| fs::read_to_string(root().join("config/deploy").join(name)).expect(name);
    let in_the_map = |text: &str| {
        let (_, rest) = text.split_once("servers.json: |\n").expect("a servers file in the ConfigMap");
        let lines = rest.lines().take_while(|line| line.starts_with("    ") || line.is_empty());
        lines.flat_map(str::chars).filter(|letter| !letter.is_whitespace()).collect::<String>()
    };
    let file: String = read("servers.json").chars().filter(|letter| !letter.is_whitespace()).collect();
    assert_eq!(in_the_map(&read("kubernetes/gateway.yaml")), file);
}
