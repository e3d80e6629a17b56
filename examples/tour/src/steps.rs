//! The steps: what a newcomer should see, in an order that tells a story.

use std::path::Path;
use std::time::{Duration, Instant};

use gateway_client::{Error, GatewayClient, Health, HealthStatus, NewSession, SearchRequest, ToolCall};
use serde_json::{Value, json};

use crate::stage::{Request, Scope, Stage};

/// Tools of one demo server.
const DEMO_TOOLS: usize = 4;
/// How long the demo server may take to start.
const READY_LIMIT: Duration = Duration::from_secs(15);
const GLANCE: Duration = Duration::from_millis(100);
/// What the server is called that the session adds.
const SECOND: &str = "second";

/// Walks through everything; the error says what was not as expected. `demo_server` is the program that a
/// session adds.
pub async fn walk(url: &str, demo_server: &Path) -> Result<(), String> {
    let mut gateway = GatewayClient::new(url).map_err(told)?;
    if let Ok(key) = std::env::var("GATEWAY_API_KEY") {
        gateway = gateway.with_api_key(key).map_err(told)?;
    }
    let mut stage = Stage::new(url);
    health(&mut stage, &gateway).await?;
    search(&mut stage, &gateway).await?;
    execute(&mut stage, &gateway).await?;
    session(&mut stage, &gateway, demo_server).await?;
    println!("\nThat was the tour; everything answered as expected.");
    Ok(())
}

async fn health(stage: &mut Stage, gateway: &GatewayClient) -> Result<(), String> {
    stage.step("Is it healthy?");
    stage.request(&Request::get("/health"));
    let deadline = Instant::now() + READY_LIMIT;
    let health = loop {
        let health = gateway.health().await.map_err(told)?;
        let is_ready = health.total_tools >= Some(DEMO_TOOLS);
        if is_ready || Instant::now() >= deadline {
            break health;
        }
        tokio::time::sleep(GLANCE).await;
    };
    let Health { status, connected_servers, total_tools, .. } = &health;
    let (servers, tools) = (connected_servers.unwrap_or_default(), total_tools.unwrap_or_default());
    stage.answer(&format!("{status:?}: {servers} server connected, {tools} tools"));
    expect(*status == HealthStatus::Healthy, "the gateway is healthy")?;
    expect(tools >= DEMO_TOOLS, "the demo server's tools are there: start the gateway with --demo")
}

async fn search(stage: &mut Stage, gateway: &GatewayClient) -> Result<(), String> {
    stage.step("Find a tool in plain words");
    for (query, best) in [("what time is it in Tokyo", "current_time"), ("how many miles are 5 km", "calculate")] {
        let request = SearchRequest::new(query).with_limit(2);
        stage.request(&Request::post("/mcp/search", &text(&request)?));
        let found = gateway.search(&request).await.map_err(told)?;
        for tool in &found.result {
            let (score, name, why) = (tool.match_score, &tool.qualified_name, &tool.reasoning);
            stage.answer(&format!("{score:.2}  {name}  ({why})"));
        }
        let first = found.result.first().map(|tool| tool.tool_name.as_str());
        expect(first == Some(best), &format!("`{best}` is found first"))?;
    }
    Ok(())
}

async fn execute(stage: &mut Stage, gateway: &GatewayClient) -> Result<(), String> {
    stage.step("Run it, without asking which server has it");
    let now = json!({"timezone": "Asia/Tokyo"});
    let content = run_tool(stage, gateway, Scope::Global, ("current_time", now)).await?;
    expect(content.contains("+09:00"), "the time is Tokyo's")?;
    let distance = json!({"expression": "5 km to miles"});
    let content = run_tool(stage, gateway, Scope::Global, ("calculate", distance)).await?;
    expect(content.starts_with("3.10") && content.ends_with(" miles"), "5 km are 3.1 miles")?;

    stage.step("A tool that fails says why; the request itself went well");
    let call = ToolCall::new("calculate").with_arguments(&json!({"expression": "1/0"})).map_err(told)?;
    stage.request(&Request::post("/mcp/execute", &text(&call)?));
    let result = gateway.execute(&call).await.map_err(told)?.result;
    stage.answer(&format!("success: {}, {}", result.success, result.content));
    expect(!result.success && result.content.contains("division by zero"), "dividing by zero fails")
}

