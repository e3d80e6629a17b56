//! What is published, what is read back, and what happens where that does not work.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::{ErrorKind, Inventory, NewSession, RawJson, SearchRequest, Secret, publish_inventory};
use gateway_testkit::fakes::{Answer, FakeServer, FakeTransport, builder, context, gateway, spec};
use inventory_redis::{RedisInventory, RedisInventoryConfig};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use serde_json::Value;
use uuid::Uuid;

const URL: &str = "redis://127.0.0.1:6379";

/// Keys of its own in Redis, removed at the end.
struct Place {
    prefix: String,
    redis: MultiplexedConnection,
}

impl Place {
    async fn new() -> Self {
        let client = redis::Client::open(URL).expect("a URL");
        let redis = client.get_multiplexed_async_connection().await.expect("Redis must run on 127.0.0.1:6379");
        Self { prefix: format!("test-{}:", Uuid::new_v4().simple()), redis }
    }

    fn config(&self) -> RedisInventoryConfig {
        RedisInventoryConfig { prefix: self.prefix.clone(), ..RedisInventoryConfig::new(Secret::new(URL)) }
    }

    fn inventory(&self) -> Arc<RedisInventory> {
        Arc::new(RedisInventory::new(self.config()).expect("good settings"))
    }

    async fn get(&mut self, key: &str) -> Option<Value> {
        let text: Option<String> = self.redis.get(format!("{}{key}", self.prefix)).await.expect("a text");
        text.map(|text| serde_json::from_str(&text).expect("JSON"))
    }

    async fn set(&mut self, key: &str, value: &[u8]) {
        let _: () = self.redis.set(format!("{}{key}", self.prefix), value).await.expect("set");
    }

    async fn ttl(&mut self, key: &str) -> i64 {
        self.redis.ttl(format!("{}{key}", self.prefix)).await.expect("a number")
    }

    /// Waits until a key holds what is wanted.
    async fn eventually(&mut self, key: &str, holds: impl Fn(Option<&Value>) -> bool) -> Option<Value> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let value = self.get(key).await;
            if holds(value.as_ref()) {
                return value;
            }
            assert!(tokio::time::Instant::now() < deadline, "never happened: {key} is {value:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn clean(mut self) {
        let keys: Vec<String> = self.redis.keys(format!("{}*", self.prefix)).await.expect("keys");
        for key in keys {
            let _: () = self.redis.del(key).await.expect("deleted");
        }
    }
}

fn has_tools(count: usize) -> impl Fn(Option<&Value>) -> bool {
    move |value| value.and_then(Value::as_array).is_some_and(|tools| tools.len() == count)
}

const PAGE: &str = r#"{"tools":[{"name":"weld","title":"Weld","description":"welds","inputSchema":{"n":1.50},"annotations":{"readOnlyHint":true},"outputSchema":{},"_meta":{"a":[1e2]}},{"name":"bare","inputSchema":{}}]}"#;

