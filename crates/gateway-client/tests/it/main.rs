//! The client against a running door.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::Duration;

use auth_api_key::ApiKeyAuth;
use gateway_client::{
    CallEvent, Error, GatewayClient, HealthStatus, NewSession, RequestStatus, SearchReply, SearchRequest, ServerState,
    StoredRequest, ToolCall, ToolReply, UsageGroup, UsageRequest,
};
use gateway_core::{Credentials, GatewayBuilder, Secret};
use gateway_testkit::fakes::{Answer, FakeServer, FakeTransport, spec};
use gateway_usage::{UsageConfig, UsageRecorder};
use http_server::{HttpServer, HttpServerConfig, serve};
use queue_memory::{MemoryQueue, MemoryQueueConfig};
use router_keyword::KeywordRouter;
use serve_queue::{QueueDoor, QueueDoorConfig};
use serve_rest::{Metrics, RestConfig, RestDoor};
use session_store_memory::MemoryStore;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const ODD: &str = r#"{ "content":[{"type":"text","text":"one"},{"type":"new","x":1.50}],"_meta":{"b":1,"a":2}}"#;

/// A gateway with a key, and its one server.
async fn gateway() -> (GatewayClient, FakeServer) {
    let demo = FakeServer::new()
        .with_tool("echo", "Repeats the message that it is given", Answer::echo())
        .with_tool("odd", "Answers strangely", Answer::result(ODD))
        .with_tool("steps", "Tells its progress", Answer::progress(3))
        .with_tool("hang", "Never answers", Answer::hang())
        .with_tool("fail", "Reports an error", Answer::result(r#"{"content":[],"isError":true}"#));
    let more = FakeServer::new().with_tool("extra", "One more", Answer::echo());
    let transport = FakeTransport::new().with_server("demo", &demo).with_server("more", &more);
    let auth = Arc::new(ApiKeyAuth::new(Some(Secret::new("k3y"))));
    let usage = Arc::new(UsageRecorder::new(UsageConfig::default()));
    let gateway = GatewayBuilder::new(Arc::new(KeywordRouter::default()), Arc::new(MemoryStore::new()), auth)
        .with_layer(usage.layer())
        .with_feedback(Arc::<UsageRecorder>::clone(&usage))
        .with_transport(Arc::new(transport))
        .with_servers(vec![spec("demo")])
        .start()
        .await
        .unwrap();
    gateway.settled().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let metrics = Metrics::new("text/plain", || "up 1\n".to_owned());
    let queue = Arc::new(MemoryQueue::new(MemoryQueueConfig::default()));
    let credentials = Credentials { token: Some(Secret::new("k3y")), local: true };
    let config = QueueDoorConfig { credentials, ..QueueDoorConfig::default() };
    let worker = QueueDoor::new(gateway.clone(), queue.clone(), config);
    tokio::spawn(async move { worker.serve(&CancellationToken::new(), Duration::ZERO).await });
    let door = RestDoor::new(gateway, RestConfig::default(), metrics).with_queue(queue).with_usage(usage);
    let server = HttpServer::new(HttpServerConfig::default(), Arc::new(door));
    tokio::spawn(async move { serve(listener, server, CancellationToken::new(), Duration::ZERO).await });
    (GatewayClient::new(url).unwrap(), demo)
}

async fn with_key() -> (GatewayClient, FakeServer) {
    let (client, demo) = gateway().await;
    (client.with_api_key("k3y").unwrap(), demo)
}

#[tokio::test]
async fn tools_are_found_listed_and_run() {
    let (client, _) = with_key().await;
    let found = client.search(&SearchRequest::new("repeat a message").with_limit(1)).await.unwrap();
    assert_eq!((found.result.len(), found.router.as_str()), (1, "keyword"));
    assert_eq!(found.result[0].qualified_name, "demo__echo");
    let none = SearchRequest::new("repeat a message").with_min_score(1.0).with_servers(["demo"]);
    assert!(client.search(&none).await.unwrap().result.len() <= 1);

    let tools = client.tools().await.unwrap();
    assert_eq!((tools.total, tools.tools.len()), (5, 5));
    let echo = tools.tools.iter().find(|tool| tool.name == "echo").unwrap();
    assert_eq!((echo.mcp_server.as_str(), echo.input_schema.get()), ("demo", r#"{"type":"object"}"#));
    assert!(echo.raw.get().contains("qualified_name"));

    let call = ToolCall::new("echo").with_arguments_text(r#"{ "n" : 1.50 }"#).unwrap();
    assert_eq!(client.execute(&call).await.unwrap().result.content, r#"{ "n" : 1.50 }"#);
    let call =
        ToolCall::new("echo").with_arguments(&[("a", 1)].into_iter().collect::<std::collections::HashMap<_, _>>());
    let reply = client.execute(&call.unwrap().with_server("demo")).await.unwrap();
    assert_eq!((reply.result.content.as_str(), reply.result.success), (r#"{"a":1}"#, true));
    let reply = client.execute(&ToolCall::new("odd")).await.unwrap();
    assert_eq!((reply.result.call_tool_result.get(), reply.result.tool.as_str()), (ODD, "odd"));
    assert!(!client.execute(&ToolCall::new("fail")).await.unwrap().result.success);
}

#[tokio::test]
async fn failures_tell_what_the_gateway_said() {
    let (client, _) = with_key().await;
    let error = client.execute(&ToolCall::new("nobody")).await.unwrap_err();
    assert_eq!((error.status(), error.kind()), (Some(404), Some("not_found")));
    assert_eq!(error.request_id().unwrap().len(), 36);
    let error = client.execute(&ToolCall::new("hang").with_timeout_ms(20)).await.unwrap_err();
    assert_eq!((error.status(), error.kind()), (Some(408), Some("deadline_exceeded")));
    let error = client.session("../mcp/tools").await.unwrap_err();
    assert_eq!(error.status(), Some(404));
    assert!(matches!(ToolCall::new("x").with_arguments_text("{"), Err(Error::Invalid(_))));
    for bad in ["", "localhost:8000", "ftp://x", "mailto:x"] {
        assert!(matches!(GatewayClient::new(bad), Err(Error::Invalid(_))), "{bad}");
    }
    assert!(matches!(client.clone().with_api_key("a\nb"), Err(Error::Invalid(_))));
    assert!(!format!("{client:?}").contains("k3y"));
    let nobody = GatewayClient::new("http://127.0.0.1:9").unwrap();
    assert!(matches!(nobody.live().await, Err(Error::Connection(_))));
}

#[tokio::test]
async fn the_key_opens_the_door() {
    let (client, _) = gateway().await;
    assert_eq!(client.tools().await.unwrap_err().status(), Some(401));
    let health = client.health().await.unwrap();
    assert_eq!((health.status, health.connected_servers), (HealthStatus::Healthy, None));
    client.live().await.unwrap();
    client.ready().await.unwrap();
    assert!(client.openapi().await.unwrap().get().contains("3.1"));
    assert_eq!(client.metrics().await.unwrap_err().kind(), Some("unauthenticated"));
    let client = client.with_api_key("k3y").unwrap();
    let health = client.health().await.unwrap();
    assert_eq!(health.connected_servers, Some(1));
    assert!(health.servers.values().all(|server| server.state == ServerState::Ready));
    assert_eq!(client.metrics().await.unwrap(), "up 1\n");
}

#[tokio::test]
async fn events_come_in_order() {
    let (client, _) = with_key().await;
    let mut events = client.execute_stream(&ToolCall::new("steps")).await.unwrap();
    for step in 1..=3 {
        let Some(CallEvent::Progress(params)) = events.next().await.unwrap() else { panic!("no progress") };
        assert!(params.get().contains(&format!(r#""progress":{step}"#)));
    }
    let Some(CallEvent::Result(reply)) = events.next().await.unwrap() else { panic!("no result") };
    assert_eq!(reply.result.content, "done");
    assert!(events.next().await.unwrap().is_none());

    let events = client.execute_stream(&ToolCall::new("odd")).await.unwrap();
    assert_eq!(events.result().await.unwrap().result.call_tool_result.get(), ODD);

    let mut events = client.execute_stream(&ToolCall::new("nobody")).await.unwrap();
    let error = events.next().await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (Some("not_found"), None));
    assert!(events.next().await.unwrap().is_none());

    let bad = ToolCall::new("echo").with_arguments_text("[]").unwrap();
    assert_eq!(client.execute_stream(&bad).await.unwrap_err().status(), Some(422));
}

async fn answered(client: &GatewayClient, request_id: &str) -> StoredRequest {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let stored = client.request(request_id).await.unwrap();
        if stored.response.is_some() {
            return stored;
        }
        assert!(matches!(stored.status, RequestStatus::Queued | RequestStatus::Processing));
        assert!(stored.reply::<ToolReply>().unwrap().is_none());
        assert!(tokio::time::Instant::now() < deadline, "no answer comes");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn requests_are_queued_and_answered_later() {
    let (client, demo) = with_key().await;
    let call = ToolCall::new("odd");
    let queued = client.execute_later("job-1", &call).await.unwrap();
    assert_eq!((queued.request_id.as_str(), queued.status), ("job-1", RequestStatus::Queued));
    let stored = answered(&client, "job-1").await;
    let reply = stored.reply::<ToolReply>().unwrap().unwrap();
    assert_eq!((reply.result.call_tool_result.get(), stored.status), (ODD, RequestStatus::Completed));
    assert!(stored.request.get().contains("mcp_tool_call"));
    assert_eq!(client.execute_later("job-1", &call).await.unwrap().status, RequestStatus::Completed);
    assert_eq!(demo.calls(), 1);

    client.search_later("job-2", &SearchRequest::new("repeat a message")).await.unwrap();
    let found = answered(&client, "job-2").await.reply::<SearchReply>().unwrap().unwrap();
    assert_eq!(found.result[0].tool_name, "echo");

    client.execute_later("job-3", &ToolCall::new("nobody")).await.unwrap();
    let error = answered(&client, "job-3").await.reply::<ToolReply>().unwrap_err();
    assert_eq!((error.kind(), error.request_id()), (Some("not_found"), Some("job-3")));
    assert_eq!(client.request("job-4").await.unwrap_err().status(), Some(404));
    assert!(matches!(client.execute_later("a\nb", &call).await, Err(Error::Invalid(_))));
    assert_eq!(client.execute_later("a/b", &call).await.unwrap_err().status(), Some(400));
}

#[tokio::test]
async fn dropping_cancels() {
    let (client, demo) = with_key().await;
    let events = client.execute_stream(&ToolCall::new("hang")).await.unwrap();
    let call = ToolCall::new("hang");
    let call = client.execute(&call);
    assert!(tokio::time::timeout(Duration::from_millis(300), call).await.is_err());
    drop(events);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while demo.cancelled() < 2 {
        assert!(tokio::time::Instant::now() < deadline, "{} of 2 calls were cancelled", demo.cancelled());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn sessions_and_servers() {
    let (client, _) = with_key().await;
    let new = NewSession::new()
        .with_ttl_seconds(60)
        .with_metadata(&[("a", 1)].into_iter().collect::<std::collections::BTreeMap<_, _>>());
    let created = client.create_session(&new.unwrap()).await.unwrap();
    assert_eq!((created.servers_loaded, created.metadata.get()), (1, r#"{"a":1}"#));
    client.create_session(&NewSession::new()).await.unwrap();
    let inside = client.clone().with_session(&created.session_id).unwrap();

    let config = r#"{"mcpServers":{"more":{"url":"http://127.0.0.1:1/","transport":"fake"},"bad":{}}}"#;
    let added = inside.add_servers(config).await.unwrap();
    assert_eq!((added.success, added.total_servers_in_session), (false, Some(2)));
    assert_eq!((added.added_servers[0].name.as_str(), added.failed_servers[0].name.as_str()), ("more", "bad"));
    assert_eq!(inside.execute(&ToolCall::new("extra")).await.unwrap().session_id, Some(created.session_id.clone()));
    assert_eq!(client.execute(&ToolCall::new("extra")).await.unwrap_err().status(), Some(404));
    assert_eq!(inside.servers().await.unwrap().servers.len(), 2);
    assert_eq!(inside.clone().without_session().servers().await.unwrap().servers.len(), 1);

    let session = client.session(&created.session_id).await.unwrap();
    assert_eq!((session.active, session.connections.len()), (true, 2));
    let sessions = client.sessions().await.unwrap();
    assert_eq!((sessions.total, sessions.sessions.len()), (2, 2));

    let removed = inside.remove_server_by_uuid(added.added_servers[0].uuid).await.unwrap();
    assert_eq!((removed.removed_server.as_str(), removed.removed_tools_count), ("more", 1));
    assert_eq!(inside.remove_server("demo").await.unwrap().total_servers, 0);
    client.delete_session(&created.session_id).await.unwrap();
    assert_eq!(inside.tools().await.unwrap_err().kind(), Some("not_found"));
}

#[tokio::test]
async fn usage_is_told() {
    let (client, _) = with_key().await;
    for tool in ["echo", "echo", "fail"] {
        client.execute(&ToolCall::new(tool)).await.unwrap();
    }
    client.search(&SearchRequest::new("zzz")).await.unwrap();
    let usage = client.usage(&UsageRequest::new()).await.unwrap();
    assert_eq!((usage.group, usage.window_seconds, usage.total.calls), (UsageGroup::Tool, 3600, 3));
    assert_eq!((usage.groups[0].key.as_str(), usage.groups[0].counts.calls), ("demo/echo", 2));
    assert_eq!((usage.failing[0].key.as_str(), usage.failing[0].counts.tool_errors), ("demo/fail", 1));
    assert_eq!((usage.searches.total, usage.searches.unmatched_queries[0].query.as_str()), (1, "zzz"));
    assert!(usage.series.len() > 1 && usage.slow[0].counts.latency.max_ms > 0.0);

    let request = UsageRequest::new().with_window_seconds(86_400).with_group(UsageGroup::Caller).with_limit(1);
    let usage = client.usage(&request).await.unwrap();
    assert_eq!(
        (usage.group, usage.window_seconds, usage.groups[0].key.as_str()),
        (UsageGroup::Caller, 86_400, "api-key")
    );
    assert_eq!((usage.unused.len(), usage.unused_total), (1, 3));
    let error = client.usage(&UsageRequest::new().with_limit(0)).await.unwrap_err();
    assert_eq!((error.status(), error.kind()), (Some(400), Some("invalid_request")));
}
