//! The surroundings of a process, as a value: tests have several.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fmt, fs, io};

use super::mistake::{Mistake, Mistakes};

/// The name of the file with variables for development.
const DOTENV: &str = ".env";

/// Where a gateway runs: its working directory and its variables.
#[derive(Clone, Default)]
pub struct Environment {
    /// Relative paths begin here.
    pub directory: PathBuf,
    /// Where the gateway's own executable is, and the demo server's.
    pub programs: PathBuf,
    /// The variables of the process.
    pub variables: BTreeMap<String, String>,
}

impl Environment {
    /// That of this process. Variables that are no UTF-8 are passed over.
    ///
    /// # Errors
    /// Where the working directory is gone, or the executable's place is unknown.
    pub fn of_process() -> io::Result<Self> {
        let variables =
            env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let executable = env::current_exe()?;
        let programs = executable.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { directory: env::current_dir()?, programs, variables: variables.collect() })
    }

    /// `path` as seen from the working directory.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }

    /// The same with variables that count where the process has none of their names.
    pub(super) fn with_weaker(&self, variables: Vec<(String, String)>) -> Self {
        let mut both: BTreeMap<_, _> = variables.into_iter().collect();
        both.extend(self.variables.clone());
        Self { variables: both, ..self.clone() }
    }

    /// The variables of the `.env` file, if there is one. The process's own variables stay as they are:
    /// no child process inherits what stands there.
    pub(super) fn dotenv(&self, mistakes: &mut Mistakes) -> Vec<(String, String)> {
        let path = self.resolve(Path::new(DOTENV));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => {
                mistakes.0.push(Mistake::new(DOTENV, format!("cannot be read: {error}")));
                return Vec::new();
            }
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut variables = Vec::new();
        for line in dotenvy::from_read_iter(text.as_bytes()) {
            match line {
                Ok(variable) => variables.push(variable),
                // The line itself may hold a secret.
                Err(dotenvy::Error::LineParse(line, _)) => {
                    let number = text.lines().position(|other| other.trim() == line.trim());
                    let place = number.map_or_else(|| DOTENV.to_owned(), |n| format!("{DOTENV}:{}", n + 1));
                    let problem = "is no line of the form NAME=value; put quotes round a value with spaces or #";
                    mistakes.0.push(Mistake::new(place, problem));
                }
                Err(error) => {
                    mistakes.0.push(Mistake::new(DOTENV, format!("cannot be read: {error}")));
                    break;
                }
            }
        }
        variables
    }
}

impl fmt::Debug for Environment {
    /// Shows no variable: many are secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("directory", &self.directory)
            .field("variables", &self.variables.len())
            .finish()
    }
}
