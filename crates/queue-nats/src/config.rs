//! What a queue on NATS is told, and how it is checked.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::ServerAddr;
use gateway_core::{Error, ErrorKind, Result, Secret};

use crate::reply::is_subject;

/// The longest name.
const LONGEST_NAME: usize = 100;
/// The shortest lease: a renewal must fit into it several times.
const SHORTEST_LEASE_MS: u64 = 200;

/// How to reach NATS, and the names there.
#[derive(Clone, Debug)]
pub struct NatsQueueConfig {
    /// `nats://user:password@host:4222`, or `tls://` for TLS; several of one cluster with commas between.
    pub url: Secret,
    /// How the server knows the gateway, where the URL does not say.
    pub login: NatsLogin,
    /// A file with certificates (PEM) to trust beside those of the system.
    pub root_certificates: Option<PathBuf>,
    /// The subject that jobs come from. Streams are called after subjects, with `_` for what a stream's name may not have.
    pub requests: String,
    /// The subject for answers that name no other.
    pub responses: String,
    /// The subject for what is no job.
    pub dead: String,
    /// How long a claim is held without being renewed, in milliseconds.
    pub lease_ms: u64,
    /// How many jobs may wait before a push is refused; 0 for any number.
    pub max_depth: u64,
    /// The largest job that a push takes, in bytes. The server has a limit of its own, of a megabyte where nothing else is set.
    pub max_bytes: usize,
    /// How long one step may take before the broker counts as unreachable, in milliseconds.
    pub timeout_ms: u64,
    /// How long answers wait for whoever reads the common subject, in milliseconds.
    pub responses_ms: u64,
    /// How long records of requests are kept after their last change, in milliseconds: what waits longer in the queue is not known
    /// before it begins, and can be pushed twice.
    pub keep_ms: u64,
    /// Of how many servers of a cluster each stream lives on.
    pub replicas: usize,
}

/// How a server knows the gateway.
#[derive(Clone, Debug, Default)]
pub enum NatsLogin {
    /// By what the URL says, or not at all.
    #[default]
    Url,
    /// By a name and a password.
    User {
        /// The name.
        name: String,
        /// The password.
        password: Secret,
    },
    /// By a token.
    Token(Secret),
    /// By a seed of an NKey.
    NKey(Secret),
    /// By a file of credentials, as `nsc` writes it.
    CredentialsFile(PathBuf),
}

impl NatsQueueConfig {
    /// The names that every broker has, and reasonable numbers.
    pub fn new(url: Secret) -> Self {
        Self {
            url,
            login: NatsLogin::Url,
            root_certificates: None,
            requests: "mcp_requests".to_owned(),
            responses: "mcp_responses".to_owned(),
            dead: "mcp_requests:dead".to_owned(),
            lease_ms: 30_000,
            max_depth: 0,
            max_bytes: 8 << 20,
            timeout_ms: 10_000,
            responses_ms: 3_600_000,
            keep_ms: 24 * 3_600_000,
            replicas: 1,
        }
    }
}

/// The same, checked.
pub(crate) struct Checked {
    pub servers: Vec<ServerAddr>,
    pub login: NatsLogin,
    pub root_certificates: Option<PathBuf>,
    pub names: Names,
    pub lease: Duration,
    pub max_depth: u64,
    pub max_bytes: usize,
    pub timeout: Duration,
    pub responses_age: Duration,
    pub keep: Duration,
    pub replicas: usize,
}

/// What things are called at the broker.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub requests: String,
    pub responses: String,
    pub dead: String,
}

impl Names {
    /// The stream of a subject. The bucket of records is called after the stream of requests.
    pub(crate) fn stream(subject: &str) -> String {
        let good = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
        subject.chars().map(|letter| if good(letter) { letter } else { '_' }).collect()
    }
}

