//! All of it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gateway_core::{Index, Router};

use crate::data::Data;
use crate::error::{Error, Result};
use crate::measure::{Built, Measured, Memory, ask, build, measure_set};
use crate::options::Options;
use crate::recorded::Recorded;
use crate::registry::{self, ENTRIES, Entry};
use crate::replay::replay;
use crate::report;

/// The name of the set that comes with the repository.
const SAMPLE: &str = "sample";
/// Names a folder with sets.
const VARIABLE: &str = "ROUTING_DATA";
/// Where sets are looked for without being told, from the root of the repository.
const USUAL: &str = "../shared/data/routing/dev";

/// Measures as `options` say and writes tables to `out`. False where a router is worse than recorded.
///
/// # Errors
/// Where the data cannot be read, a router fails, or an option cannot be followed.
pub async fn run(options: &Options, memory: Memory, out: &mut dyn Write) -> Result<bool> {
    let sample = Data::read(&here().join("data").join(SAMPLE))?;
    let irrelevant = options.calibration.then(|| sample.sets.iter().flat_map(|set| set.irrelevant.clone()).collect());
    let folder = folder(options, std::env::var_os(VARIABLE).map(PathBuf::from));
    let recording = options.check || options.record;
    let data = match &folder {
        Some(folder) if recording => sample.and(Data::read(folder)?),
        Some(folder) => Data::read(folder)?,
        None => sample,
    };
    if let Some(set) = data.sets.iter().skip(1).find(|set| recording && set.name == SAMPLE) {
        return Err(Error::Option(format!("--data has a set `{}`, which is the name of ours: rename it", set.name)));
    }
    let to_stdout = options.json.as_deref() == Some(Path::new("-"));
    let mut nowhere = std::io::sink();
    let tables: &mut dyn Write = if to_stdout { &mut nowhere } else { &mut *out };
    if folder.is_none() && !recording {
        writeln!(tables, "only the sample is measured: --data or {VARIABLE} names a folder with more\n")?;
    }
    if options.replay {
        for (entry, router) in routers(options, tables)? {
            replay(entry.name, &router, &data, tables).await?;
        }
        return Ok(true);
    }
    let evaluation = Evaluation { data, irrelevant, memory };
    let mut measured = Vec::new();
    report::heading(tables)?;
    for (entry, router) in routers(options, tables)? {
        measured.push(evaluation.measure(entry, &*router, tables).await?);
    }
    if options.calibration {
        report::calibrations(tables, &measured)?;
    }
    let measured = measured.concat();
    if let Some(path) = &options.json {
        let json = report::json(&measured);
        match to_stdout {
            true => out.write_all(json.as_bytes())?,
            false => fs::write(path, json).map_err(Error::file(path, "write"))?,
        }
    }
    compare(options, &measured, folder.as_deref(), out)
}

/// What is measured, and how.
struct Evaluation {
    data: Data,
    /// Requests that no tool answers, for sets that have none of their own; none where nobody wants to know.
    irrelevant: Option<Vec<String>>,
    memory: Memory,
}

impl Evaluation {
    /// Measures one router on all sets. Sets with the same catalogue share an index.
    async fn measure(&self, entry: &Entry, router: &dyn Router, tables: &mut dyn Write) -> Result<Vec<Measured>> {
        let mut indexes: Vec<Option<Built>> = vec![None; self.data.catalogues.len()];
        let mut all = Vec::new();
        for set in &self.data.sets {
            let catalogue = self.data.catalogue(set);
            let built = match &mut indexes[set.catalogue] {
                Some(built) => built,
                none => none.insert(build(entry.name, router, catalogue, self.memory).await?),
            };
            let mut measured = measure_set(entry.name, set, catalogue, &*built.index).await?.with_cost_of(built);
            report::row(tables, &measured)?;
            tables.flush()?;
            if let Some(irrelevant) = &self.irrelevant {
                let irrelevant = if set.irrelevant.is_empty() { irrelevant } else { &set.irrelevant };
                measured.irrelevant = irrelevant.len();
                measured.irrelevant_answered = count_answered(entry.name, &*built.index, irrelevant).await?;
            }
            all.push(measured);
        }
        if all.len() > 1 {
            report::mean(tables, entry.name, &all)?;
        }
        Ok(all)
    }
}

