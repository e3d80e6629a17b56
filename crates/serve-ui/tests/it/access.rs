//! Who may see what, and what keeps other pages out.

use gateway_core::CommandServers;
use http::HeaderValue;
use http_server::HttpServerConfig;
use serde_json::json;
use serve_ui::{ChangeServers, UiConfig};

use crate::harness::{Dashboard, Setup};

#[tokio::test]
async fn the_page_holds_no_data_and_has_a_strict_policy() {
    let dashboard = Dashboard::with(Setup { key: Some("a-key-of-16-bytes"), ..Setup::default() }, |door| door).await;
    for (path, kind, part) in [
        ("/ui", "text/html; charset=utf-8", "MCP Gateway"),
        ("/ui/ui.css", "text/css; charset=utf-8", ":root"),
        ("/ui/ui.js", "text/javascript; charset=utf-8", "\"use strict\""),
        ("/ui/icon.svg", "image/svg+xml", "<svg"),
    ] {
        let answered = dashboard.get(path).await;
        assert_eq!((answered.status, answered.header("content-type")), (200, kind), "{path}");
        assert!(answered.body.contains(part) && !answered.body.contains("demo"), "{path}");
        let policy = answered.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answered.header("x-content-type-options"), "nosniff");
        assert_eq!(answered.header("referrer-policy"), "no-referrer");
        assert_eq!(answered.header("cache-control"), "no-store");
    }
    let moved = dashboard.get("/ui/").await;
    assert_eq!((moved.status, moved.header("location")), (308, "/ui"));
    let unknown = dashboard.get("/ui/nothing").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.header("content-security-policy").contains("default-src 'none'"));
}

const FRAGMENTS: [&str; 14] = [
    "overview",
    "servers",
    "servers/add",
    "servers/remove",
    "tools",
    "tools/search",
    "tools/form",
    "tools/run",
    "sessions",
    "sessions/create",
    "sessions/show",
    "sessions/delete",
    "usage",
    "live",
];

#[tokio::test]
async fn everything_with_data_needs_the_key() {
    let dashboard = Dashboard::with(Setup { key: Some("a-key-of-16-bytes"), ..Setup::default() }, |door| door).await;
    for path in FRAGMENTS {
        let mut head = dashboard.request(path);
        for key in [None, Some("Bearer wrong")] {
            if let Some(key) = key {
                head.headers.insert("authorization", HeaderValue::from_static(key));
            }
            let answered = dashboard.send(&head, "{}").await;
            assert_eq!(answered.status, 401, "{path} {key:?}");
            assert!(!answered.body.contains("demo"), "{}", answered.body);
        }
    }
    let mut head = dashboard.request("servers");
    head.headers.insert("authorization", HeaderValue::from_static("Bearer a-key-of-16-bytes"));
    let answered = dashboard.send(&head, "{}").await;
    assert!(answered.status == 200 && answered.body.contains("demo"), "{answered:?}");
}

