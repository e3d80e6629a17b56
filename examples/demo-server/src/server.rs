//! The tools as MCP shows them. Their words are what a search ranks, so they say what a person would ask.

use jiff::Timestamp;
use rmcp::handler::server::tool::schema_for_output;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock, Implementation, ServerCapabilities, ServerConfig};
use rmcp::{ServerHandler, schemars, tool, tool_handler, tool_router};
use serde::{Deserialize, Serialize};

use crate::calculator::{Calculation, calculate};
use crate::clock::{ClockReading, Conversion, convert_time, current_time};

const INSTRUCTIONS: &str = "Clocks, a calculator and an echo to try a gateway with. \
    No tool changes anything, and none needs a key or a network.";

/// The whole server: it has no state.
#[derive(Debug, Clone, Copy)]
pub struct DemoServer;

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct CurrentTimeParams {
    /// Where: an IANA time zone name such as 'Asia/Tokyo', or a UTC offset such as '+02:00'. UTC when left out.
    timezone: Option<String>,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct ConvertTimeParams {
    /// The time to convert: 'HH:MM' (today), 'YYYY-MM-DD HH:MM', or RFC 3339 with an offset.
    time: String,
    /// The time zone that the time is given in, as an IANA name such as 'Europe/Berlin' or 'America/New_York', or
    /// a UTC offset. UTC when left out.
    from_timezone: Option<String>,
    /// The time zone to convert to, written in the same way.
    to_timezone: String,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct CalculateParams {
    /// The expression, such as '2 + 2 * 10', 'sqrt(2)', '15% of 240' or '5 km to miles'. At most 500 characters.
    expression: String,
}

#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct EchoParams {
    /// The text to say back.
    message: String,
}

#[tool_router]
impl DemoServer {
    #[tool(
        title = "Current time",
        description = "Tell what time it is now in a city or time zone, such as London or Tokyo: the current local \
            time, today's date, the day of the week and the UTC offset.",
        output_schema = schema_for_output::<ClockReading>(),
        annotations(read_only_hint = true, destructive_hint = false, idempotent_hint = true, open_world_hint = false)
    )]
    fn current_time(&self, Parameters(params): Parameters<CurrentTimeParams>) -> CallToolResult {
        let answer = current_time(params.timezone.as_deref(), Timestamp::now());
        reply(answer, |reading| format!("{}, {} ({})", reading.day_of_week, reading.datetime, reading.timezone))
    }

    #[tool(
        title = "Convert between time zones",
        description = "Convert a given time, such as 9am in Sydney, from one zone to another, daylight saving included: \
            when a meeting or call begins elsewhere, and how many hours lie between.",
        output_schema = schema_for_output::<Conversion>(),
        annotations(read_only_hint = true, destructive_hint = false, idempotent_hint = true, open_world_hint = false)
    )]
    fn convert_time(&self, Parameters(params): Parameters<ConvertTimeParams>) -> CallToolResult {
        let from = params.from_timezone.as_deref();
        let answer = convert_time(&params.time, from, &params.to_timezone, Timestamp::now());
        reply(answer, |conversion| {
            let Conversion { source, target, time_difference } = conversion;
            format!(
                "{} ({}) is {}, {} ({}), {time_difference} hours",
                source.datetime, source.timezone, target.day_of_week, target.datetime, target.timezone
            )
        })
    }

    #[tool(
        title = "Calculator: add, subtract, multiply, divide",
        description = "Calculate the value of a mathematical expression exactly: add, subtract, multiply or divide two \
            or more numbers, percent, powers, square roots, factorials, trigonometry and logarithms; convert physical \
            units such as km to miles.",
        output_schema = schema_for_output::<Calculation>(),
        annotations(read_only_hint = true, destructive_hint = false, idempotent_hint = true, open_world_hint = false)
    )]
    async fn calculate(&self, Parameters(params): Parameters<CalculateParams>) -> CallToolResult {
        match tokio::task::spawn_blocking(move || calculate(&params.expression)).await {
            Ok(answer) => reply(answer, |calculation| calculation.result.clone()),
            Err(_) => failure("the calculation was given up"),
        }
    }

    #[tool(
        title = "Echo",
        description = "Repeat a message: say the same text back, unchanged, to test that the connection works.",
        annotations(read_only_hint = true, destructive_hint = false, idempotent_hint = true, open_world_hint = false)
    )]
    fn echo(&self, Parameters(params): Parameters<EchoParams>) -> CallToolResult {
        CallToolResult::success(vec![ContentBlock::text(params.message)])
    }
}

#[tool_handler]
impl ServerHandler for DemoServer {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("demo-server", env!("CARGO_PKG_VERSION")).with_title("Demo server"))
            .with_instructions(INSTRUCTIONS)
    }
}

/// A sentence for people and the same as data, or what went wrong: a failed tool is a reply too.
fn reply<T: Serialize, E: ToString>(answer: Result<T, E>, sentence: impl FnOnce(&T) -> String) -> CallToolResult {
    match answer {
        Ok(value) => {
            let mut result = CallToolResult::success(vec![ContentBlock::text(sentence(&value))]);
            result.structured_content = serde_json::to_value(value).ok();
            result
        }
        Err(error) => failure(&error.to_string()),
    }
}

fn failure(message: &str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(message)])
}
