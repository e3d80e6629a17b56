//! A program that knows only Redis: it sends jobs and reads answers.

use std::time::{Duration, Instant};

use rand::RngExt as _;
use redis::aio::ConnectionManager;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::error::{Error, Result};

/// How long Redis may be away before the producer gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The list for jobs, and the one for answers that name no other.
pub const REQUESTS: &str = "mcp_requests";
pub const RESPONSES: &str = "mcp_responses";
/// A list that some jobs name for their answers.
pub const OWN_RESPONSES: &str = "torture:answers";

/// One job, and what was asked of whom.
#[derive(Clone, Debug)]
pub struct Sent {
    pub request_id: String,
    pub kind: Kind,
    pub sent_at: Instant,
}

/// What a job asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A tool that must not run twice.
    Once,
    /// One that only reads, or may run again.
    Again,
    /// A search.
    Search,
}

impl Kind {
    fn of(number: usize) -> Self {
        match number % 10 {
            0..5 => Self::Once,
            5..9 => Self::Again,
            _ => Self::Search,
        }
    }

    /// The tool that is called; `None` for a search.
    pub fn tool(self, number: usize) -> Option<&'static str> {
        match self {
            Self::Once => Some("charge_card"),
            Self::Again if number.is_multiple_of(2) => Some("look_up_order"),
            Self::Again => Some("set_address"),
            Self::Search => None,
        }
    }
}

/// Sends `jobs` jobs, `rate` a second. One in fifty is sent twice, as by a producer that did not hear whether its first
/// attempt came through; `poison` messages are no jobs at all.
pub async fn send(mut redis: ConnectionManager, jobs: usize, rate: usize, poison: usize) -> Result<Vec<Sent>> {
    let mut clock = interval(Duration::from_millis(20));
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let each = (rate / 50).max(1);
    let mut sent = Vec::with_capacity(jobs);
    let mut poisoned = 0;
    while sent.len() < jobs {
        clock.tick().await;
        for _ in 0..each.min(jobs - sent.len()) {
            let number = sent.len();
            let (job, text) = job(number);
            push(&mut redis, &text).await?;
            if number.is_multiple_of(50) {
                push(&mut redis, &text).await?;
            }
            sent.push(job);
            if poisoned < poison && number % (jobs / poison).max(1) == 1 {
                poisoned += 1;
                push(&mut redis, &format!("{{\"no job\": {poisoned}")).await?;
            }
        }
    }
    Ok(sent)
}

fn job(number: usize) -> (Sent, String) {
    let kind = Kind::of(number);
    let request_id = format!("job-{number}");
    let pause = rand::rng().random_range(0..40);
    let payload = match kind.tool(number) {
        Some(tool) => json!({"tool_name": tool, "args": {"key": request_id, "pause_ms": pause}}),
        None => json!({"query": "look up the state of an order"}),
    };
    let action = if kind == Kind::Search { "mcp_search" } else { "mcp_tool_call" };
    let mut envelope = json!({"request_id": request_id, "action": action, "payload": payload});
    if number.is_multiple_of(3) {
        envelope["reply_to"] = Value::from(OWN_RESPONSES);
    }
    if number.is_multiple_of(7) {
        envelope["priority"] = Value::from("high");
    }
    if number.is_multiple_of(11) {
        // The contract takes a text, too.
        envelope["payload"] = Value::from(envelope["payload"].to_string());
    }
    (Sent { request_id, kind, sent_at: Instant::now() }, envelope.to_string())
}

/// Sends one message; again and again where Redis is away.
async fn push(redis: &mut ConnectionManager, text: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        let pushed = redis::cmd("LPUSH").arg(REQUESTS).arg(text).query_async::<u64>(redis).await;
        match pushed {
            Ok(_) => return Ok(()),
            Err(error) if begun.elapsed() > PATIENCE => return Err(Error::Redis(error)),
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}
