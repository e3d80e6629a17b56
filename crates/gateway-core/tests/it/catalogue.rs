//! Reading, naming and changing tools.

use gateway_testkit::fakes::{Answer, FakeServer, context, gateway};

use crate::support::eventually;

const PAGE_1: &str = r#"{"tools":[{"name":"one","inputSchema":{},"x":1.0}],"nextCursor":"1"}"#;

#[tokio::test]
async fn all_pages_are_read() {
    let pages = [
        PAGE_1,
        r#"{"tools":[{"name":"two","inputSchema":{}}],"nextCursor":"2"}"#,
        r#"{"tools":[{"name":"three","inputSchema":{}}]}"#,
    ];
    let server = FakeServer::new().with_pages(&pages);
    let gateway = gateway(&[("a", &server)]).await;
    let tools = gateway.tools(&context(&gateway, None).await);
    let names: Vec<_> = tools.iter().map(|entry| &*entry.qualified_name).collect();
    assert_eq!(names, ["a__one", "a__two", "a__three"]);
    assert_eq!(tools[0].tool.raw().as_str(), r#"{"name":"one","inputSchema":{},"x":1.0}"#);
}

#[tokio::test]
async fn a_repeated_cursor_ends_the_reading_with_a_warning() {
    let server =
        FakeServer::new().with_pages(&[PAGE_1, r#"{"tools":[{"name":"two","inputSchema":{}}],"nextCursor":"1"}"#]);
    let gateway = gateway(&[("a", &server)]).await;
    let context = context(&gateway, None).await;
    assert_eq!(gateway.tools(&context).len(), 2);
    let status = &gateway.servers(&context)[0];
    assert!(status.warnings[0].contains("repeats the cursor"), "{:?}", status.warnings);
}

#[tokio::test]
async fn one_malformed_tool_loses_only_itself_and_is_shown() {
    let server = FakeServer::new()
        .with_pages(&[r#"{"tools":[{"name":"good","inputSchema":{}},{"name":"bad","inputSchema":7},3]}"#]);
    let gateway = gateway(&[("a", &server)]).await;
    let context = context(&gateway, None).await;
    assert_eq!(gateway.tools(&context).len(), 1);
    let status = &gateway.servers(&context)[0];
    assert_eq!(status.rejected.len(), 2);
    assert_eq!(status.rejected[0].name.as_deref(), Some("bad"));
}

#[tokio::test]
async fn list_changed_is_followed() {
    let server = FakeServer::new().with_tool("one", "", Answer::echo());
    let gateway = gateway(&[("a", &server)]).await;
    let context = context(&gateway, None).await;
    assert_eq!(gateway.tools(&context).len(), 1);
    server.add_tool("two", "", Answer::echo());
    for _ in 0..100 {
        server.announce();
    }
    eventually("the new tool is seen", || gateway.tools(&context).len() == 2).await;
    assert!(server.lists() <= 10, "a burst is read together: {}", server.lists());
}

#[tokio::test]
async fn listing_and_searching_ask_no_upstream() {
    let server = FakeServer::new().with_tool("one", "", Answer::echo());
    let gateway = gateway(&[("a", &server)]).await;
    let context = context(&gateway, None).await;
    let before = server.lists();
    for _ in 0..10 {
        gateway.tools(&context);
    }
    assert_eq!(server.lists(), before);
}