impl NatsQueueConfig {
    pub(crate) fn check(self) -> Result<Checked> {
        let subjects = [("requests", &self.requests), ("responses", &self.responses), ("dead", &self.dead)];
        for (field, subject) in subjects {
            if subject.len() > LONGEST_NAME || subject.starts_with(['$', '_']) || !is_subject(subject) {
                return Err(invalid(format_args!(
                    "{field} {subject:?}: give a subject of 1 to {LONGEST_NAME} bytes without wildcards, spaces, and `$` or `_` at its beginning"
                )));
            }
        }
        let [requests, responses, dead] = subjects.map(|(_, subject)| Names::stream(subject));
        if requests == responses || requests == dead || responses == dead {
            return Err(invalid(format_args!(
                "requests, responses, dead: the three subjects need three streams, not {requests}, {responses}, {dead}"
            )));
        }
        if self.lease_ms < SHORTEST_LEASE_MS {
            return Err(invalid(format_args!("lease_ms {}: give {SHORTEST_LEASE_MS} at least", self.lease_ms)));
        }
        let numbers = [("timeout_ms", self.timeout_ms), ("responses_ms", self.responses_ms), ("keep_ms", self.keep_ms)];
        for (field, number) in numbers {
            // A stream's age has a smallest value, and a record must outlive the work on its request.
            let least = if field == "keep_ms" { self.lease_ms.saturating_mul(10) } else { 100 };
            if number < least {
                return Err(invalid(format_args!("{field} {number}: give {least} at least")));
            }
        }
        if !(1..=5).contains(&self.replicas) {
            return Err(invalid(format_args!("replicas {}: NATS keeps 1 to 5 copies", self.replicas)));
        }
        Ok(Checked {
            servers: servers(self.url.expose())?,
            login: self.login,
            root_certificates: self.root_certificates,
            names: Names { requests: self.requests, responses: self.responses, dead: self.dead },
            lease: Duration::from_millis(self.lease_ms),
            max_depth: self.max_depth,
            max_bytes: self.max_bytes,
            timeout: Duration::from_millis(self.timeout_ms),
            responses_age: Duration::from_millis(self.responses_ms),
            keep: Duration::from_millis(self.keep_ms),
            replicas: self.replicas,
        })
    }
}

/// Reads the URLs. What is wrong is told without them: there may be a password in one.
fn servers(url: &str) -> Result<Vec<ServerAddr>> {
    let wrong =
        || invalid(format_args!("url: not a NATS URL; write nats://user:password@host:4222, or tls:// for TLS"));
    let known = |server: &&str| server.split_once("://").is_none_or(|(scheme, _)| matches!(scheme, "nats" | "tls"));
    url.split(',')
        .map(str::trim)
        .map(|server| {
            let parsed = Some(server).filter(known).and_then(|server| server.parse::<ServerAddr>().ok());
            parsed.filter(|server| !server.host().is_empty()).ok_or_else(wrong)
        })
        .collect()
}

fn invalid(what: fmt::Arguments<'_>) -> Error {
    Error::new(ErrorKind::InvalidRequest, format!("queue on NATS: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut NatsQueueConfig)) -> Result<Checked> {
        let mut config = NatsQueueConfig::new(Secret::new("nats://127.0.0.1:4222"));
        change(&mut config);
        config.check()
    }

    #[test]
    fn mistakes_are_told_without_the_password() {
        for url in [
            "",
            "redis://u:s3cret@host",
            "nats://u:s3cret@",
            "nats://u:s3cret@host:port",
            "nats://a, http://u:s3cret@b",
        ] {
            let error = check(|config| config.url = Secret::new(url)).err().expect(url);
            assert!(error.message().contains("url") && !format!("{error:?}").contains("s3cret"), "{url}: {error:?}");
        }
        let mut config = NatsQueueConfig::new(Secret::new("nats://u:s3cret@host"));
        config.login = NatsLogin::User { name: "u".to_owned(), password: Secret::new("s3cret") };
        assert!(!format!("{config:?}").contains("s3cret"));
        assert_eq!(check(|config| config.url = Secret::new("nats://a:1, tls://b, c")).expect("three").servers.len(), 3);
    }

    #[test]
    fn names_and_numbers_are_checked() {
        assert!(check(|_| ()).is_ok());
        for subject in ["", "a b", "a.*", ">", "$JS.API.x", "_INBOX.a", ".a", "a..b", "a.", "a\n"] {
            assert!(check(|config| config.requests = subject.to_owned()).is_err(), "{subject:?}");
        }
        assert!(check(|config| config.requests = "tools.mcp_requests".to_owned()).is_ok());
        assert!(check(|config| config.dead = "mcp.requests".to_owned()).is_err(), "its stream would be another's");
        assert!(check(|config| config.lease_ms = 1).is_err());
        assert!(check(|config| config.keep_ms = config.lease_ms).is_err());
        assert!(check(|config| config.replicas = 0).is_err());
    }

    #[test]
    fn streams_are_called_after_subjects() {
        assert_eq!(Names::stream("mcp_requests:dead"), "mcp_requests_dead");
        assert_eq!(Names::stream("a.b-c"), "a_b-c");
    }
}
