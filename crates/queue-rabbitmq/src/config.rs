//! What a queue on RabbitMQ is told, and how it is checked.

use std::time::Duration;

use gateway_core::{Error, ErrorKind, Result, Secret};
use lapin::uri::AMQPUri;

/// The longest name that AMQP can carry.
pub(crate) const LONGEST_NAME: usize = 255;
/// The shortest lease: a renewal must fit into it several times.
const SHORTEST_LEASE_MS: u64 = 100;
/// A connection on which nothing is heard is given up after this many seconds, unless its URL says another number.
const HEARTBEAT: u16 = 15;

/// How to reach RabbitMQ, and the names there.
#[derive(Clone, Debug)]
pub struct RabbitQueueConfig {
    /// `amqp://user:password@host:5672/vhost`, or `amqps://` for TLS. A slash in the virtual host is written `%2f`; none is `/`.
    pub url: Secret,
    /// The queue that jobs come from.
    pub requests: String,
    /// The queue for answers that name no other.
    pub responses: String,
    /// The queue for what is no job. The exchange before it is called after [`requests`](Self::requests), with `.dlx`.
    pub dead: String,
    /// How long a claim is held without being renewed, in milliseconds.
    pub lease_ms: u64,
    /// How many jobs may wait before a push is refused; 0 for any number.
    pub max_depth: u64,
    /// The largest job that a push takes, in bytes.
    pub max_bytes: usize,
    /// The largest answer that is published, in bytes; in the place of a larger one goes an error that says so. No more than the
    /// broker's own `max_message_size`, which is 16 MB since RabbitMQ 4.
    pub max_answer_bytes: usize,
    /// How long one step may take before the broker counts as unreachable, in milliseconds.
    pub timeout_ms: u64,
    /// How long an answer is kept, in milliseconds; an hour at least for users.
    pub keep_ms: u64,
}

impl RabbitQueueConfig {
    /// The names that every broker has, and reasonable numbers.
    pub fn new(url: Secret) -> Self {
        Self {
            url,
            requests: "mcp_requests".to_owned(),
            responses: "mcp_responses".to_owned(),
            dead: "mcp_requests:dead".to_owned(),
            lease_ms: 30_000,
            max_depth: 0,
            max_bytes: 8 << 20,
            max_answer_bytes: 15 << 20,
            timeout_ms: 10_000,
            keep_ms: 3_600_000,
        }
    }
}

/// The same, checked.
pub(crate) struct Checked {
    pub uri: AMQPUri,
    pub names: Names,
    pub lease: Duration,
    pub max_depth: u64,
    pub max_bytes: usize,
    pub max_answer_bytes: usize,
    pub timeout: Duration,
    pub keep: Duration,
}

/// What things are called at the broker.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub requests: String,
    pub responses: String,
    pub dead: String,
    pub dead_exchange: String,
}

impl RabbitQueueConfig {
    pub(crate) fn check(self) -> Result<Checked> {
        let dead_exchange = format!("{}.dlx", self.requests);
        for (field, name) in [("requests", &self.requests), ("responses", &self.responses), ("dead", &self.dead)] {
            check_name(field, name)?;
        }
        check_name("requests (with `.dlx` after it)", &dead_exchange)?;
        if self.requests == self.responses || self.requests == self.dead || self.responses == self.dead {
            return Err(invalid("requests, responses, dead: the three queues need three names"));
        }
        if self.lease_ms < SHORTEST_LEASE_MS {
            return Err(invalid(&format!("lease_ms {}: give {SHORTEST_LEASE_MS} at least", self.lease_ms)));
        }
        for (field, number) in [("timeout_ms", self.timeout_ms), ("keep_ms", self.keep_ms)] {
            if number == 0 {
                return Err(invalid(&format!("{field} 0: give 1 at least")));
            }
        }
        Ok(Checked {
            uri: parse(self.url.expose())?,
            names: Names { requests: self.requests, responses: self.responses, dead: self.dead, dead_exchange },
            lease: Duration::from_millis(self.lease_ms),
            max_depth: self.max_depth,
            max_bytes: self.max_bytes,
            max_answer_bytes: self.max_answer_bytes,
            timeout: Duration::from_millis(self.timeout_ms),
            keep: Duration::from_millis(self.keep_ms),
        })
    }
}

