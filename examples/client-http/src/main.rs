//! A chat over the gateway's REST API: find tools, pick one, run it; or let a model do so.
//!
//! ```text
//! gateway-http --demo
//! client-http
//! client-http --once "what time is it in Tokyo" --args '{"timezone": "Asia/Tokyo"}'
//! ```
//!
//! With `OPENAI_API_KEY` or `ANTHROPIC_API_KEY` a language model finds and runs the tools; without one you do.

mod rest_toolbox;

use std::process::ExitCode;

use chat_terminal::{Chat, ChatArguments, Terminal};
use clap::Parser;
use gateway_client::{Error, GatewayClient, NewSession};
use rest_toolbox::RestToolbox;

const HELP: &str = "Say what you want, or: /tools lists all tools, /help says this, /quit ends.";

/// A chat with the tools behind a gateway.
#[derive(Debug, Parser)]
#[command(name = "client-http")]
struct Arguments {
    /// Where the gateway is. Its key is read from GATEWAY_API_KEY.
    #[arg(long, value_name = "URL", default_value = "http://localhost:8000")]
    gateway: String,

    /// Chats in this session of the gateway; without an id in a new one, which is deleted at the end.
    #[arg(long, value_name = "ID", num_args = 0..=1, default_missing_value = "")]
    session: Option<String>,

    #[command(flatten)]
    chat: ChatArguments,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    match runtime.block_on(run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => failed(&message),
    }
}

fn failed(message: &str) -> ExitCode {
    eprintln!("client-http: {message}");
    ExitCode::FAILURE
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let mut gateway = GatewayClient::new(&arguments.gateway).map_err(told)?;
    if let Ok(key) = std::env::var("GATEWAY_API_KEY") {
        gateway = gateway.with_api_key(key).map_err(told)?;
    }
    match arguments.session.as_deref() {
        None => chat(gateway, arguments.chat).await,
        Some("") => {
            let session = gateway.create_session(&NewSession::new()).await.map_err(told)?.session_id;
            let inside = gateway.clone().with_session(&session).map_err(told)?;
            let chatted = chat(inside, arguments.chat).await;
            // Also when something went wrong: a session that is left behind keeps its servers running for a while.
            gateway.delete_session(&session).await.map_err(told)?;
            chatted
        }
        Some(session) => chat(gateway.with_session(session).map_err(told)?, arguments.chat).await,
    }
}

async fn chat(gateway: GatewayClient, arguments: ChatArguments) -> Result<(), String> {
    let terminal = Terminal::default();
    let model = arguments.chat_model().map_err(|error| error.to_string())?;
    let mut toolbox = RestToolbox::new(gateway, terminal.clone());
    let mut chat = Chat::new(terminal.clone(), model.clone());
    if let Some(text) = &arguments.once {
        return chat.hear_once(&mut toolbox, text, arguments.args).await;
    }
    match model {
        Some(model) => terminal.say(format_args!("{} finds and runs the tools. {HELP}", model.name())),
        None => terminal.say(format_args!("No model: you pick the tools. {HELP}")),
    }
    while let Some(line) = terminal.ask("\n> ").await {
        let done = match line.trim() {
            "" => Ok(()),
            "/quit" => break,
            "/help" => {
                terminal.say(HELP);
                Ok(())
            }
            "/tools" => toolbox.list().await,
            text => chat.hear(&mut toolbox, text).await,
        };
        if let Err(message) = done {
            terminal.say(message);
        }
    }
    Ok(())
}

/// An error for people: the gateway's own words, or what went wrong with the connection and why.
#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
fn told(error: Error) -> String {
    if let Some(problem) = error.problem() {
        return format!("{} ({})", problem.message, problem.kind);
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}
