//! Jobs over several replicas on one Redis, while replicas and Redis are killed.

use std::path::Path;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use redis::aio::ConnectionManager;
use serde_json::json;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::options::{Programs, Queue};
use crate::producer::{self, REQUESTS, Sent};
use crate::redis_server::RedisServer;
use crate::replica::{Recipe, Replica};
use crate::tally::{Answers, Verdict};
use crate::upstream::Upstream;

/// How long the replicas have for what is left when everything has been sent.
const LAST_JOBS: Duration = Duration::from_secs(90);

/// How long a replica's claims live without it: short, since it is killed often.
const LEASE_MS: u64 = 2_000;

/// Messages that are no jobs.
const POISON: usize = 20;

/// What was done to whom.
#[derive(Debug, Default)]
struct Deeds {
    killed: usize,
    redis_killed: usize,
}

/// Runs it; `false` where a promise was broken.
pub async fn run(options: &Queue) -> Result<bool> {
    let mut redis = RedisServer::start().await?;
    let upstream = Upstream::start(0).await?;
    let folder = tempfile::tempdir()?;
    let recipe = recipe(&options.programs, folder.path(), &upstream, redis.port)?;
    let mut replicas = Vec::new();
    for _ in 0..options.replicas {
        replicas.push(Replica::start(&recipe).await?);
    }
    println!("{} jobs over {} replicas on {}", options.jobs, options.replicas, redis.url());
    let begun = Instant::now();
    let producing = producer::send(redis.connect().await?, options.jobs, options.rate, POISON);
    let done = CancellationToken::new();
    let mut answers = Answers::default();
    let mut reader = redis.connect().await?;
    let (sent, deeds, read) = tokio::join!(
        async {
            let sent = producing.await;
            done.cancel();
            sent
        },
        torment(options, &mut redis, &mut replicas, &recipe, &done),
        watch(&mut answers, &mut reader, &done),
    );
    let (sent, deeds) = (sent?, deeds?);
    read?;
    let sent_within = begun.elapsed();
    let finished = finish(&mut answers, &mut reader, sent.len()).await?;
    // An answer that comes twice comes a lease later, at most.
    sleep(Duration::from_millis(LEASE_MS + 1_000)).await;
    answers.read(&mut reader).await?;
    let verdict = answers.judge(&sent, &upstream);
    let left = left(&mut reader).await?;
    let mut in_order = 0;
    for replica in replicas {
        in_order += usize::from(replica.stop(Duration::from_secs(15)).await?);
    }
    report(&sent, &deeds, &verdict, (sent_within, finished));
    println!(
        "left behind: {} waiting, {} claimed, {} dead letters (of {POISON} that were no jobs); \
         {in_order} of {} replicas stopped in order",
        left.waiting, left.claimed, left.dead, options.replicas
    );
    let empty = left.waiting == 0 && left.claimed == 0 && left.dead == POISON;
    let good = verdict.is_good() && empty && in_order == options.replicas && sent.len() == options.jobs;
    println!("{}", if good { "every promise was kept" } else { "PROMISES WERE BROKEN" });
    Ok(good)
}

fn recipe(programs: &Programs, folder: &Path, upstream: &Upstream, redis_port: u16) -> Result<Recipe> {
    let servers = json!({"mcpServers": {"shop": {"url": format!("http://{}/mcp", upstream.address)}}});
    std::fs::write(folder.join("servers.json"), servers.to_string())?;
    let variables = [
        ("REDIS_HOST", "127.0.0.1".to_owned()),
        ("REDIS_PORT", redis_port.to_string()),
        ("GATEWAY__QUEUE__LEASE_MS", LEASE_MS.to_string()),
        ("GATEWAY__QUEUE__MAX_DELIVERIES", "50".to_owned()),
        ("LOG_LEVEL", "warning".to_owned()),
    ];
    Ok(Recipe {
        program: std::path::absolute(programs.bin_dir.join("gateway-http"))?,
        folder: folder.to_owned(),
        variables: variables.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        log: programs.logs.as_ref().map(|folder| folder.join("replicas.log")),
    })
}