async fn session(stage: &mut Stage, gateway: &GatewayClient, demo_server: &Path) -> Result<(), String> {
    stage.step("A session of one's own, with one server more");
    stage.request(&Request { method: "POST", ..Request::get("/sessions/create") });
    let created = gateway.create_session(&NewSession::new()).await.map_err(told)?;
    let id = created.session_id.as_str();
    stage.answer(&format!("a session with {} server; for the next lines:", created.servers_loaded));
    stage.name_session(id);
    let inside = gateway.clone().with_session(id).map_err(told)?;
    let walked = inside_session(stage, gateway, &inside, demo_server).await;

    // Also when something went wrong: a session left behind would keep its server running.
    stage.step("Delete the session: its servers are gone with the answer");
    stage.request(&Request::delete("/sessions/$SESSION"));
    gateway.delete_session(id).await.map_err(told)?;
    walked?;
    stage.request(&Request::get("/sessions/$SESSION"));
    let again = gateway.session(id).await;
    refused(stage, again.err().as_ref(), "the session is gone")
}

async fn inside_session(
    stage: &mut Stage,
    gateway: &GatewayClient,
    inside: &GatewayClient,
    demo_server: &Path,
) -> Result<(), String> {
    let config = json!({"mcpServers": {SECOND: {"command": demo_server}}}).to_string();
    stage.request(&Request::post("/mcp/servers/add", &config).in_session());
    let reply = inside.add_servers(&config).await.map_err(told)?;
    for failed in &reply.failed_servers {
        stage.answer(&format!("{}: {}", failed.name, failed.error));
    }
    for added in &reply.added_servers {
        stage.answer(&format!("`{}` added, with {} tools", added.name, added.tools_count));
    }
    expect(reply.success && reply.added_servers.len() == 1, "the server is added")?;

    stage.step("Nobody else sees it");
    stage.request(&Request::get("/mcp/tools").in_session());
    let seen_inside = inside.tools().await.map_err(told)?.total;
    stage.answer(&format!("{seen_inside} tools in the session"));
    stage.request(&Request::get("/mcp/tools"));
    let outside = gateway.tools().await.map_err(told)?;
    stage.answer(&format!("{} tools outside it", outside.total));
    expect(seen_inside == outside.total + DEMO_TOOLS, "the session has the second server's tools too")?;
    expect(outside.tools.iter().all(|tool| tool.mcp_server != SECOND), "the second server is in the session only")?;
    let name = format!("{SECOND}__echo");
    let echoed = run_tool(stage, inside, Scope::Session, (&name, json!({"message": "hello"}))).await?;
    expect(echoed == "hello", "the second server answers in the session")?;
    let call = ToolCall::new(&name).with_arguments(&json!({"message": "hello"})).map_err(told)?;
    stage.request(&Request::post("/mcp/execute", &text(&call)?));
    let outside = gateway.execute(&call).await;
    refused(stage, outside.err().as_ref(), "the tool does not exist outside the session")?;

    stage.step("Remove it again");
    let body = json!({"server_name": SECOND}).to_string();
    stage.request(&Request::post("/mcp/servers/remove", &body).in_session());
    let removed = inside.remove_server(SECOND).await.map_err(told)?;
    let (gone, tools) = (&removed.removed_server, removed.removed_tools_count);
    stage.answer(&format!("`{gone}` removed with its {tools} tools, {} server left", removed.total_servers));
    expect(gone == SECOND && tools == DEMO_TOOLS, "the second server is removed")?;
    let left = inside.tools().await.map_err(told)?.total;
    expect(left + DEMO_TOOLS == seen_inside, "its tools are gone")
}

/// Runs a tool that succeeds and returns its text.
async fn run_tool(
    stage: &Stage,
    gateway: &GatewayClient,
    scope: Scope,
    (tool, arguments): (&str, Value),
) -> Result<String, String> {
    let call = ToolCall::new(tool).with_arguments(&arguments).map_err(told)?;
    stage.request(&Request { scope, ..Request::post("/mcp/execute", &text(&call)?) });
    let result = gateway.execute(&call).await.map_err(told)?.result;
    stage.answer(&result.content);
    expect(result.success, &format!("`{tool}` succeeds"))?;
    Ok(result.content)
}

/// Shows a refusal, and that it was the right one.
fn refused(stage: &Stage, error: Option<&Error>, what: &str) -> Result<(), String> {
    if let Some(problem) = error.and_then(Error::problem) {
        stage.answer(&format!("{} {}: {}", problem.status, problem.kind, problem.message));
    }
    expect(error.and_then(Error::kind) == Some("not_found"), what)
}

/// What the client sends, for curl.
fn text<T: serde::Serialize>(body: &T) -> Result<String, String> {
    serde_json::to_string(body).map_err(|error| error.to_string())
}

fn expect(is_so: bool, what: &str) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(format!("not as expected: {what}")) }
}

/// The error with its causes.
#[expect(clippy::needless_pass_by_value, reason = "handed to `map_err`")]
fn told(error: Error) -> String {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        message.push_str(&format!(": {error}"));
        cause = error.source();
    }
    message
}