/// The routers to measure. One that lacks a setting is left out, unless it was asked for.
fn routers(options: &Options, tables: &mut dyn Write) -> Result<Vec<(&'static Entry, Arc<dyn Router>)>> {
    let settings = options.settings();
    if let Some(name) = &options.router {
        let entry = registry::find(name)?;
        return Ok(vec![(entry, (entry.make)(&settings)?)]);
    }
    let mut routers = Vec::new();
    for entry in ENTRIES {
        match (entry.make)(&settings) {
            Ok(router) => routers.push((entry, router)),
            Err(Error::Option(why)) => writeln!(tables, "{:<14} not measured: {why}", entry.name)?,
            Err(error) => return Err(error),
        }
    }
    Ok(routers)
}

/// The folder with sets, from the option, the variable or the usual place.
fn folder(options: &Options, variable: Option<PathBuf>) -> Option<PathBuf> {
    let named = options.data.clone().or(variable.filter(|path| !path.as_os_str().is_empty()));
    named.or_else(|| Some(here().join("../..").join(USUAL)).filter(|path| path.is_dir()))
}

/// The folder of this crate. The program belongs to the repository and is not installed elsewhere.
fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

async fn count_answered(router: &str, index: &dyn Index, requests: &[String]) -> Result<usize> {
    let mut answered = 0;
    for text in requests {
        answered += usize::from(!ask(router, index, text).await?.is_empty());
    }
    Ok(answered)
}

/// Checks or records, where that was asked for.
fn compare(options: &Options, measured: &[Measured], data: Option<&Path>, out: &mut dyn Write) -> Result<bool> {
    let path = here().join("data").join("recorded.json");
    let known: Vec<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
    if options.record {
        let recorded = if path.exists() { Recorded::read(&path)? } else { Recorded::default() };
        recorded.with(measured, &known).write(&path)?;
        writeln!(out, "\nrecorded in {}", path.display())?;
    }
    if !options.check {
        return Ok(true);
    }
    let recorded = Recorded::read(&path)?;
    let verdicts = recorded.judge(measured);
    writeln!(out)?;
    for verdict in &verdicts {
        writeln!(out, "{verdict}")?;
    }
    let routers: Vec<&str> =
        known.into_iter().filter(|name| options.router.as_deref().is_none_or(|only| only == *name)).collect();
    let unchecked = recorded.sets_without(measured, &routers);
    if !unchecked.is_empty() {
        let why = match data {
            None => format!("the data is not here; {VARIABLE} or --data names its folder"),
            Some(folder) => format!("{} does not have them, or a router was not measured", folder.display()),
        };
        writeln!(out, "NOT CHECKED: {}: {why}", unchecked.join(", "))?;
    }
    let failed = verdicts.iter().filter(|verdict| !verdict.is_good).count();
    writeln!(out, "eval-routing: {} scores checked, {failed} failed", verdicts.len())?;
    Ok(failed == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Settings;

    #[test]
    fn the_option_comes_before_the_variable() {
        let options = Options { data: Some("a".into()), ..Options::default() };
        assert_eq!(folder(&options, Some("b".into())), Some("a".into()));
        let options = Options::default();
        assert_eq!(folder(&options, Some("b".into())), Some("b".into()));
        assert_eq!(folder(&options, Some("".into())), folder(&options, None));
    }

    #[tokio::test]
    async fn sets_that_are_not_here_are_said_to_be_unchecked() {
        let data = Data::read(&here().join("data").join(SAMPLE)).unwrap();
        let evaluation = Evaluation { data, irrelevant: None, memory: Memory::new(|| 0) };
        let entry = registry::find("bm25").unwrap();
        let router = (entry.make)(&Settings::default()).unwrap();
        let measured = evaluation.measure(entry, &*router, &mut std::io::sink()).await.unwrap();
        let options = Options { check: true, router: Some("bm25".to_owned()), ..Options::default() };
        let mut out = Vec::new();
        let is_good = compare(&options, &measured, None, &mut out).unwrap();
        let said = String::from_utf8(out).unwrap();
        assert!(is_good, "{said}");
        assert!(said.contains("ok      bm25 on sample has"), "{said}");
        assert!(said.contains("NOT CHECKED: bfcl, mcp-azure,") && said.contains("the data is not here"), "{said}");
    }
}
