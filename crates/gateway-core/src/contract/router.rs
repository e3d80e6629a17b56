//! How tools are found by a description of what is wanted.

use std::borrow::Cow;
use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Reasoning, Result, ServerTools};

/// Ranks tools. A router is a maker of indexes: what costs time is done once for a set of tools.
///
/// To write your own, implement [`Router`] and [`Index`] (an afternoon: see
/// `docs/write-your-own.md`) and run `gateway_testkit`'s router suite on it.
#[async_trait]
pub trait Router: Debug + Send + Sync + 'static {
    /// Its name in answers: `keyword`.
    fn name(&self) -> &str;

    /// Prepares an index over the tools of `servers`, in that order.
    ///
    /// Called once for each distinct set of tools; every session that sees the set shares the index.
    /// A router should keep what it prepared for a [`ServerTools`] it has seen before (same
    /// [`content_hash`](ServerTools::content_hash)), so that one changed server costs one server's work.
    /// Keeping it as long as some index lives is enough: the engine drops an index that another one follows
    /// only when that one is there.
    /// May take long; the engine calls it off the road of other calls.
    ///
    /// # Errors
    /// Where a service that the router depends on fails. An empty set is no error.
    async fn index(&self, servers: &[Arc<ServerTools>]) -> Result<Arc<dyn Index>>;
}

/// One set of tools, ready to be asked. Immutable.
#[async_trait]
pub trait Index: Debug + Send + Sync + 'static {
    /// The tools that fit the query: best first, at most [`Query::limit`], scores in 0..=1 and never
    /// rising, each tool once, only tools of the set and only those that [`Query::visible`] admits, none
    /// below [`Query::min_score`]. Equal input gives equal output. Nothing relevant gives an empty list.
    /// Dropping the future stops the work.
    ///
    /// # Errors
    /// Where a service that the router depends on fails.
    async fn rank(&self, query: &Query<'_>) -> Result<Ranking>;
}

/// A tool by its place: `servers[server].tools()[tool]` of the set that the index was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToolRef {
    /// Place of the server in the set.
    pub server: u32,
    /// Place of the tool at its server.
    pub tool: u32,
}

/// What is wanted.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    /// The description, in the caller's words. Any length, any language.
    pub text: &'a str,
    /// How many matches at most.
    pub limit: usize,
    /// The lowest score that counts, 0..=1.
    pub min_score: f32,
    /// Which tools this caller may see.
    pub visible: &'a (dyn Fn(ToolRef) -> bool + Send + Sync),
}

impl Debug for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("text", &self.text)
            .field("limit", &self.limit)
            .field("min_score", &self.min_score)
            .finish_non_exhaustive()
    }
}

/// What an index answers. Most have nothing to say beside the matches: `Ok(matches.into())`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ranking {
    /// The tools that fit, best first.
    pub matches: Vec<Match>,
    /// Who answered, where that was not the router itself: `hybrid (openai unavailable)`. Callers see it in place of
    /// [`Router::name`].
    pub answered_by: Option<Cow<'static, str>>,
}

impl From<Vec<Match>> for Ranking {
    fn from(matches: Vec<Match>) -> Self {
        Self { matches, answered_by: None }
    }
}

/// One tool that fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// Which.
    pub tool: ToolRef,
    /// How well, 0..=1, comparable between queries: above about 0.5 it is likely what was wanted.
    pub score: f32,
    /// Why, in one line: the words or the meaning that matched.
    pub reasoning: Reasoning,
}
