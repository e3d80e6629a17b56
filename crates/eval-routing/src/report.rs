//! Figures → tables and JSON.

use std::io::Write;

use serde_json::json;

use crate::calibration::{Calibration, First, calibrate};
use crate::error::Result;
use crate::measure::Measured;
use crate::quality::Quality;

/// The heading of [`row`]s.
pub(crate) fn heading(out: &mut dyn Write) -> Result<()> {
    writeln!(
        out,
        "{:<14} {:<14} {:>7} {:>6} {:>6} {:>6} {:>6} {:>7} {:>6} {:>6} {:>8} {:>8} {:>9} {:>8}",
        "router",
        "set",
        "queries",
        "tools",
        "R@1",
        "R@5",
        "R@10",
        "nDCG@10",
        "MRR",
        "C@10",
        "p50 µs",
        "p99 µs",
        "index ms",
        "index MB",
    )?;
    Ok(())
}

/// One router on one set.
pub(crate) fn row(out: &mut dyn Write, measured: &Measured) -> Result<()> {
    let Measured { set, router, requests, tools, quality, timing, memory_mb, .. } = measured;
    writeln!(
        out,
        "{router:<14} {set:<14} {requests:>7} {tools:>6} {} {:>8.0} {:>8.0} {:>9.1} {memory_mb:>8.2}",
        figures(quality),
        timing.p50_us,
        timing.p99_us,
        timing.build_ms,
    )?;
    Ok(())
}

/// The mean of one router over the sets, each set counting the same.
pub(crate) fn mean(out: &mut dyn Write, router: &str, all: &[Measured]) -> Result<()> {
    let qualities: Vec<Quality> = all.iter().map(|measured| measured.quality).collect();
    let requests: usize = all.iter().map(|measured| measured.requests).sum();
    writeln!(out, "{router:<14} {:<14} {requests:>7} {:>6} {}", "mean", "", figures(&Quality::mean(&qualities)))?;
    Ok(())
}

fn figures(quality: &Quality) -> String {
    let Quality { recall_at_1, recall_at_5, recall_at_10, ndcg_at_10, mrr, complete_at_10 } = quality;
    format!(
        "{:>6.1} {:>6.1} {:>6.1} {:>7.1} {:>6.1} {:>6.1}",
        recall_at_1 * 100.0,
        recall_at_5 * 100.0,
        recall_at_10 * 100.0,
        ndcg_at_10 * 100.0,
        mrr * 100.0,
        complete_at_10 * 100.0,
    )
}

/// How the scores of each router are, on each set and on all.
pub(crate) fn calibrations(out: &mut dyn Write, routers: &[Vec<Measured>]) -> Result<()> {
    writeln!(
        out,
        "\nfirst answers: mean score and number of right and of wrong ones, expected calibration error; \
         of the requests that\ngot an answer, which part have one (precision); of those that have one, which part got one \
         (recall)"
    )?;
    writeln!(
        out,
        "{:<14} {:<14} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>10} {:>7} {:>20}",
        "router", "set", "right", "n", "wrong", "n", "none", "ECE", "precision", "recall", "irrelevant answered",
    )?;
    for all in routers {
        for one in all {
            let found = calibrate(&one.firsts, one.irrelevant, one.irrelevant_answered);
            calibration(out, one.router, &one.set, &found)?;
        }
        let firsts: Vec<First> = all.iter().flat_map(|one| one.firsts.iter().copied()).collect();
        let sum = |of: fn(&Measured) -> usize| all.iter().map(of).sum();
        let found = calibrate(&firsts, sum(|one| one.irrelevant), sum(|one| one.irrelevant_answered));
        calibration(out, all.first().map_or("", |one| one.router), "all", &found)?;
    }
    Ok(())
}

fn calibration(out: &mut dyn Write, router: &str, set: &str, found: &Calibration) -> Result<()> {
    writeln!(
        out,
        "{router:<14} {set:<14} {:>6.2} {:>6} {:>6.2} {:>6} {:>6} {:>6.3} {:>9.1}% {:>6.1}% {:>20}",
        found.right_score,
        found.right,
        found.wrong_score,
        found.wrong,
        found.unanswered,
        found.error,
        found.precision() * 100.0,
        found.recall() * 100.0,
        format!("{} of {}", found.irrelevant_answered, found.irrelevant),
    )?;
    Ok(())
}

/// The figures of all as a JSON list; qualities are 0..=1.
pub(crate) fn json(all: &[Measured]) -> String {
    let one = |measured: &Measured| {
        let Measured { quality, timing, .. } = measured;
        json!({
            "set": measured.set,
            "router": measured.router,
            "queries": measured.requests,
            "tools": measured.tools,
            "r1": quality.recall_at_1,
            "r5": quality.recall_at_5,
            "r10": quality.recall_at_10,
            "ndcg10": quality.ndcg_at_10,
            "mrr": quality.mrr,
            "c10": quality.complete_at_10,
            "p50_us": timing.p50_us,
            "p99_us": timing.p99_us,
        })
        .to_string()
    };
    format!("[\n{}\n]\n", all.iter().map(one).collect::<Vec<_>>().join(",\n"))
}
