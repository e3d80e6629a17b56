//! What can go wrong, in words for whoever keeps the data.

use std::path::{Path, PathBuf};

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or a folder cannot be read or written.
    #[error("{}: cannot {what} it: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried: `read`.
        what: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// A line does not say what it should.
    #[error("{}, line {line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Field, value, remedy.
        problem: String,
    },
    /// There is nothing to measure there.
    #[error("{}: {problem}", path.display())]
    Data {
        /// The file or folder.
        path: PathBuf,
        /// What is missing, and what should be there.
        problem: String,
    },
    /// An option cannot be followed.
    #[error("{0}")]
    Option(String),
    /// A router failed.
    #[error("the router `{router}` failed to {what}: {source}")]
    Router {
        /// Which.
        router: String,
        /// What it was asked for.
        what: String,
        /// Its error.
        source: gateway_core::Error,
    },
    /// The tables cannot be written to standard output.
    #[error("cannot write the report: {0}")]
    Output(#[from] std::io::Error),
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn file(path: &Path, what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, what, source }
    }

    pub(crate) fn data(path: &Path, problem: impl Into<String>) -> Self {
        Self::Data { path: path.to_owned(), problem: problem.into() }
    }
}