/// Kills replicas and Redis until everything has been sent.
async fn torment(
    options: &Queue,
    redis: &mut RedisServer,
    replicas: &mut [Replica],
    recipe: &Recipe,
    done: &CancellationToken,
) -> Result<Deeds> {
    let mut deeds = Deeds::default();
    // The whole takes so long; Redis is killed in equal parts of it.
    let whole = Duration::from_secs_f64(options.jobs as f64 / options.rate.max(1) as f64);
    let part = whole / u32::try_from(options.redis_restarts + 1).unwrap_or(u32::MAX);
    let mut next_restart = Instant::now() + part;
    loop {
        tokio::select! {
            () = done.cancelled() => return Ok(deeds),
            () = sleep(Duration::from_millis(options.kill_every_ms)) => {}
        }
        let victim = rand::rng().random_range(0..replicas.len());
        replicas[victim].kill().await?;
        deeds.killed += 1;
        if Instant::now() >= next_restart && deeds.redis_killed < options.redis_restarts {
            redis.kill_and_restart(Duration::from_millis(700)).await?;
            deeds.redis_killed += 1;
            next_restart += part;
        }
        replicas[victim] = Replica::start(recipe).await?;
    }
}

/// Reads answers while jobs are sent, so that their times are known.
async fn watch(answers: &mut Answers, redis: &mut ConnectionManager, done: &CancellationToken) -> Result<()> {
    while !done.is_cancelled() {
        // Redis may be away.
        let _ = answers.read(redis).await;
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Waits for the answers that are still to come; says how long that took.
async fn finish(answers: &mut Answers, redis: &mut ConnectionManager, jobs: usize) -> Result<Duration> {
    let begun = Instant::now();
    while answers.jobs() < jobs && begun.elapsed() < LAST_JOBS {
        sleep(Duration::from_millis(20)).await;
        answers.read(redis).await?;
    }
    Ok(begun.elapsed())
}

/// What is left in Redis.
struct Left {
    waiting: usize,
    claimed: usize,
    dead: usize,
}

async fn left(redis: &mut ConnectionManager) -> Result<Left> {
    let waiting = redis::cmd("LLEN").arg(REQUESTS).query_async(redis).await?;
    let claimed = redis::cmd("ZCARD").arg(format!("{REQUESTS}:processing")).query_async(redis).await?;
    let dead = redis::cmd("LLEN").arg(format!("{REQUESTS}:dead")).query_async(redis).await?;
    Ok(Left { waiting, claimed, dead })
}

fn report(sent: &[Sent], deeds: &Deeds, verdict: &Verdict, (sending, finishing): (Duration, Duration)) {
    let Verdict { completed, failed, unknown, extra_runs, .. } = verdict;
    println!(
        "{} jobs sent in {:.1} s ({:.0} a second), the last answer {:.1} s after that",
        sent.len(),
        sending.as_secs_f64(),
        sent.len() as f64 / sending.as_secs_f64(),
        finishing.as_secs_f64()
    );
    println!("replicas killed (-9): {}; Redis killed (-9) and restarted: {}", deeds.killed, deeds.redis_killed);
    println!("answers: {completed} completed, {unknown} of unknown outcome, {failed} failed otherwise");
    println!("tools that may run again ran {extra_runs} times more than asked");
    let ms = |percent| verdict.latency(percent).as_millis();
    println!(
        "from sending to the answer: p50 {} ms, p90 {} ms, p99 {} ms, longest {} ms",
        ms(50),
        ms(90),
        ms(99),
        ms(100)
    );
    for (what, jobs) in [
        ("without an answer", &verdict.unanswered),
        ("answered twice", &verdict.answered_twice),
        ("that must run once and ran more often", &verdict.ran_twice),
        ("whose answer is not true", &verdict.lies),
        ("answered in the wrong list", &verdict.astray),
    ] {
        let shown: Vec<_> = jobs.iter().take(5).map(String::as_str).collect();
        println!("jobs {what}: {} {}", jobs.len(), shown.join(", "));
    }
    if verdict.garbage > 0 {
        println!("answers that are none: {}", verdict.garbage);
    }
}
