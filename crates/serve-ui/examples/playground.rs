//! The dashboard over fake servers with invented numbers, for whoever works on the page:
//! `cargo run -p serve-ui --example playground`, then open the address that it prints. With an argument, that is the API key.

#[path = "../tests/it/fakes.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod fakes;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use auth_api_key::ApiKeyAuth;
use gateway_core::{ErrorKind, GatewayBuilder, QueueDepth, Secret};
use gateway_testkit::fakes::{Answer, FakeServer, FakeTransport, spec};
use http_server::{HttpServer, HttpServerConfig, serve};
use router_keyword::KeywordRouter;
use serve_ui::{UiConfig, UiDoor};
use session_store_memory::MemoryStore;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const TOOLS: &str = r#"{"tools":[
    {"name":"send_message","title":"Send a message","description":"Sends a message to a person or to everybody who listens. The message may have several lines, and is delivered in the order in which messages were sent.",
     "inputSchema":{"type":"object","required":["to","message"],"properties":{
        "to":{"type":"string","description":"Who gets it"},"message":{"type":"string","description":"What to say"},
        "priority":{"enum":["low","normal","high"],"default":"normal"},"copies":{"type":"integer","minimum":1,"default":1},
        "urgent":{"type":"boolean"},"tags":{"type":"array","items":{"type":"string"},"description":"Words to find it by"},
        "channels":{"type":"array","items":{"enum":["mail","chat","phone"]}},
        "address":{"type":"object","properties":{"city":{"type":"string"},"zip":{"type":"string"}}},"extra":{"description":"Anything else"}}}},
    {"name":"draw","description":"Draws a small picture","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}},
    {"name":"fail","description":"Fails whatever it is told","inputSchema":{"type":"object"}},
    {"name":"delete_everything","description":"Deletes everything that there is, without asking again","inputSchema":{"type":"object"},"annotations":{"destructiveHint":true}}]}"#;

const PICTURE: &str = r#"{"content":[{"type":"image","mimeType":"image/png","data":"iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAJUlEQVR42mNkYPhfz0ACYCJF8aiGUQ2jGkY1jGoY1TCqYSRqAAAOYQIfr9GkYQAAAABJRU5ErkJggg=="}]}"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let post = FakeServer::new()
        .with_tool("send_message", "", Answer::echo())
        .with_tool("draw", "", Answer::result(PICTURE))
        .with_tool(
            "fail",
            "",
            Answer::result(r#"{"isError":true,"content":[{"type":"text","text":"there was no more paper"}]}"#),
        )
        .with_tool("delete_everything", "", Answer::echo())
        .with_pages(&[TOOLS]);
    let broken = FakeServer::new().with_failed_connects(&[Some(ErrorKind::InvalidRequest); 1000]);
    let many = (0..2000).fold(FakeServer::new(), |server, number| {
        server.with_tool(
            &format!("measure_{number}"),
            &format!("Measures the temperature of sensor {number}"),
            Answer::echo(),
        )
    });
    let transport =
        FakeTransport::new().with_server("post", &post).with_server("broken", &broken).with_server("sensors", &many);
    let auth = Arc::new(ApiKeyAuth::new(std::env::args().nth(1).map(Secret::new)));
    let gateway = GatewayBuilder::new(Arc::new(KeywordRouter::default()), Arc::new(MemoryStore::new()), auth)
        .with_transport(Arc::new(transport))
        .with_servers(["post", "broken", "sensors"].map(spec).into())
        .start()
        .await
        .expect("a gateway");
    gateway.settled().await;
    post.events()[0].wrote("listening to whoever speaks");
    let usage = fakes::FakeUsage::new();
    let queue = fakes::FakeQueue(Some(QueueDepth { waiting: 12, claimed: 3, dead: 1 }));
    let door = UiDoor::new(gateway, UiConfig::default()).with_usage(usage.clone()).with_queue(Arc::new(queue));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stderr(), "listening on http://{}/ui", listener.local_addr()?)?;
    let server = HttpServer::new(HttpServerConfig::default(), Arc::new(door));
    let happening = async {
        for number in 0.. {
            tokio::time::sleep(Duration::from_millis(700)).await;
            usage.tell(&format!("send a message to everybody, for the {number}. time"));
        }
        Ok(())
    };
    tokio::select! {
        served = serve(listener, server, CancellationToken::new(), Duration::from_secs(1)) => served,
        ended = happening => ended,
    }
}
