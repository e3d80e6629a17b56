//! The memory as a file.

use std::fs;
use std::path::Path;

use router_learned::{Memory, MemoryConfig};
use tempfile::TempDir;

use crate::support::{around, index, names, search, use_after};

const QUERY: &str = "a poster of the sales report for the board";

fn open(path: &Path) -> gateway_core::Result<Memory> {
    Memory::open(path, MemoryConfig::default())
}

#[tokio::test]
async fn what_was_learned_is_there_after_a_restart() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("new/uses.json");
    let (router, memory) = around(open(&path).expect("makes it"));
    let before = index(&router).await;
    assert!(!memory.save().expect("saves"), "nothing has changed since it was made");
    use_after(&*before, &memory, "ann", QUERY, "render_report").await;
    assert!(memory.save().expect("saves"));
    assert!(!memory.save().expect("saves"));
    let learned = search(&*before, QUERY, 10).await;
    let (router, memory) = around(open(&path).expect("reads it"));
    assert_eq!(memory.tools(), 1);
    assert_eq!(search(&*index(&router).await, QUERY, 10).await, learned);
    assert_eq!(names(&*index(&router).await, QUERY).await[0], "render_report");
    assert!(!memory.save().expect("saves"), "reading changes nothing");
    // What another one replaced is not half there, and nothing lies about.
    let files: Vec<_> = fs::read_dir(path.parent().expect("has one")).expect("lists").collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let text = fs::read_to_string(&path).expect("reads");
    for word in ["poster", "sales", "board", "render", "office", "ann"] {
        assert!(!text.contains(word), "{word} is in {text}");
    }
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("new/uses.json");
    open(&path).expect("makes it");
    let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().expect("has one"))), (0o600, 0o700));
}

#[tokio::test]
async fn a_file_that_is_of_no_use_is_an_error_and_stays_as_it_is() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("uses.json");
    let (router, memory) = around(open(&path).expect("makes it"));
    use_after(&*index(&router).await, &memory, "ann", QUERY, "render_report").await;
    memory.save().expect("saves");
    let good = fs::read_to_string(&path).expect("reads");
    // The terms of the one use, in the reverse of their order.
    let (front, terms) = good.rsplit_once("[").expect("has terms");
    let (terms, back) = terms.split_once("]").expect("has an end");
    let turned: Vec<_> = terms.split(',').rev().collect();
    let turned = format!("{front}[{}]{back}", turned.join(","));
    let cases = [
        (good[..good.len() / 2].to_owned(), "damaged"),
        (String::new(), "damaged"),
        (format!("{good}{good}"), "damaged"),
        ("{\"format\":\"tools\",\"version\":1}".to_owned(), "something else"),
        (good.replace("\"version\":1", "\"version\":2"), "its form is 2"),
        (good.replace("\"tools\":", "\"more\":1,\"tool\":"), "damaged"),
        (turned, "out of bounds"),
    ];
    for (text, expected) in cases {
        assert_ne!(text, good);
        fs::write(&path, &text).expect("writes");
        let error = open(&path).expect_err(&text).to_string();
        assert!(error.contains(expected) && error.contains("uses.json") && error.contains("move it away"), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("reads"), text);
    }
    fs::write(&path, [0xFF, 0xFE, 0x00]).expect("writes");
    assert!(open(&path).expect_err("is no text").to_string().contains("damaged"));
}

#[test]
fn a_place_that_cannot_be_written_is_found_out_at_once() {
    let directory = TempDir::new().expect("a directory");
    fs::write(directory.path().join("file"), "").expect("writes");
    let error = open(&directory.path().join("file/uses.json")).expect_err("is no directory").to_string();
    assert!(error.contains("data.dir"), "{error}");
}
