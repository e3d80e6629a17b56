//! The crate from outside: configuration, the servers file, following it.

mod config;
mod documents;
mod servers_file;
mod watch;

use std::fs;
use std::path::Path;

use gateway_app::{Arguments, Environment, Loaded, Mistakes, load};
use tempfile::TempDir;

/// A working directory with files and variables, and the flags of a command line.
struct Scene {
    directory: TempDir,
    environment: Environment,
    arguments: Arguments,
}

impl Scene {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        let here = directory.path().to_owned();
        let environment = Environment { directory: here.clone(), programs: here, ..Environment::default() };
        Self { directory, environment, arguments: Arguments::default() }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("below the directory")).expect("a directory");
        fs::write(path, text).expect("a file");
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn arguments(mut self, change: impl FnOnce(&mut Arguments)) -> Self {
        change(&mut self.arguments);
        self
    }

    fn load(&self) -> Result<Loaded, Mistakes> {
        load(&self.arguments, &self.environment)
    }
}
