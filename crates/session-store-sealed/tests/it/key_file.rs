//! Keys in files.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Barrier};

use gateway_core::ErrorKind;
use session_store_sealed::{SealedStore, SealingKeys};

use crate::{A, inner};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test]
async fn a_key_is_made_once_and_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data/secret.key");
    let inner = inner();
    let made = SealingKeys::load_or_create(&path).expect("made");
    SealedStore::open(Arc::clone(&inner), made).await.expect("opened");
    assert_eq!((mode(&path), mode(&folder.path().join("data"))), (0o600, 0o700));
    let names: Vec<_> =
        fs::read_dir(folder.path().join("data")).expect("a folder").map(|e| e.expect("entry").file_name()).collect();
    assert_eq!(names, ["secret.key"], "nothing is left beside it");
    let text = fs::read(&path).expect("read");
    let found = SealingKeys::load_or_create(&path).expect("found");
    SealedStore::open(inner, found).await.expect("the same key");
    assert_eq!(fs::read(&path).expect("read"), text);
}

#[tokio::test]
async fn of_many_that_make_it_at_once_all_have_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret.key");
    let start = Arc::new(Barrier::new(8));
    let makers: Vec<_> = (0..8)
        .map(|_| {
            let (path, start) = (path.clone(), Arc::clone(&start));
            std::thread::spawn(move || {
                start.wait();
                SealingKeys::load_or_create(&path)
            })
        })
        .collect();
    let inner = inner();
    for maker in makers {
        let keys = maker.join().expect("no panic").expect("a key");
        SealedStore::open(Arc::clone(&inner), keys).await.expect("the same key");
    }
}

#[test]
fn a_file_that_holds_no_key_or_is_open_to_others_is_refused_and_left_alone() {
    for (content, mode, words) in [
        (A.to_owned(), 0o644, "mode 644"),
        (A.to_owned(), 0o620, "chmod 600"),
        (String::new(), 0o600, "is empty"),
        ("hunter2".to_owned(), 0o600, "openssl rand -hex 32"),
        ("x".repeat(2000), 0o600, "2000 bytes"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret.key");
        fs::write(&path, &content).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
        let error = SealingKeys::load_or_create(&path).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error:?}");
        let message = error.message();
        assert!(message.contains(words) && message.contains(path.to_str().expect("UTF-8")), "{message}");
        assert!(content.is_empty() || !message.contains(&content), "{message}");
        assert_eq!(fs::read_to_string(&path).expect("read"), content);
    }
}

#[test]
fn places_where_no_key_can_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = SealingKeys::load_or_create(folder.path()).expect_err("a folder");
    assert!(error.message().contains("is not a file"), "{error}");
    let error = SealingKeys::load_or_create(Path::new("/proc/nowhere/secret.key")).expect_err("no folder");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("/proc/nowhere"), "{error}");
    let nowhere = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("nothing"), &nowhere).expect("linked");
    SealingKeys::load_or_create(&nowhere).expect_err("a link into nothing");
}
