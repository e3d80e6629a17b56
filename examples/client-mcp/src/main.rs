//! A chat over MCP: tools with progress, resources, prompts, forms and sampling, by HTTP or stdio.
//!
//! ```text
//! gateway-http --demo
//! client-mcp
//! client-mcp --expose all
//! client-mcp --stdio demo-server
//! ```
//!
//! With `OPENAI_API_KEY` or `ANTHROPIC_API_KEY` a language model finds and runs the tools, and answers servers that ask
//! for one; without one you pick the tools. It speaks every revision of MCP that rmcp does.

mod connect;
mod mcp_toolbox;
mod offers;
mod person;
mod ranking;
mod requests;
mod watched;

use std::process::ExitCode;

use chat_terminal::{Chat, ChatArguments, Terminal};
use clap::Parser;
use connect::{Era, Link, Target};
use mcp_toolbox::McpToolbox;
use person::Person;

const HELP: &str = "Say what you want, or: /tools, /resources, /read URI, /prompts, /prompt NAME, /help, /quit.";

/// A chat with an MCP server, such as the gateway.
#[derive(Debug, Parser)]
#[command(name = "client-mcp")]
struct Arguments {
    /// Where the server is; without a path, /mcp is meant. A gateway's key is read from GATEWAY_API_KEY.
    #[arg(long, value_name = "URL", default_value = "http://localhost:8000")]
    gateway: String,

    /// What the gateway shows: two tools that find and run all others, or all tools, prompts and resources.
    #[arg(long, value_parser = ["search", "all"])]
    expose: Option<String>,

    /// Works in this session of the gateway.
    #[arg(long, value_name = "ID")]
    session: Option<String>,

    /// Begins with `initialize`, as clients did before revision 2026-07-28, and does not ask what the server speaks.
    #[arg(long)]
    legacy: bool,

    #[command(flatten)]
    chat: ChatArguments,

    /// Starts this server and speaks over its standard input and output. Must come last.
    #[arg(long, value_name = "COMMAND", num_args = 1.., allow_hyphen_values = true)]
    #[arg(conflicts_with_all = ["expose", "session", "gateway"])]
    stdio: Option<Vec<String>>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The HTTP client asks for it; an error would mean that it is there already.
    let _chosen = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    let outcome = runtime.block_on(run(arguments));
    // A question that its server has called off still waits for a line, and must not hold up the end.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => failed(&message),
    }
}

fn failed(message: &str) -> ExitCode {
    eprintln!("client-mcp: {message}");
    ExitCode::FAILURE
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let terminal = Terminal::default();
    let model = arguments.chat.chat_model().map_err(|error| error.to_string())?;
    let person = Person::new(terminal.clone(), model.clone());
    let era = if arguments.legacy { Era::Legacy } else { Era::Ask };
    let target = match arguments.stdio {
        Some(command) => Target::Stdio(command),
        None => {
            let key = std::env::var("GATEWAY_API_KEY").ok();
            Target::Http { url: arguments.gateway, expose: arguments.expose, session: arguments.session, key }
        }
    };
    let link = connect::connect(target, era, person, &terminal).await?;
    let chat = Chat::new(terminal.clone(), model);
    let chatted = talk(chat, &link, &terminal, arguments.chat).await;
    link.close().await;
    chatted
}

async fn talk(mut chat: Chat, link: &Link, terminal: &Terminal, arguments: ChatArguments) -> Result<(), String> {
    let mut toolbox = McpToolbox::open(&link.connection, terminal.clone()).await?;
    if let Some(text) = &arguments.once {
        return chat.hear_once(&mut toolbox, text, arguments.args).await;
    }
    terminal.say(link.describe());
    terminal.say(HELP);
    while let Some(line) = terminal.ask("\n> ").await {
        let line = line.trim();
        let (command, rest) = line.split_once(' ').map_or((line, ""), |(command, rest)| (command, rest.trim()));
        let done = match command {
            "" => Ok(()),
            "/quit" => break,
            "/help" => {
                terminal.say(HELP);
                Ok(())
            }
            "/tools" => toolbox.list().await,
            "/resources" => offers::resources(&link.connection, terminal).await,
            "/read" => offers::read(&link.connection, terminal, rest).await,
            "/prompts" => offers::prompts(&link.connection, terminal).await,
            "/prompt" => offers::prompt(&link.connection, terminal, rest).await,
            _ => chat.hear(&mut toolbox, line).await,
        };
        if let Err(message) = done {
            terminal.say(message);
        }
    }
    Ok(())
}
