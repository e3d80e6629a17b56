//! What came of the jobs.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use redis::aio::ConnectionManager;
use serde_json::Value;

use crate::error::Result;
use crate::producer::{Kind, OWN_RESPONSES, RESPONSES, Sent};
use crate::upstream::Upstream;

/// All answers so far, by request id.
#[derive(Debug, Default)]
pub struct Answers {
    by_id: HashMap<String, Vec<Answer>>,
    /// How many of each list have been read.
    read: HashMap<&'static str, isize>,
    /// Those that are no answers.
    garbage: usize,
}

#[derive(Debug)]
struct Answer {
    list: &'static str,
    completed: bool,
    message: String,
    seen_at: Instant,
}

/// What came of them.
#[derive(Debug, Default)]
pub struct Verdict {
    pub completed: usize,
    pub failed: usize,
    /// Whose outcome nobody knows, and the gateway says so.
    pub unknown: usize,
    /// Jobs without an answer.
    pub unanswered: Vec<String>,
    /// Jobs with several.
    pub answered_twice: Vec<String>,
    /// Tools that must not, and did.
    pub ran_twice: Vec<String>,
    /// Completed jobs whose tool did not run, and failed ones whose tool ran.
    pub lies: Vec<String>,
    /// Answers in the wrong list.
    pub astray: Vec<String>,
    pub garbage: usize,
    /// Runs of tools that may run again, beyond one for each job.
    pub extra_runs: u64,
    /// Times from sending to seeing the answer, in order.
    pub latencies: Vec<Duration>,
}

impl Answers {
    /// Reads what is new in both lists.
    pub async fn read(&mut self, redis: &mut ConnectionManager) -> Result<()> {
        for list in [RESPONSES, OWN_RESPONSES] {
            let read = self.read.entry(list).or_default();
            // The newest stands first: from the tail, skip what is known.
            let texts: Vec<Vec<u8>> = redis::cmd("LRANGE").arg(list).arg(0).arg(-1 - *read).query_async(redis).await?;
            *read += texts.len().cast_signed();
            for text in texts {
                self.take(list, &text);
            }
        }
        Ok(())
    }

    /// How many jobs have been answered.
    pub fn jobs(&self) -> usize {
        self.by_id.len()
    }

    fn take(&mut self, list: &'static str, text: &[u8]) {
        let answer: Option<(String, Answer)> = serde_json::from_slice(text).ok().and_then(|answer: Value| {
            let id = answer["request_id"].as_str()?.to_owned();
            let completed = match answer["status"].as_str()? {
                "completed" => true,
                "error" => false,
                _ => return None,
            };
            let message = answer["error"].as_str().unwrap_or_default().to_owned();
            Some((id, Answer { list, completed, message, seen_at: Instant::now() }))
        });
        match answer {
            Some((id, answer)) => self.by_id.entry(id).or_default().push(answer),
            None => self.garbage += 1,
        }
    }

    /// Compares what was sent, what was answered and what the upstream server did.
    pub fn judge(&self, sent: &[Sent], upstream: &Upstream) -> Verdict {
        let mut verdict = Verdict { garbage: self.garbage, ..Verdict::default() };
        for (number, job) in sent.iter().enumerate() {
            let id = &job.request_id;
            let answers = self.by_id.get(id).map_or(&[] as &[Answer], Vec::as_slice);
            let Some(answer) = answers.first() else {
                verdict.unanswered.push(id.clone());
                continue;
            };
            if answers.len() > 1 {
                verdict.answered_twice.push(id.clone());
            }
            if (answer.list == OWN_RESPONSES) != number.is_multiple_of(3) {
                verdict.astray.push(id.clone());
            }
            verdict.latencies.push(answer.seen_at.saturating_duration_since(job.sent_at));
            let runs = job.kind.tool(number).map_or(0, |tool| upstream.runs(tool, id));
            let unknown = answer.message.contains("unknown");
            match (answer.completed, unknown) {
                (true, _) => verdict.completed += 1,
                (false, true) => verdict.unknown += 1,
                (false, false) => verdict.failed += 1,
            }
            if job.kind == Kind::Once && runs > 1 {
                verdict.ran_twice.push(format!("{id} ({runs} times)"));
            }
            if job.kind == Kind::Again {
                verdict.extra_runs += runs.saturating_sub(1);
            }
            if answer.completed && job.kind != Kind::Search && runs == 0 {
                verdict.lies.push(format!("{id} is completed and did not run"));
            }
        }
        verdict.latencies.sort_unstable();
        verdict
    }
}

impl Verdict {
    /// Whether the promises were kept.
    pub fn is_good(&self) -> bool {
        let broken = [&self.unanswered, &self.answered_twice, &self.ran_twice, &self.lies, &self.astray];
        broken.iter().all(|list| list.is_empty()) && self.garbage == 0
    }

    /// The latency that so many per cent of the jobs did not exceed.
    pub fn latency(&self, percent: usize) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * percent / 100).copied().unwrap_or_default()
    }
}
