//! Which Redis, and how it is used.

use std::time::Duration;

use gateway_core::{Error, ErrorKind, Result, Secret};

/// Which Redis, and how it is used.
#[derive(Clone, Debug)]
pub struct RedisStoreConfig {
    /// `redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS, or `unix:///path`.
    pub url: Secret,
    /// The certificate, PEM, of who signs for the server, where that is none of the public authorities.
    pub root_certificate: Option<String>,
    /// What all keys and the channel begin with.
    pub prefix: String,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long an answer of Redis may take.
    pub response_timeout: Duration,
    /// How long usage is kept, whether or not anybody asks to forget it.
    pub usage_ttl: Duration,
}

impl RedisStoreConfig {
    /// The Redis at `url`, and what is usual for the rest.
    pub fn new(url: Secret) -> Self {
        Self {
            url,
            root_certificate: None,
            prefix: "gateway:record:".to_owned(),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            usage_ttl: Duration::from_secs(90 * 86_400),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |message: String| Err(Error::new(ErrorKind::InvalidRequest, message));
        let prefix = &self.prefix;
        if prefix.is_empty() || prefix.len() > 256 || prefix.chars().any(|character| !character.is_ascii_graphic()) {
            let message =
                format!("the prefix {prefix:?} of the store's keys must be 1 to 256 printable ASCII characters");
            return wrong(message);
        }
        if self.root_certificate.as_ref().is_some_and(|pem| !pem.contains("-----BEGIN CERTIFICATE-----")) {
            return wrong("the root certificate of the store holds no certificate in PEM form".to_owned());
        }
        let year = Duration::from_secs(366 * 86_400);
        for (name, value) in [
            ("connect_timeout", self.connect_timeout),
            ("response_timeout", self.response_timeout),
            ("usage_ttl", self.usage_ttl),
        ] {
            if value < Duration::from_millis(1) || value > year {
                return wrong(format!("{name} of the store is {value:?}: it must be from 1 ms to a year"));
            }
        }
        Ok(())
    }
}