#[tokio::test]
async fn what_one_gateway_publishes_another_one_begins_with() {
    let mut place = Place::new().await;
    let server = FakeServer::new().with_pages(&[PAGE]);
    let first = gateway(&[("shop", &server)]).await;
    let publishing = tokio::spawn(publish_inventory(first.clone(), place.inventory()));
    let tools = place.eventually("tool_inventory", has_tools(2)).await.expect("is there");
    let uuid = spec("shop").uuid().to_string();
    assert_eq!(
        tools[0],
        serde_json::json!({"mcp_server": "shop", "mcp_server_uuid": uuid, "name": "weld", "title": "Weld",
            "description": "welds", "inputSchema": {"n": 1.5}, "annotations": {"readOnlyHint": true},
            "outputSchema": {}, "_meta": {"a": [100.0]}})
    );
    assert_eq!(tools[1]["description"], "");
    let status = place.get("status").await.expect("is there");
    assert_eq!(status["status"], "healthy");
    assert_eq!(status["connected_servers"], serde_json::json!({ uuid: "shop" }));
    assert_eq!(status["total_tools"], 2);
    assert!(status["timestamp"].as_f64().expect("a number") > 1.7e9);
    assert!((3_500..=3_600).contains(&place.ttl("tool_inventory").await));
    assert!((50..=60).contains(&place.ttl("status").await));

    // A session, until it is deleted.
    let own = context(&first, None).await;
    let session = first.create_session(&own, NewSession::default()).await.expect("made");
    let (tools, status) = (format!("session:{}:tool_inventory", session.id), format!("session:{}:status", session.id));
    place.eventually(&tools, has_tools(2)).await;
    place.eventually(&status, |status| status.is_some_and(|status| status["total_tools"] == 2)).await;
    first.delete_session(&own, &session.id).await.expect("deleted");
    place.eventually(&tools, |tools| tools.is_none()).await;
    place.eventually(&status, |status| status.is_none()).await;

    // Another gateway, whose server never comes.
    let known = place.inventory().load().await.expect("Redis is there");
    let never = FakeServer::new().with_failed_connects(&[None; 9]);
    let transport = FakeTransport::new().with_server("shop", &never);
    let second =
        builder(transport).with_servers(vec![spec("shop")]).with_known_tools(known).start().await.expect("starts");
    let own = context(&second, None).await;
    let listed = second.tools(&own);
    assert_eq!(listed.len(), 2);
    let declared: Value = serde_json::from_str(PAGE).expect("JSON");
    let raw: Value = listed[0].tool.raw().read().expect("JSON");
    assert_eq!(raw, declared["tools"][0]);
    assert!(listed[0].tool.raw().as_str().contains(r#""n":1.50"#), "numbers keep their spelling");
    let wish = SearchRequest { query: "weld".to_owned(), limit: 5, servers: None, min_score: 0.0 };
    assert_eq!(second.search(&own, wish).await.expect("found").matches[0].tool.tool.name(), "weld");

    first.shutdown().await;
    publishing.await.expect("no panic");
    second.shutdown().await;
    place.clean().await;
}

/// A snapshot of a gateway with one tool.
async fn snapshot() -> gateway_core::InventorySnapshot {
    let server = FakeServer::new().with_tool("echo", "says it again", Answer::echo());
    let gateway = gateway(&[("a", &server)]).await;
    let tools = gateway.tools(&context(&gateway, None).await);
    gateway_core::InventorySnapshot {
        session_id: None,
        healthy: true,
        servers: Vec::new(),
        tools: tools.into(),
        tools_hash: 1,
    }
}

#[tokio::test]
async fn equal_lists_are_renewed_and_those_that_are_gone_are_written() {
    let mut place = Place::new().await;
    let inventory = place.inventory();
    let snapshot = snapshot().await;
    inventory.publish(&snapshot).await.expect("published");
    // Somebody else's list of the same time stays: only its time is renewed.
    place.set("tool_inventory", b"[7]").await;
    inventory.publish(&snapshot).await.expect("published");
    assert_eq!(place.get("tool_inventory").await, Some(serde_json::json!([7])));
    assert!(place.ttl("tool_inventory").await > 3_500);
    let other = gateway_core::InventorySnapshot { tools_hash: 2, ..snapshot.clone() };
    inventory.publish(&other).await.expect("published");
    assert!(has_tools(1)(place.get("tool_inventory").await.as_ref()));
    assert_ne!(place.get("tool_inventory").await, Some(serde_json::json!([7])));

    let key = format!("{}tool_inventory", place.prefix);
    let _: () = place.redis.del(&key).await.expect("deleted");
    inventory.publish(&other).await.expect("published");
    assert!(has_tools(1)(place.get("tool_inventory").await.as_ref()), "a Redis that was emptied is filled again");
    place.clean().await;
}

#[tokio::test]
async fn what_others_wrote_is_read_with_care() {
    let mut place = Place::new().await;
    let config = RedisInventoryConfig { max_bytes: 10_000, ..place.config() };
    let inventory = RedisInventory::new(config).expect("good settings");
    assert!(inventory.load().await.expect("nothing is there").is_empty());

    let uuid = Uuid::from_u128(7);
    let good = format!(r#"{{"mcp_server_uuid":"{uuid}","inputSchema":{{}},"mcp_server":"s","name":"t"}}"#);
    let list = format!(
        r#"[null, 7, {{"mcp_server_uuid":"7","name":"t","inputSchema":{{}}}},
           {{"mcp_server_uuid":"{uuid}","inputSchema":{{}}}}, {good}, []]"#
    );
    place.set("tool_inventory", list.as_bytes()).await;
    let known = inventory.load().await.expect("Redis is there");
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].server_uuid, uuid);
    assert_eq!(known[0].declaration, RawJson::parse(r#"{"inputSchema":{},"name":"t"}"#).expect("JSON"));

    let huge = format!("[{good},\"{}\"]", "x".repeat(10_000));
    let deep = format!("{}{}", "[".repeat(4_000), "]".repeat(4_000));
    for garbage in ["{", "{}", "\"[]\"", "[1", huge.as_str(), deep.as_str(), "\0\u{1}"] {
        place.set("tool_inventory", garbage.as_bytes()).await;
        let known = inventory.load().await.expect("Redis is there");
        assert!(known.is_empty(), "{}", &garbage[..garbage.len().min(20)]);
    }
    place.set("tool_inventory", b"[\"\xff\xfe\"]").await;
    assert!(inventory.load().await.expect("Redis is there").is_empty());
    let key = format!("{}tool_inventory", place.prefix);
    let _: () = place.redis.del(&key).await.expect("deleted");
    let _: () = place.redis.rpush(&key, "a list").await.expect("pushed");
    assert!(inventory.load().await.expect("Redis is there").is_empty());

    // What is ours replaces it; what is too large is not written.
    let snapshot = snapshot().await;
    inventory.publish(&snapshot).await.expect("published");
    assert_eq!(inventory.load().await.expect("Redis is there").len(), 1);
    let config = RedisInventoryConfig { max_bytes: 20, ..place.config() };
    RedisInventory::new(config).expect("good settings").publish(&snapshot).await.expect("published");
    assert_eq!(place.get("tool_inventory").await, Some(serde_json::json!([])));
    place.clean().await;
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_said_without_the_password() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let silent = format!("redis://user:hush-hush@127.0.0.1:{port}");
    let closed = "redis://user:hush-hush@127.0.0.1:1".to_owned();
    for url in [silent, closed] {
        let config = RedisInventoryConfig {
            connect_timeout: Duration::from_millis(300),
            response_timeout: Duration::from_millis(300),
            ..RedisInventoryConfig::new(Secret::new(url))
        };
        let inventory = RedisInventory::new(config).expect("it connects only when it is used");
        let error = inventory.load().await.expect_err("nobody is there");
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let told = format!("{error} {error:?} {inventory:?}");
        assert!(!told.contains("hush"), "{told}");
    }
    for url in ["", "nonsense hush-hush", "http://:hush-hush@h", "redis://:hush-hush@h/hush", "redis://h?protocol=hush"]
    {
        let error = RedisInventory::new(RedisInventoryConfig::new(Secret::new(url))).expect_err(url);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{url}");
        assert!(error.message().contains("redis://[user]") && !format!("{error:?}").contains("hush"), "{error:?}");
    }
}