/// Reads the URL. What is wrong is told without it: there may be a password in it.
fn parse(url: &str) -> Result<AMQPUri> {
    let wrong = || invalid("url: not an AMQP URL; write amqp://user:password@host:5672/vhost, or amqps:// for TLS");
    let mut uri: AMQPUri = url.parse().map_err(|_: String| wrong())?;
    if uri.vhost.is_empty() {
        // By the letter `amqp://host/` is the virtual host with the empty name, which nobody has and many write.
        "/".clone_into(&mut uri.vhost);
    }
    let (_, rest) = url.split_once("://").ok_or_else(wrong)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if let Some(address) = host.strip_prefix('[') {
        // The parser takes no address of IPv6 for a host, and would connect to this machine instead.
        address.split(']').next().unwrap_or_default().clone_into(&mut uri.authority.host);
    }
    if host.is_empty() || uri.authority.host.is_empty() {
        return Err(invalid("url: it has no host"));
    }
    uri.query.heartbeat = uri.query.heartbeat.or(Some(HEARTBEAT));
    Ok(uri)
}

fn check_name(field: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(invalid(&format!("{field}: a name has 1 to {LONGEST_NAME} bytes, this one {}", name.len())));
    }
    if name.starts_with("amq.") {
        return Err(invalid(&format!("{field} {name:?}: RabbitMQ keeps names that begin with `amq.` to itself")));
    }
    if name.chars().any(char::is_control) {
        return Err(invalid(&format!("{field} {name:?}: take the control characters out")));
    }
    Ok(())
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest, format!("queue on RabbitMQ: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut RabbitQueueConfig)) -> Result<Checked> {
        let mut config = RabbitQueueConfig::new(Secret::new("amqp://guest:s3cret@127.0.0.1:5672"));
        change(&mut config);
        config.check()
    }

    #[test]
    fn urls_mean_what_their_writers_mean() {
        let cases = [
            ("amqp://a:b@host", "host", 5672, "/"),
            ("amqp://a:b@host/", "host", 5672, "/"),
            ("amqp://a:b@host/%2f", "host", 5672, "/"),
            ("amqp://a:b@host/tools", "host", 5672, "tools"),
            ("amqps://a:b@host", "host", 5671, "/"),
            ("amqp://a:b@[2001:db8::1]:99/x", "2001:db8::1", 99, "x"),
        ];
        for (url, host, port, vhost) in cases {
            let uri = check(|config| config.url = Secret::new(url)).expect(url).uri;
            assert_eq!(
                (uri.authority.host.as_str(), uri.authority.port, uri.vhost.as_str()),
                (host, port, vhost),
                "{url}"
            );
        }
    }

    #[test]
    fn mistakes_are_told_without_the_password() {
        for url in
            ["", "host", "redis://u:s3cret@host", "amqp:u:s3cret@host", "amqp://u:s3cret@", "amqp://u:s3cret@host:port"]
        {
            let error = check(|config| config.url = Secret::new(url)).err().expect(url);
            assert!(error.message().contains("url") && !format!("{error:?}").contains("s3cret"), "{url}: {error:?}");
        }
        let config = RabbitQueueConfig::new(Secret::new("amqp://guest:s3cret@host"));
        assert!(!format!("{config:?}").contains("s3cret"));
    }

    #[test]
    fn names_and_numbers_are_checked() {
        assert!(check(|_| ()).is_ok());
        assert!(check(|config| config.requests = "amq.gen-1".to_owned()).is_err());
        assert!(check(|config| config.requests = "x".repeat(253)).is_err());
        assert!(check(|config| config.responses.clear()).is_err());
        assert!(check(|config| config.dead = config.requests.clone()).is_err());
        assert!(check(|config| config.lease_ms = 1).is_err());
        assert!(check(|config| config.keep_ms = 0).is_err());
    }
}
