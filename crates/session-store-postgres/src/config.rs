//! Where the database is.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use gateway_core::{Error, ErrorKind, Result, Secret};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// The longest name of a schema: PostgreSQL cuts names off at 63 bytes, and the channel's is longer by some.
const LONGEST_SCHEMA: usize = 40;

/// Where the database is, and how it is used.
#[derive(Clone, Debug)]
pub struct PostgresConfig {
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with options as libpq knows them. Certificates are always checked:
    /// `sslmode=require`, `verify-ca` and `verify-full` mean the same. Without `sslmode` a server that
    /// offers TLS is used with it, but for one on this machine.
    pub url: Secret,
    /// The schema that all tables are in; it is created where there is none.
    pub schema: String,
    /// Most connections at once, besides one that listens for changes.
    pub max_connections: usize,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long one statement may take, with the wait for a connection.
    pub statement_timeout: Duration,
    /// Certificates (PEM) of authorities that are trusted besides the public ones.
    pub root_certificates: Option<PathBuf>,
}

impl PostgresConfig {
    /// The database at `url`, and what is usual for the rest.
    pub fn new(url: Secret) -> Self {
        Self {
            url,
            schema: "mcp_gateway".to_owned(),
            max_connections: 8,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(5),
            root_certificates: None,
        }
    }

    /// What the driver needs.
    ///
    /// # Errors
    /// [`InvalidRequest`](ErrorKind::InvalidRequest) where it cannot be used; nothing of the URL is repeated.
    pub(crate) fn checked(&self) -> Result<tokio_postgres::Config> {
        self.check_schema()?;
        if self.max_connections == 0 {
            return Err(invalid("the most connections to PostgreSQL must be at least 1, not 0"));
        }
        // The driver knows no stricter modes than `require`; ours is as strict as the strictest.
        let url = self.url.expose().replace("sslmode=verify-full", "sslmode=require");
        let url = url.replace("sslmode=verify-ca", "sslmode=require");
        // What the driver says may repeat a part of the URL, and that part may be the password.
        let mut config: tokio_postgres::Config = url.parse().map_err(|_| {
            invalid(
                "the URL of PostgreSQL cannot be read: write postgres://USER:PASSWORD@HOST:PORT/DATABASE, \
                 with every special character of the password as %XX",
            )
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(invalid(
                "the URL of PostgreSQL names no host: write postgres://USER:PASSWORD@HOST:PORT/DATABASE",
            ));
        }
        if config.get_ssl_mode() == SslMode::Prefer && config.get_hosts().iter().all(is_here) {
            config.ssl_mode(SslMode::Disable);
        }
        // Of several hosts, and after a failover, the one that can be written to.
        if config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        if config.get_application_name().is_none() {
            config.application_name("mcp-gateway");
        }
        config.connect_timeout(self.connect_timeout);
        // A peer that vanished without a word is noticed within half a minute.
        config.keepalives_idle(Duration::from_secs(10));
        config.keepalives_interval(Duration::from_secs(5));
        config.keepalives_retries(3);
        config.tcp_user_timeout(Duration::from_secs(20));
        Ok(config)
    }

    fn check_schema(&self) -> Result<()> {
        let name = &self.schema;
        let usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins_well = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
        let ours = !name.starts_with("pg_") && name != "information_schema";
        if begins_well && ours && name.len() <= LONGEST_SCHEMA && name.bytes().all(usual) {
            return Ok(());
        }
        Err(invalid(&format!(
            "the schema {name:?} cannot be used: a name has 1 to {LONGEST_SCHEMA} characters of [a-z0-9_], begins with a \
             letter or _, and is not one of PostgreSQL's own"
        )))
    }
}

/// Whether nobody else's wires lie between.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        Host::Unix(_) => true,
    }
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> PostgresConfig {
        PostgresConfig::new(Secret::new(url))
    }

    #[test]
    fn tls_is_used_as_asked_for_and_not_on_this_machine_unless_asked_for() {
        for (url, mode) in [
            ("postgres://u:p@db.example/d", SslMode::Prefer),
            ("postgres://u:p@db.example/d?sslmode=disable", SslMode::Disable),
            ("postgres://u:p@db.example/d?sslmode=require", SslMode::Require),
            ("postgres://u:p@db.example/d?sslmode=verify-full", SslMode::Require),
            ("host=db.example user=u sslmode=verify-ca", SslMode::Require),
            ("postgres://u:p@127.0.0.1/d", SslMode::Disable),
            ("postgres://u:p@localhost/d?sslmode=require", SslMode::Require),
            ("postgres://u:p@localhost,db.example/d", SslMode::Prefer),
        ] {
            assert_eq!(config(url).checked().expect(url).get_ssl_mode(), mode, "{url}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_its_password() {
        for url in ["", "redis://u:hunter2@h", "postgres://u:hunter2@h:port/d", "postgres://u@h/d?hunter2=1", "user=u"]
        {
            let error = config(url).checked().expect_err(url);
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(!format!("{error:?}").contains("hunter2") && error.message().contains("postgres://"), "{error:?}");
        }
        for schema in ["", "a b", "a\"; drop table x", "pg_mine", "information_schema", "Ab", "1a", &"a".repeat(41)] {
            let config = PostgresConfig { schema: schema.to_owned(), ..config("postgres://u@h/d") };
            let error = config.checked().expect_err(schema);
            assert!(error.message().contains(&format!("{schema:?}")), "{error}");
        }
        let none = PostgresConfig { max_connections: 0, ..config("postgres://u@h/d") };
        assert!(none.checked().expect_err("none").message().contains("at least 1"));
    }

    #[test]
    fn debug_shows_no_password() {
        assert!(!format!("{:?}", config("postgres://u:hunter2@h/d")).contains("hunter2"));
    }
}
