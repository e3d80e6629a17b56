//! What the operating system and the server tell us, in the gateway's words.

use std::io;
use std::path::Path;

use gateway_core::{Command, Error, ErrorKind, Retry};

use crate::process::Exit;

/// A program that did not start.
pub(crate) fn not_started(command: &Command, error: io::Error) -> Error {
    let program = &command.program;
    let missing_cwd = command.cwd.as_deref().filter(|cwd| !cwd.is_dir());
    let (kind, message) = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied
            if missing_cwd.is_some() =>
        {
            let cwd = missing_cwd.unwrap_or(Path::new("."));
            (ErrorKind::InvalidRequest, format!("cannot start `{program}`: there is no folder {cwd:?}"))
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            let hint = if !program.contains('/') {
                "it is in no folder of PATH; install it, give its whole path, \
                 or set PATH in the server's env"
            } else if Path::new(program).exists() {
                "the interpreter named in its first line does not exist"
            } else {
                "there is no such file"
            };
            (ErrorKind::InvalidRequest, format!("cannot start `{program}`: {hint}"))
        }
        io::ErrorKind::PermissionDenied => (
            ErrorKind::InvalidRequest,
            format!("cannot start `{program}`: it is no program that the gateway may run (see chmod +x)"),
        ),
        io::ErrorKind::InvalidInput | io::ErrorKind::ArgumentListTooLong | io::ErrorKind::InvalidFilename => (
            ErrorKind::InvalidRequest,
            format!("cannot start `{program}`: the operating system cannot take its arguments or env"),
        ),
        _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            (ErrorKind::InvalidRequest, format!("cannot start `{program}`: it is no program"))
        }
        _ => (ErrorKind::Unavailable, format!("cannot start `{program}`: the operating system refused")),
    };
    Error::new(kind, message).with_retry(Retry::Safe).with_source(error)
}

/// Why a connection ended that nobody closed.
#[derive(Debug)]
pub(crate) enum End {
    /// The process has ended.
    Exited(Exit),
    /// It has closed its standard output.
    OutputClosed,
    /// It has closed its standard input.
    InputClosed,
    /// It broke the protocol, as the error says.
    Broken(Error),
}

impl End {
    /// The reason as an error whose message ends with the server's last words.
    pub(crate) fn into_error(self, last_words: Option<&str>) -> Error {
        let what = match &self {
            Self::Exited(exit) => format!("cannot reach the server: it {exit}"),
            Self::OutputClosed => "cannot reach the server: it closed its standard output".to_owned(),
            Self::InputClosed => "cannot reach the server: it closed its standard input".to_owned(),
            Self::Broken(error) => return with_last_words(error, last_words),
        };
        with_last_words(&Error::new(ErrorKind::Unavailable, what), last_words)
    }
}

/// The same error whose message ends with the server's last words.
pub(crate) fn with_last_words(error: &Error, last_words: Option<&str>) -> Error {
    let Some(words) = last_words else { return error.duplicate() };
    let message = format!("{}; its last words: {words}", error.message());
    let mut told = Error::new(error.kind(), message).with_retry(error.retry()).with_source(error.duplicate());
    if let Some(details) = error.details() {
        told = told.with_details(details.clone());
    }
    told
}
