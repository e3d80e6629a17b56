//! The road from arguments, files and variables to settings.

use std::path::{Path, PathBuf};
use std::{fs, io};

use gateway_core::ServerSpec;
use gateway_telemetry::Telemetry;
use serve_rest::Lookup;

use super::environment::Environment;
use super::mistake::{Mistake, Mistakes};
use super::read;
use super::reader::Reader;
use super::settings::Settings;
use super::source::{self, Setting};
use crate::arguments::{Arguments, Program};
use crate::demo::demo_server;
use crate::servers_file::{ServerList, ServersFile};

/// The configuration file that is read where `--config` names none.
const CONFIG_FILE: &str = "config/gateway.toml";

/// A configuration without mistakes, and the servers file as it was when it was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the configuration means.
    pub settings: Settings,
    /// All settings as they count, as TOML; secrets are hidden.
    pub effective: String,
    /// Where the servers stand.
    pub servers_file: ServersFile,
    /// What stands there. Entries that are no servers are no mistake of the configuration.
    pub list: ServerList,
    /// The bundled demo server, where it is wanted.
    pub demo: Option<ServerSpec>,
}

/// Reads the configuration: defaults, then the configuration file, then `.env`, then the variables, then the
/// flags; the later one counts. Then reads the servers file.
///
/// # Errors
/// All mistakes in all of them.
pub fn load(arguments: &Arguments, environment: &Environment) -> Result<Loaded, Mistakes> {
    let mut mistakes = Mistakes::default();
    let mut layers = from_file(arguments, environment, &mut mistakes);
    let dotenv = environment.dotenv(&mut mistakes);
    let variables: Vec<_> = environment.variables.clone().into_iter().collect();
    layers.extend(source::from_variables(&dotenv, |name| format!("variable {name} in .env"), &mut mistakes));
    layers.extend(source::from_variables(&variables, |name| format!("variable {name}"), &mut mistakes));
    layers.extend(from_flags(arguments));
    let layers = layers.into_iter().map(|setting| of_program(setting, &arguments.program));

    let figment = source::merge(layers);
    let mut reader = Reader::new(&figment, mistakes);
    let mut settings = read::settings(&mut reader, &arguments.program);
    let (effective, mut mistakes) = reader.finish();

    let environment = environment.with_weaker(dotenv);
    let variables = environment.variables.clone();
    settings.rest.variables = Lookup::new(move |name| variables.get(name).cloned());
    if let Err(error) = Telemetry::check(|name| settings.rest.variables.get(name)) {
        mistakes.0.push(Mistake::new("OpenTelemetry", error.message()));
    }
    let servers_file = ServersFile::new(&settings.servers, environment.clone());
    let relays = matches!(arguments.program, Program::Mcp(_)) && settings.relay.is_some();
    // The servers are those of the gateway elsewhere; what lies here is not asked for.
    let list = if relays { Ok(ServerList::default()) } else { servers_file.read() };
    let list = list.unwrap_or_else(|Mistakes(found)| {
        mistakes.0.extend(found);
        ServerList::default()
    });
    let demo = arguments.demo.then(|| demo_server(&environment.programs));
    let demo = demo.transpose().unwrap_or_else(|Mistakes(found)| {
        mistakes.0.extend(found);
        None
    });
    if mistakes.0.is_empty() { Ok(Loaded { settings, effective, servers_file, list, demo }) } else { Err(mistakes) }
}

impl Loaded {
    /// The effective configuration and the servers, for a reader.
    ///
    /// # Errors
    /// Entries of the servers file that are no servers: whoever asks wants to hear of them.
    pub fn check(&self) -> Result<String, Mistakes> {
        let mut mistakes = self.list.mistakes();
        mistakes.0.extend(self.list.unreachable());
        if !mistakes.0.is_empty() {
            return Err(mistakes);
        }
        let mut text = self.effective.clone();
        match &self.list.path {
            Some(path) => text += &format!("\n# Servers of {}:\n", path.display()),
            None => text += "\n# There is no servers file.\n",
        }
        for server in self.with_demo(self.list.servers.clone()) {
            let disabled = if server.disabled() { ", disabled" } else { "" };
            text += &format!("#   {} ({}{disabled})\n", server.name(), server.transport());
        }
        Ok(text)
    }

    /// `servers` with the demo server, where it is wanted. It takes the place of another one of its name.
    pub(crate) fn with_demo(&self, mut servers: Vec<ServerSpec>) -> Vec<ServerSpec> {
        if let Some(demo) = &self.demo {
            servers.retain(|server| server.name() != demo.name());
            servers.push(demo.clone());
        }
        servers
    }
}

fn from_file(arguments: &Arguments, environment: &Environment, mistakes: &mut Mistakes) -> Vec<Setting> {
    let named = arguments.config.as_deref();
    let path = named.unwrap_or(Path::new(CONFIG_FILE));
    let name = path.display().to_string();
    match fs::read_to_string(environment.resolve(path)) {
        Ok(text) => source::from_toml(&name, text.strip_prefix('\u{feff}').unwrap_or(&text), mistakes),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            let problem = format!("cannot be read: {error}; name another file with --config");
            let mistake = Mistake::new("the configuration file", problem);
            mistakes.0.push(mistake.with_source(format!("file {name}")));
            Vec::new()
        }
    }
}

fn from_flags(arguments: &Arguments) -> Vec<Setting> {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let flags = [
        ("--host", "server.host", arguments.host.clone()),
        ("--port", "server.port", arguments.port.clone()),
        ("--servers", "servers.file", path(&arguments.servers)),
        ("--data-dir", "data.dir", path(&arguments.data_dir)),
    ];
    let flags = flags.into_iter().chain(match &arguments.program {
        Program::Http => Vec::new(),
        Program::Mcp(flags) => vec![
            ("--gateway-url", "relay.url", flags.gateway_url.clone()),
            ("--stdio", "mcp.stdio", flags.stdio.then(|| "true".to_owned())),
            ("--expose", "mcp.expose", flags.expose.clone()),
            ("--session", "relay.session", flags.session.clone()),
        ],
    });
    let typed = flags.filter_map(|(flag, key, value)| {
        Some(Setting {
            path: key.split('.').map(str::to_owned).collect(),
            value: value?.into(),
            source: format!("flag {flag}"),
        })
    });
    typed.collect()
}

/// `GATEWAY_PORT` and `--port` mean the port of the program that is called. In the file each has its own, so that
/// both can run with one.
fn of_program(mut setting: Setting, program: &Program) -> Setting {
    let is_typed_at_start = !setting.source.starts_with("file ");
    if matches!(program, Program::Mcp(_)) && is_typed_at_start && setting.path == ["server", "port"] {
        setting.path = ["mcp", "port"].map(str::to_owned).to_vec();
    }
    setting
}
