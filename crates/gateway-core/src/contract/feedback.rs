//! How searches and what came of them are learned from.

use std::fmt::Debug;
use std::time::Duration;

use crate::{Context, FoundTool};

/// Hears what was searched for, and which tools were run after which searches: an optional power beside [`Router`](crate::Router), for one that
/// learns from use.
///
/// The engine tells each use once: a tool ran, its result was no failure, and the caller's newest search that had
/// found it was not long ago. A second run of the tool after the same search is not told.
///
/// To write your own: keep what you hear under bounds. The words are a caller's, and so is how often they come; who
/// hears the same principal a thousand times has heard one opinion. What is kept of a query may be private.
pub trait Feedback: Debug + Send + Sync + 'static {
    /// `used` happened. Called on the road of a call, after its answer has come and before it is handed on: must
    /// be quick, must not block, and cannot fail.
    fn used(&self, used: &ToolUse<'_>);

    /// Tools were searched for. The same holds as for [`used`](Self::used). Most who learn from use need not know.
    fn searched(&self, search: &ToolSearch<'_>) {
        let _ = search;
    }
}

/// One search, and what it found.
#[derive(Clone, Copy, Debug)]
pub struct ToolSearch<'a> {
    /// Who searched, in which session, through which door.
    pub context: &'a Context,
    /// In their words, all of them.
    pub query: &'a str,
    /// What was found; empty where nothing was.
    pub matches: &'a [FoundTool],
    /// How long ranking took.
    pub took: Duration,
}

/// One tool that was run after it had been found.
#[derive(Clone, Copy, Debug)]
pub struct ToolUse<'a> {
    /// Who ran it: [`Principal::id`](crate::Principal::id).
    pub principal: &'a str,
    /// What they had searched for, in their words; at most [`ToolUse::MAX_QUERY`] bytes of it.
    pub query: &'a str,
    /// The name of the tool's server.
    pub server: &'a str,
    /// The tool's name at its server.
    pub tool: &'a str,
    /// The score that it was found with.
    pub score: f32,
    /// The best score of the other tools that the search found and that have not been run after it so far; above
    /// `score` where the caller passed a tool over. `None` where there is no other.
    pub rival: Option<f32>,
}

impl ToolUse<'_> {
    /// So much of a query is remembered until a tool is run, in bytes.
    pub const MAX_QUERY: usize = 1024;
}
