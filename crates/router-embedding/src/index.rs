//! One set of tools, ready to be asked.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use gateway_core::{Index, Match, Query, Ranking, Reasoning, Result, ServerTools, ToolRef};

use crate::calibrate::Usual;
use crate::embedder::{Embedder, Role};
use crate::explain::Explainer;
use crate::matrix::Probes;
use crate::query::readings;
use crate::segment::{Catalogue, Near};

/// The index of an [`EmbeddingRouter`](crate::EmbeddingRouter).
pub(crate) struct EmbeddingIndex {
    embedder: Arc<dyn Embedder>,
    floor: f32,
    tools: Arc<Tools>,
}

/// The tools, for those who explain a match later, too.
struct Tools {
    servers: Box<[Arc<ServerTools>]>,
    catalogue: Catalogue,
}

impl EmbeddingIndex {
    pub(crate) fn new(
        embedder: Arc<dyn Embedder>,
        floor: f32,
        servers: &[Arc<ServerTools>],
        catalogue: Catalogue,
    ) -> Self {
        Self { embedder, floor, tools: Arc::new(Tools { servers: servers.into(), catalogue }) }
    }

    fn matches(&self, query: &Query<'_>, probes: &Probes) -> Vec<Match> {
        let near = self.tools.catalogue.scores(probes);
        // Hidden tools count too: what a tool scores does not depend on who asks.
        let calibration = self.embedder.calibration();
        let usual = Usual::new(calibration, near.iter().map(|near| near.cosine));
        // Not a number counts as no limit.
        let floor = self.floor.max(query.min_score);
        let mut best = Best { limit: query.limit, heap: BinaryHeap::new() };
        for near in near {
            best.offer(near, query.visible);
        }
        let explainer = Arc::new(Explainer::new(Arc::clone(&self.embedder), query.text));
        let scored = best.sorted().map(|near| (near, usual.score(near.cosine)));
        scored
            .take_while(|(_, score)| *score >= floor)
            .map(|(near, score)| Match { tool: near.tool, score, reasoning: self.reasoning(&explainer, near) })
            .collect()
    }

    fn reasoning(&self, explainer: &Arc<Explainer>, near: Near) -> Reasoning {
        let (tools, explainer) = (Arc::clone(&self.tools), Arc::clone(explainer));
        Reasoning::when_read(move || {
            let ToolRef { server, tool } = near.tool;
            let declared = &tools.servers[server as usize].tools()[tool as usize];
            explainer.explain(declared, &tools.catalogue.row(near.tool), near.cosine)
        })
    }
}

#[async_trait]
impl Index for EmbeddingIndex {
    async fn rank(&self, query: &Query<'_>) -> Result<Ranking> {
        if query.limit == 0 || self.tools.catalogue.tools() == 0 {
            return Ok(Ranking::default());
        }
        let vectors = self.embedder.embed(&readings(query.text), Role::Query).await?;
        let probes = Probes::new(vectors.iter().flatten());
        if probes.len() == 0 {
            return Ok(Ranking::default());
        }
        Ok(self.matches(query, &probes).into())
    }
}

impl fmt::Debug for EmbeddingIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddingIndex")
            .field("embedder", &self.embedder)
            .field("servers", &self.tools.servers.len())
            .field("tools", &self.tools.catalogue.tools())
            .finish_non_exhaustive()
    }
}

/// The nearest so far, the farthest of them on top.
struct Best {
    limit: usize,
    heap: BinaryHeap<Reverse<Near>>,
}

impl Best {
    fn offer(&mut self, near: Near, visible: &dyn Fn(ToolRef) -> bool) {
        let full = self.heap.len() >= self.limit;
        // Asking who may see a tool costs more than comparing, so it comes second.
        if full && self.heap.peek().is_none_or(|worst| near <= worst.0) || !visible(near.tool) {
            return;
        }
        if full {
            self.heap.pop();
        }
        self.heap.push(Reverse(near));
    }

    fn sorted(self) -> impl Iterator<Item = Near> {
        self.heap.into_sorted_vec().into_iter().map(|Reverse(near)| near)
    }
}

/// The greater one is the nearer one; among equals that is the one declared first.
impl Ord for Near {
    fn cmp(&self, other: &Self) -> Ordering {
        self.cosine.total_cmp(&other.cosine).then_with(|| other.tool.cmp(&self.tool))
    }
}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Near {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Near {}
