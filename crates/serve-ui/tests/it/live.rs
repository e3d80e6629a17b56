//! The live log.

use std::time::Duration;

use serve_ui::UiConfig;
use tokio::io::AsyncReadExt as _;

use crate::fakes::FakeUsage;
use crate::harness::{Dashboard, PATIENCE, Setup, read_until};

#[tokio::test]
async fn what_happens_is_told_at_once() {
    let usage = FakeUsage::new();
    let dashboard = Dashboard::with(Setup::default(), |door| door.with_usage(usage.clone())).await;
    let mut stream = dashboard.follow().await;
    let head = read_until(&mut stream, "event: open").await;
    assert!(head.contains("content-type: text/event-stream") && head.contains("cache-control: no-store"), "{head}");
    usage.tell("the first\nevent: <b>");
    let row = read_until(&mut stream, "</tr>\n\n").await;
    assert!(row.contains("event: row\ndata: <tr data-outcome=\"ok\">"), "{row}");
    assert!(row.contains("the first&#10;event: &lt;b&gt;") && !row.contains("abcdef0123"), "{row}");
    // More than the channel holds: the reader hears how many it has missed.
    (0..40).for_each(|number| usage.tell(&format!("query {number}")));
    let rows = read_until(&mut stream, "query 39").await;
    assert!(rows.contains("event: missed\ndata: 24\n\n"), "{rows}");
    drop(stream);
    // A page that goes away takes its stream along.
    let gone = async {
        while usage.listeners() > 0 {
            usage.tell("is anybody there");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the stream ends");
}

#[tokio::test]
async fn a_silent_log_stays_open_and_ends_with_the_gateway() {
    let usage = FakeUsage::new();
    let ui = UiConfig { keep_alive_ms: 20, ..UiConfig::default() };
    let dashboard = Dashboard::with(Setup { ui, ..Setup::default() }, |door| door.with_usage(usage)).await;
    let mut stream = dashboard.follow().await;
    read_until(&mut stream, ": still here\n\n").await;
    dashboard.shutdown.cancel();
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it ends").unwrap();
    assert!(rest.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&rest));
    tokio::time::timeout(PATIENCE, dashboard.serving).await.expect("it stops").unwrap().unwrap();
}
