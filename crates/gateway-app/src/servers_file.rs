//! The servers file: where it is, and what stands in it.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use gateway_core::mcp_servers::{self, Policy, Variables};
use gateway_core::{ServerLimits, ServerSpec};

use crate::assemble::TRANSPORTS;
use crate::config::{Environment, Mistake, Mistakes, ServersSettings};

/// Where the file is looked for when nobody names one; the first that exists counts.
const USUAL_PLACES: [&str; 4] = ["servers.json", "servers.txt", "config/servers.json", "config/servers.txt"];

/// Where the servers of a gateway stand.
#[derive(Clone, Debug)]
pub struct ServersFile {
    /// As somebody named it.
    named: Option<PathBuf>,
    limits: ServerLimits,
    environment: Environment,
}

/// What a servers file said at one moment.
#[derive(Clone, Debug, Default)]
pub struct ServerList {
    /// The file, as seen from the working directory; `None` where there is none.
    pub path: Option<PathBuf>,
    /// The servers, in the order of the file.
    pub servers: Vec<ServerSpec>,
    /// The entries that are no servers: name and reason.
    pub refused: Vec<(String, String)>,
}

impl ServersFile {
    /// The file that the settings mean; variables in it come from `environment`.
    pub fn new(settings: &ServersSettings, environment: Environment) -> Self {
        Self { named: settings.file.clone(), limits: settings.limits.clone(), environment }
    }

    /// Reads the file as it is now. Without a file there are no servers; a file that somebody named must
    /// be there.
    ///
    /// # Errors
    /// Where the file cannot be read, or is no list of servers at all.
    pub fn read(&self) -> Result<ServerList, Mistakes> {
        let Some(path) = self.locate() else { return Ok(ServerList::default()) };
        let about = |problem: String| {
            let mistake = Mistake::new("the servers file", problem);
            Mistakes(vec![mistake.with_source(format!("file {}", path.display()))])
        };
        let text = read_text(&self.environment.resolve(&path))
            .map_err(|error| about(format!("cannot be read: {error}; name another with --servers")))?;
        let lookup = |name: &str| self.environment.variables.get(name).cloned();
        let policy = Policy { variables: Variables::From(&lookup), limits: self.limits.clone() };
        let entries = mcp_servers::parse_with(&text, &policy).map_err(|error| about(error.to_string()))?;
        let mut list = ServerList { path: Some(path), ..ServerList::default() };
        for entry in entries {
            match entry {
                Ok(server) => list.servers.push(server),
                Err(refused) => list.refused.push((refused.name, refused.error.to_string())),
            }
        }
        Ok(list)
    }

    /// Every path that the file may have.
    pub(crate) fn candidates(&self) -> Vec<PathBuf> {
        let places = match &self.named {
            Some(path) => vec![path.clone()],
            None => USUAL_PLACES.iter().map(PathBuf::from).collect(),
        };
        places.iter().map(|path| self.environment.resolve(path)).collect()
    }

    fn locate(&self) -> Option<PathBuf> {
        let usual = || USUAL_PLACES.iter().map(Path::new).find(|path| self.environment.resolve(path).exists());
        self.named.clone().or_else(|| usual().map(Path::to_path_buf))
    }
}

impl ServerList {
    /// The refused entries as mistakes.
    pub fn mistakes(&self) -> Mistakes {
        let mistakes = self.refused.iter().map(|(name, problem)| self.mistake(name, problem.clone()));
        Mistakes(mistakes.collect())
    }

    /// The servers that this gateway has no transport for, as mistakes. They are servers all the same: a
    /// running gateway lists them as failed.
    pub(crate) fn unreachable(&self) -> impl Iterator<Item = Mistake> {
        let wrong =
            self.servers.iter().filter(|server| !server.disabled() && !TRANSPORTS.contains(&server.transport()));
        wrong.map(|server| {
            let there = TRANSPORTS.map(|name| format!("{name:?}")).join(", ");
            let problem = format!("the transport {:?} is not there, only {there}", server.transport());
            self.mistake(server.name(), problem)
        })
    }

    fn mistake(&self, name: &str, problem: String) -> Mistake {
        let source = self.path.as_ref().map(|path| format!("file {}", path.display())).unwrap_or_default();
        Mistake::new(format!("the server {name:?}"), problem).with_source(source)
    }
}

/// Reads a regular file of a bearable size; a pipe or a device could keep a reader for ever.
fn read_text(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut text = String::new();
    // One byte more than the parser takes, so that the parser says what is too large.
    let limit = mcp_servers::MAX_TEXT_BYTES as u64 + 1;
    fs::File::open(path)?.take(limit).read_to_string(&mut text)?;
    Ok(text)
}
