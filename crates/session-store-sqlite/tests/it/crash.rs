//! A process that is killed in the middle of its work.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use gateway_core::{RecordChange, SessionStore};

use crate::{open, record};

/// Names the file for a process that this test has started.
const FILE: &str = "SESSION_STORE_SQLITE_TEST_FILE";

/// What was answered before the process was killed is in the file, and nothing half; another process hears of it
/// while it happens.
#[tokio::test]
async fn nothing_that_was_answered_is_lost_when_the_process_is_killed() {
    if let Some(path) = std::env::var_os(FILE) {
        return save_for_ever(Path::new(&path)).await;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.db");
    open(&path).create(record("sess_1", "1")).await.expect("created");
    for round in 0..5 {
        let watching = open(&path);
        let mut changes = watching.changes().expect("it tells");
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "crash::nothing_that_was_answered_is_lost_when_the_process_is_killed", "--nocapture"])
            .env(FILE, &path)
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let mut answered = 0;
        let number = |line: String| line.strip_prefix("saved ").and_then(|number| number.parse::<u64>().ok());
        let mut count = 0;
        while count < 10 + round * 7 {
            let line = lines.next().expect("it saves for ever").expect("a line");
            if let Some(revision) = number(line) {
                (answered, count) = (revision, count + 1);
            }
        }
        process.kill().expect("killed");
        process.wait().expect("ended");
        for line in lines.map_while(Result::ok) {
            answered = number(line).unwrap_or(answered);
        }
        let kept = SessionStore::load(&*open(&path), "sess_1").await.expect("loaded").expect("there");
        assert!(kept.revision == answered || kept.revision == answered + 1, "{} of {answered}", kept.revision);
        assert_eq!(kept.data, kept.revision.to_string(), "revision and data belong together");
        let told = tokio::time::timeout(Duration::from_secs(5), changes.recv()).await.expect("told of it");
        assert_eq!(told.expect("the store is there"), RecordChange::One("sess_1".into()));
    }
}

/// What the killed process does.
async fn save_for_ever(path: &Path) {
    let store = open(path);
    let mut kept = SessionStore::load(&*store, "sess_1").await.expect("loaded").expect("there");
    loop {
        kept.data = (kept.revision + 1).to_string().into();
        kept.revision = store.save(kept.clone()).await.expect("saved");
        let mut out = std::io::stdout().lock();
        writeln!(out, "saved {}", kept.revision).and_then(|()| out.flush()).expect("written");
    }
}
