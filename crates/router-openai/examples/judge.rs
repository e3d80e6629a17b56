//! Asks a model to judge three tools, to try a key, a model or a server:
//!
//! ```sh
//! API_KEY=… cargo run -p router-openai --example judge -- openai
//! API_KEY=… cargo run -p router-openai --example judge -- anthropic https://api.anthropic.com claude-haiku-5-5
//! cargo run -p router-openai --example judge -- compatible http://localhost:11434/v1 qwen3:4b
//! ```
//!
//! `RUST_LOG=debug` says why a model was of no use.

use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway_core::{Query, RawJson, Router as _, Secret, ServerTools};
use gateway_testkit::fakes::FakeRouter;
use router_openai::{
    AnthropicModel, AnthropicModelConfig, ChatModel, GeminiModel, GeminiModelConfig, OpenAiModel, OpenAiModelConfig,
    OpenAiRouter, OpenAiRouterConfig,
};

const TOOLS: [(&str, &str); 3] = [
    ("file_read", "Reads a text file and returns its lines."),
    ("file_checksum", "Computes the SHA-256 of a file, to see whether it has changed."),
    ("file_share", "Makes a public link to a file, for people outside."),
];

const QUERY: &str = "has somebody tampered with this file?";

fn model(arguments: &[String]) -> Result<Arc<dyn ChatModel>, Box<dyn Error>> {
    let key = Secret::new(std::env::var("API_KEY").unwrap_or_default());
    let (url, name) = (arguments.get(1).cloned(), arguments.get(2).cloned());
    Ok(match arguments.first().map(String::as_str) {
        Some("openai") => {
            let mut config = OpenAiModelConfig::new(key);
            config.base_url = url.unwrap_or(config.base_url);
            Arc::new(OpenAiModel::new(name.map_or(config.clone(), |name| config.with_model(name)))?)
        }
        Some("compatible") => {
            let key = Some(key).filter(|key| !key.expose().is_empty());
            let (url, name) = url.zip(name).ok_or("say a base URL and a model's name")?;
            Arc::new(OpenAiModel::new(OpenAiModelConfig::compatible(url, name, key))?)
        }
        Some("anthropic") => {
            let mut config = AnthropicModelConfig::new(key);
            config.base_url = url.unwrap_or(config.base_url);
            Arc::new(AnthropicModel::new(name.map_or(config.clone(), |name| config.with_model(name)))?)
        }
        Some("gemini") => {
            let mut config = GeminiModelConfig::new(key);
            config.base_url = url.unwrap_or(config.base_url);
            Arc::new(GeminiModel::new(name.map_or(config.clone(), |name| config.with_model(name)))?)
        }
        _ => return Err("say openai, compatible, anthropic or gemini, then a base URL and a model's name".into()),
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let config = OpenAiRouterConfig { timeout: Duration::from_secs(30), ..OpenAiRouterConfig::default() };
    let router = OpenAiRouter::new(Arc::new(FakeRouter), model(&arguments)?, config);
    let mut tools = Vec::new();
    for (name, description) in TOOLS {
        let tool = serde_json::json!({"name": name, "description": description, "inputSchema": {}});
        tools.push(RawJson::from_value(&tool)?);
    }
    let index = router.index(&[Arc::new(ServerTools::new("files", "", tools))]).await?;
    let begun = Instant::now();
    let query = Query { text: QUERY, limit: 5, min_score: 0.0, visible: &|_| true };
    let ranking = index.rank(&query).await?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{QUERY} — {} in {:?}", ranking.answered_by.as_deref().unwrap_or(router.name()), begun.elapsed())?;
    for found in ranking.matches {
        writeln!(out, "{:.2} {} ({})", found.score, TOOLS[found.tool.tool as usize].0, found.reasoning)?;
    }
    Ok(())
}
