//! `rediss://`.

use std::fs;
use std::process::Command;

use gateway_core::{ErrorKind, Queue, Secret};
use queue_redis::{RedisQueue, RedisQueueConfig};

use crate::server::Server;
use crate::stage::{claim, job};

#[tokio::test]
async fn jobs_travel_over_tls_and_only_to_who_is_known() {
    let folder = tempfile::tempdir().expect("a folder");
    let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("certificate.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args([&"-keyout".as_ref(), &key.as_os_str(), &"-out".as_ref(), &certificate.as_os_str()])
        .output()
        .expect("this test needs `openssl` in PATH");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut arguments: Vec<String> = ["--tls-auth-clients", "no", "--tls-cert-file"].map(str::to_owned).into();
    arguments.push(certificate.display().to_string());
    arguments.extend(["--tls-key-file".to_owned(), key.display().to_string()]);
    let mut server = Server::absent(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    server.over_tls();
    server.run();

    let url = Secret::new(format!("rediss://127.0.0.1:{}", server.port()));
    let root_certificate = Some(fs::read_to_string(&certificate).expect("it is there"));
    let config = RedisQueueConfig { root_certificate, ..RedisQueueConfig::new(url) };
    let queue = RedisQueue::new(config.clone()).expect("the settings are right");
    queue.push(job("r")).await.expect("it is there");
    assert_eq!(&*claim(&queue).await.payload, b"r");

    let stranger =
        RedisQueue::new(RedisQueueConfig { root_certificate: None, ..config.clone() }).expect("the settings are right");
    let error = stranger.push(job("s")).await.expect_err("nobody knows who signed for it");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("certificate"), "{error}");
    let plain = Secret::new(format!("redis://127.0.0.1:{}", server.port()));
    let wrong = RedisQueue::new(RedisQueueConfig { url: plain, ..config }).expect_err("a certificate, and no TLS");
    assert_eq!(wrong.kind(), ErrorKind::InvalidRequest);
    assert!(wrong.message().contains("rediss"), "{wrong}");
}
