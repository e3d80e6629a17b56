//! Encrypted connections.

use gateway_core::{ErrorKind, Secret, SessionStore};
use session_store_postgres::{PostgresConfig, PostgresStore};

use crate::{Schema, admin, record};

/// A certificate that nobody vouches for is refused, one that is trusted is used, and a server without TLS is never
/// talked to in the clear instead.
#[tokio::test]
async fn require_means_encrypted_and_checked() {
    let schema = Schema::new();
    let config = |host: &str, mode: &str| PostgresConfig {
        url: Secret::new(format!(
            "host={host} hostaddr=127.0.0.1 user=root dbname=test application_name={} {mode}",
            schema.0
        )),
        ..schema.config()
    };
    let (admin, _tasks) = admin().await;
    let show =
        async |what: &str| -> String { admin.query_one(&format!("SHOW {what}"), &[]).await.expect("shown").get(0) };
    let server_has_tls = show("ssl").await == "on";
    for mode in ["sslmode=require", "sslmode=verify-full"] {
        let error = PostgresStore::connect(config("localhost", mode)).await.expect_err("nobody vouches for it");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let word = if server_has_tls { "certificate" } else { "TLS" };
        assert!(error.message().contains(word), "{word:?} is not in {error}");
    }
    if server_has_tls {
        let root_certificates = Some(show("ssl_cert_file").await.into());
        let trusted = PostgresConfig { root_certificates, ..config("localhost", "sslmode=verify-full") };
        let store = PostgresStore::connect(trusted.clone()).await.expect("a certificate for localhost");
        store.create(record("sess_1", "x")).await.expect("created");
        let ask = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = $1";
        let encrypted: Option<bool> = admin.query_one(ask, &[&schema.0]).await.expect("asked").get(0);
        assert_eq!(encrypted, Some(true));
        let url = config("elsewhere.example", "sslmode=require").url;
        let error = PostgresStore::connect(PostgresConfig { url, ..trusted }).await.expect_err("another name");
        assert!(error.message().contains("certificate"), "{error}");
    }
}

#[tokio::test]
async fn root_certificates_that_are_none_are_refused() {
    let schema = Schema::new();
    for (path, words) in [("/nowhere/ca.pem", "/nowhere/ca.pem"), ("/dev/null", "no certificate in PEM form")] {
        let config = PostgresConfig { root_certificates: Some(path.into()), ..schema.config() };
        let error = PostgresStore::connect(config).await.expect_err("no certificates");
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().contains(words), "{error}");
    }
}
