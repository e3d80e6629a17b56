//! A steady load with faulty servers, and what it does to the gateway's memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gateway_client::{GatewayClient, SearchRequest, ToolCall, UsageRequest};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::error::{Error, Result};
use crate::options::Soak;
use crate::replica::{Recipe, Replica};
use crate::upstream::Upstream;

/// Requests under way at once; more wait, so that a slow gateway does not pile up tasks here.
const AT_ONCE: usize = 256;

/// The part of the time that is left out of the judgement: caches fill, allocators settle.
const WARM_UP: f64 = 0.25;

/// How much the gateway's memory may grow from the end of the warm-up to the end.
const MAX_GROWTH: f64 = 0.10;

/// One look at the gateway.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Duration,
    resident_kib: u64,
    threads: u64,
    open_files: usize,
    /// Tasks of its runtime, as it tells at `/metrics`.
    tasks: u64,
}

#[derive(Debug, Default)]
struct Numbers {
    good: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
}

/// Runs it; `false` where memory or tasks grew.
pub async fn run(options: &Soak) -> Result<bool> {
    let upstream = Upstream::start(options.fault_every).await?;
    let folder = tempfile::tempdir()?;
    let replica = Replica::start(&recipe(options, folder.path(), &upstream)?).await?;
    let client = GatewayClient::new(&replica.url)?;
    wait_for_tools(&client).await?;
    println!(
        "{} requests a second for {} s, one call in {} meets a fault",
        options.rate, options.seconds, options.fault_every
    );
    let numbers = Arc::new(Numbers::default());
    let looks = load(options, &client, &replica, &numbers).await?;
    let good = judge(&looks);
    let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
    println!(
        "{} requests went well, {} failed, {} could not be sent; the server had {} calls and made {} faults",
        count(&numbers.good),
        count(&numbers.failed),
        count(&numbers.refused),
        upstream.calls(),
        upstream.faults()
    );
    let process = replica.process_id();
    let stopped = replica.stop(Duration::from_secs(15)).await?;
    println!("process {process:?} stopped {}", if stopped { "in order" } else { "BADLY" });
    Ok(good && stopped && count(&numbers.refused) == 0 && count(&numbers.good) > 0)
}

fn recipe(options: &Soak, folder: &std::path::Path, upstream: &Upstream) -> Result<Recipe> {
    let url = format!("http://{}/mcp", upstream.address);
    let servers = json!({"mcpServers": {"shop": {"url": url, "request_timeout_ms": 2_000}}});
    std::fs::write(folder.join("servers.json"), servers.to_string())?;
    let data = folder.join("data").display().to_string();
    Ok(Recipe {
        program: std::path::absolute(options.programs.bin_dir.join("gateway-http"))?,
        folder: folder.to_owned(),
        variables: vec![("GATEWAY__DATA__DIR".to_owned(), data), ("LOG_LEVEL".to_owned(), "error".to_owned())],
        log: options.programs.logs.as_ref().map(|folder| folder.join("soak.log")),
    })
}

async fn wait_for_tools(client: &GatewayClient) -> Result<()> {
    for _ in 0..200 {
        if client.tools().await?.total > 0 {
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Err(Error::NotReady("the gateway does not see the server's tools".to_owned()))
}

async fn load(options: &Soak, client: &GatewayClient, replica: &Replica, numbers: &Arc<Numbers>) -> Result<Vec<Look>> {
    let begun = Instant::now();
    let whole = Duration::from_secs(options.seconds);
    let mut clock = interval(Duration::from_secs_f64(1.0 / options.rate.max(1) as f64));
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let look_every = (whole / 20).max(Duration::from_secs(1));
    let mut next_look = look_every;
    let (places, mut requests, mut looks) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new(), Vec::new());
    let mut number = 0_u64;
    while begun.elapsed() < whole {
        clock.tick().await;
        while requests.try_join_next().is_some() {}
        number += 1;
        // Nothing closes it.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let (client, numbers) = (client.clone(), Arc::clone(numbers));
        requests.spawn(async move {
            request(&client, number, &numbers).await;
            drop(place);
        });
        if begun.elapsed() >= next_look {
            next_look += look_every;
            let look = look(&client_metrics(replica).await?, replica, begun.elapsed())?;
            println!(
                "{:>5.0} s  {:>7} KiB  {:>3} threads  {:>4} open files  {:>4} tasks",
                look.at.as_secs_f64(),
                look.resident_kib,
                look.threads,
                look.open_files,
                look.tasks
            );
            looks.push(look);
        }
    }
    while requests.join_next().await.is_some() {}
    Ok(looks)
}

/// Six calls, three searches and a look at the usage, in turn.
async fn request(client: &GatewayClient, number: u64, numbers: &Numbers) {
    let answer = match number % 10 {
        0 => client.usage(&UsageRequest::new()).await.map(drop),
        1..=3 => client.search(&SearchRequest::new("look up the state of an order")).await.map(drop),
        _ => {
            let call = ToolCall::new("shop__look_up_order").with_arguments(&json!({"key": "", "pause_ms": 1}));
            match call {
                Ok(call) => client.execute(&call).await.map(drop),
                Err(error) => Err(error),
            }
        }
    };
    let counter = match answer {
        Ok(()) => &numbers.good,
        Err(gateway_client::Error::Connection(_)) => &numbers.refused,
        Err(_) => &numbers.failed,
    };
    counter.fetch_add(1, Ordering::Relaxed);
}

async fn client_metrics(replica: &Replica) -> Result<String> {
    Ok(GatewayClient::new(&replica.url)?.metrics().await?)
}

fn look(metrics: &str, replica: &Replica, at: Duration) -> Result<Look> {
    let id = replica.process_id().ok_or_else(|| Error::NotReady("the gateway has ended".to_owned()))?;
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
    };
    let tasks = metrics.lines().find_map(|line| line.strip_prefix("mcp_gateway_tasks ")?.parse::<f64>().ok());
    Ok(Look {
        at,
        resident_kib: field("VmRSS:"),
        threads: field("Threads:"),
        open_files: std::fs::read_dir(format!("/proc/{id}/fd"))?.count(),
        tasks: tasks.unwrap_or_default() as u64,
    })
}

/// Compares the first looks after the warm-up with the last ones.
fn judge(looks: &[Look]) -> bool {
    let settled = &looks[(looks.len() as f64 * WARM_UP) as usize..];
    if settled.len() < 4 {
        println!("too short to tell whether anything grows");
        return true;
    }
    let (early, late) = (&settled[..settled.len() / 3], &settled[settled.len() - settled.len() / 3..]);
    let mean = |looks: &[Look], of: fn(&Look) -> f64| looks.iter().map(of).sum::<f64>() / looks.len() as f64;
    let mut good = true;
    for (what, of, slack) in [
        ("memory (KiB)", (|look| look.resident_kib as f64) as fn(&Look) -> f64, 0.0),
        ("threads", |look| look.threads as f64, 2.0),
        ("open files", |look| look.open_files as f64, 32.0),
        ("tasks", |look| look.tasks as f64, 32.0),
    ] {
        let (before, after) = (mean(early, of), mean(late, of));
        let grown = after > before * (1.0 + MAX_GROWTH) + slack;
        let verdict = if grown { "GROWN" } else { "flat" };
        println!("{what}: {before:.0} early, {after:.0} late: {verdict}");
        good &= !grown;
    }
    good
}
