//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::registry::Settings;

/// Measures how well and how fast routers find tools, on requests of which the right tools are known.
///
/// Without --data the sets are those that the variable ROUTING_DATA names, or those in ../shared/data/routing/dev
/// beside the repository where there are any, or else the small sample that comes with the repository.
#[derive(Clone, Debug, Default, Parser)]
#[command(name = "cargo xtask eval-routing")]
pub struct Options {
    /// A folder with sets of requests, at any depth
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Only this router
    #[arg(long, value_name = "NAME")]
    pub router: Option<String>,
    /// Writes the figures as JSON; - is standard output, and then there are no tables
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Tells as well whether scores can be believed, and what became of requests that no tool answers
    #[arg(long)]
    pub calibration: bool,
    /// Measures the sample and the sets, and fails where a router is worse than recorded
    #[arg(long, conflicts_with = "record")]
    pub check: bool,
    /// Measures the sample and the sets, and records the scores
    #[arg(long)]
    pub record: bool,
    /// Tells what learning from use would be worth, in place of the other figures
    #[arg(long, conflicts_with_all = ["json", "calibration", "check", "record"])]
    pub replay: bool,
    /// The folder of a MiniLM model, for routers that need one
    #[arg(long, value_name = "DIR")]
    pub minilm: Option<PathBuf>,
}

impl Options {
    /// What routers may need to be made.
    pub(crate) fn settings(&self) -> Settings {
        Settings { minilm: self.minilm.clone() }
    }
}
