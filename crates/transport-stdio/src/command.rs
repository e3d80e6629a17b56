//! From the words of a server list to a program that can be started.

use std::ffi::OsStr;
use std::process::{Command as Program, Stdio};

use gateway_core::{Command, Error, ErrorKind, Result};

/// What a server with a clean environment still gets of the gateway's.
const KEPT: [&str; 5] = ["PATH", "HOME", "LANG", "TMPDIR", "USER"];

/// The program to start, without a shell, with pipes to all three streams.
///
/// # Errors
/// [`ErrorKind::InvalidRequest`] where the operating system could not even be asked.
pub(crate) fn program(command: &Command) -> Result<Program> {
    if command.program.is_empty() {
        return Err(invalid("cannot start the server: its command is empty"));
    }
    let odd = |name: &str| name.is_empty() || name.contains(['=', '\0']);
    if let Some(name) = command.env.keys().find(|name| odd(name)) {
        return Err(invalid(format!("cannot start the server: {name:?} is no name for a variable")));
    }
    let mut program = Program::new(&command.program);
    program.args(&command.args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if command.clean_env {
        program.env_clear();
        program.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    }
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_our_secret(name)) {
        program.env_remove(name);
    }
    program.envs(command.env.iter().map(|(name, value)| (name, value.expose())));
    if let Some(cwd) = &command.cwd {
        program.current_dir(cwd);
    }
    Ok(program)
}

/// What belongs to the gateway alone: whoever has a key may start programs here or at the gateway that this one stands in
/// front of, or read what the store keeps of others.
const OURS: [&str; 3] = ["GATEWAY_API_KEY", "GATEWAY_URL_API_KEY", "GATEWAY_ENCRYPTION_KEY"];

/// Whether a variable is one of those, or a setting, which may hold a password.
fn is_our_secret(name: &OsStr) -> bool {
    OURS.iter().any(|ours| name == *ours) || name.as_encoded_bytes().starts_with(b"GATEWAY__")
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateways_own_secrets_stay_with_it() {
        for (name, expected) in [
            ("GATEWAY_API_KEY", true),
            ("GATEWAY_URL_API_KEY", true),
            ("GATEWAY_ENCRYPTION_KEY", true),
            ("GATEWAY__AUTH__API_KEY", true),
            ("GATEWAY__STORAGE__POSTGRES_URL", true),
            ("GATEWAY_PORT", false),
            ("GITHUB_TOKEN", false),
        ] {
            assert_eq!(is_our_secret(OsStr::new(name)), expected, "{name}");
        }
    }
}