#[tokio::test]
async fn other_pages_are_kept_out() {
    let dashboard = Dashboard::open().await;
    let own = format!("http://{}", dashboard.address);
    let check = async |change: &[(&'static str, Option<&str>)], body: &str, expected: u16| {
        for path in FRAGMENTS {
            let mut head = dashboard.request(path);
            for (name, value) in change {
                match value {
                    Some(value) => drop(head.headers.insert(*name, HeaderValue::from_str(value).unwrap())),
                    None => drop(head.headers.remove(*name)),
                }
            }
            let answered = dashboard.send(&head, body).await;
            assert_eq!(answered.status, expected, "{path} {change:?}: {}", answered.body);
        }
    };
    // Without the header that makes a browser ask first.
    check(&[("x-gateway-ui", None)], "{}", 403).await;
    check(&[("x-gateway-ui", Some("2"))], "{}", 403).await;
    // Another program's page on this machine, which may use the gateway over REST; whether or not the browser says so.
    check(&[("origin", Some("http://localhost:3000")), ("sec-fetch-site", None)], "{}", 403).await;
    check(&[("origin", Some("http://localhost:3000")), ("sec-fetch-site", Some("same-site"))], "{}", 403).await;
    check(&[("sec-fetch-site", Some("cross-site"))], "{}", 403).await;
    // Pages that the guard knows already: strangers, and our own under a name that is not ours.
    check(&[("origin", Some("https://evil.example"))], "{}", 403).await;
    check(&[("origin", Some("null"))], "{}", 403).await;
    check(&[("host", Some("evil.example")), ("origin", Some("http://evil.example"))], "{}", 403).await;
    // A form cannot send JSON.
    check(&[("content-type", Some("text/plain"))], "{}", 415).await;
    check(&[("content-type", None)], "{}", 415).await;
    // A pre-flight of another page is not told that it may send the header.
    let mut head = dashboard.request("servers/add");
    head.method = http::Method::OPTIONS;
    head.headers.insert("origin", HeaderValue::from_static("http://localhost:3000"));
    head.headers.insert("access-control-request-method", HeaderValue::from_static("POST"));
    head.headers.insert("access-control-request-headers", HeaderValue::from_static("x-gateway-ui"));
    let preflight = dashboard.send(&head, "").await;
    let allowed = preflight.header("access-control-allow-headers").to_ascii_lowercase();
    assert!(!allowed.contains("x-gateway-ui"), "{allowed}");
    // Ours is let in, with browsers old and new.
    for site in [None, Some("same-origin")] {
        let mut head = dashboard.request("servers");
        head.headers.insert("origin", HeaderValue::from_str(&own).unwrap());
        match site {
            Some(site) => drop(head.headers.insert("sec-fetch-site", HeaderValue::from_static(site))),
            None => drop(head.headers.remove("sec-fetch-site")),
        }
        assert_eq!(dashboard.send(&head, "{}").await.status, 200, "{site:?}");
    }
}

#[tokio::test]
async fn the_settings_say_who_changes_servers() {
    let url = json!({"how": "url", "name": "more", "url": "https://host.example/mcp"});
    let program = json!({"how": "command", "name": "more", "command": "prog"});
    let check = async |change_servers, with_key: bool, command_servers, expected: [(u16, bool); 2]| {
        let key = with_key.then_some("a-key-of-16-bytes");
        let ui = UiConfig { change_servers, ..UiConfig::default() };
        let engine = gateway_core::EngineConfig { command_servers, ..Default::default() };
        for (body, (status, is_added)) in [&url, &program].into_iter().zip(expected) {
            let setup = Setup { key, ui: ui.clone(), engine: engine.clone(), ..Setup::default() };
            let dashboard = Dashboard::with(setup, |door| door).await;
            let mut head = dashboard.request("servers/add");
            if let Some(key) = key {
                head.headers.insert("x-api-key", HeaderValue::from_static(key));
            }
            let answered = dashboard.send(&head, &body.to_string()).await;
            let what = format!("{change_servers:?} {with_key} {body}: {}", answered.body);
            assert_eq!(answered.status, status, "{what}");
            assert_eq!(answered.body.contains("Added <b>more</b>"), is_added, "{what}");
            assert_eq!(dashboard.gateway.health().servers.len() == 2, is_added, "{what}");
        }
    };
    use ChangeServers::{Always, Authenticated, Never};
    use CommandServers::{Local, Never as NoCommand};
    // A browser is never a local program, so it starts programs with the key only.
    check(Always, false, Local, [(200, true), (200, false)]).await;
    check(Always, true, Local, [(200, true), (200, true)]).await;
    check(Always, true, NoCommand, [(200, true), (200, false)]).await;
    check(Authenticated, false, Local, [(403, false), (403, false)]).await;
    check(Authenticated, true, Local, [(200, true), (200, true)]).await;
    check(Never, true, Local, [(403, false), (403, false)]).await;
}

#[tokio::test]
async fn behind_a_proxy_the_browsers_word_counts() {
    let server = HttpServerConfig { allowed_origins: vec!["https://gateway.example".to_owned()], ..Default::default() };
    let dashboard = Dashboard::with(Setup { server, ..Setup::default() }, |door| door).await;
    // The proxy asks for 127.0.0.1; the page is the gateway's all the same.
    let mut head = dashboard.request("servers");
    head.headers.insert("origin", HeaderValue::from_static("https://gateway.example"));
    assert_eq!(dashboard.send(&head, "{}").await.status, 200);
    head.headers.remove("sec-fetch-site");
    assert_eq!(dashboard.send(&head, "{}").await.status, 403);
}
