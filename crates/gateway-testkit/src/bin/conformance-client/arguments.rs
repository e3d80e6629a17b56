//! What this program is told, in arguments and in the suite's variables.

use std::fs::File;
use std::path::PathBuf;

use serde_json::Value;

use crate::Outcome;
use crate::client::Era;

/// How it is called.
pub const USAGE: &str = "\
conformance-client [--direct] [--era legacy|modern] URL

  URL       an MCP server of the conformance suite
  --direct  speak to it without a gateway between
  --era     how to speak; otherwise as MCP_CONFORMANCE_PROTOCOL_VERSION says

  CONFORMANCE_GATEWAY         the program gateway-http (not with --direct); it gets all variables GATEWAY_…
  CONFORMANCE_LOCK            a file that only one of these programs at a time locks
  MCP_CONFORMANCE_CONTEXT     JSON: {\"toolCalls\": [{\"name\", \"arguments\"}]} is what to call, where it is there";

/// What this program is told.
#[derive(Debug)]
pub struct Arguments {
    pub url: String,
    pub direct: bool,
    pub era: Era,
    pub gateway: PathBuf,
    pub context: Value,
    lock: Option<PathBuf>,
}

impl Arguments {
    pub fn read(words: impl Iterator<Item = String>) -> Outcome<Self> {
        let variable = |name: &str| std::env::var(name).ok();
        let (mut url, mut direct, mut era) = (None, false, None);
        let mut words = words;
        while let Some(word) = words.next() {
            match word.as_str() {
                "--direct" => direct = true,
                "--era" => era = Some(words.next().ok_or("--era needs a value")?),
                _ if word.starts_with("http://") && url.is_none() => url = Some(word),
                _ => return Err(format!("{word} is not understood")),
            }
        }
        let era = match era.as_deref() {
            None => Era::of_version(variable("MCP_CONFORMANCE_PROTOCOL_VERSION").as_deref()),
            Some("legacy") => Era::Legacy,
            Some("modern") => Era::Modern,
            Some(other) => return Err(format!("--era {other}: expected legacy or modern")),
        };
        let gateway = variable("CONFORMANCE_GATEWAY").map(PathBuf::from);
        if gateway.is_none() && !direct {
            return Err("CONFORMANCE_GATEWAY does not name the gateway".to_owned());
        }
        let context = variable("MCP_CONFORMANCE_CONTEXT").unwrap_or_else(|| "null".to_owned());
        Ok(Self {
            url: url.ok_or("the URL is missing")?,
            direct,
            era,
            gateway: gateway.unwrap_or_default(),
            context: serde_json::from_str(&context).map_err(|error| format!("MCP_CONFORMANCE_CONTEXT: {error}"))?,
            lock: variable("CONFORMANCE_LOCK").map(PathBuf::from),
        })
    }

    /// Waits until no other of these programs is at work.
    pub fn turn(&self) -> Outcome<Option<File>> {
        let Some(path) = &self.lock else { return Ok(None) };
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        let file = File::create(path).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(Some(file))
    }
}
