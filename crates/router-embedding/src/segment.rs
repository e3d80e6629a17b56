//! The tools of one server → their vectors.

use std::sync::Arc;

use gateway_core::ToolRef;

use crate::matrix::{Matrix, Probes};
use crate::query::nearness;

/// The vectors of the tools of one server, in its order. Independent of other servers, so that indexes share it.
#[derive(Debug)]
pub(crate) struct Segment(pub(crate) Matrix);

/// The segments of an index, to be searched together.
#[derive(Debug)]
pub(crate) struct Catalogue {
    segments: Box<[Arc<Segment>]>,
    tools: usize,
}

/// A tool and how near it is to the query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Near {
    pub(crate) cosine: f32,
    pub(crate) tool: ToolRef,
}

impl Catalogue {
    pub(crate) fn new(segments: Vec<Arc<Segment>>) -> Self {
        let tools = segments.iter().map(|segment| segment.0.rows()).sum();
        Self { segments: segments.into(), tools }
    }

    /// How many tools there are.
    pub(crate) fn tools(&self) -> usize {
        self.tools
    }

    /// How near each tool is to the query with these `probes`, in the order of the catalogue. A tool in whose text
    /// the model knows nothing is left out.
    pub(crate) fn scores(&self, probes: &Probes) -> Vec<Near> {
        let mut near = Vec::with_capacity(self.tools);
        for (server, segment) in (0..).zip(&self.segments) {
            segment.0.scan(probes, |tool, cosines| {
                near.push(Near { cosine: nearness(cosines), tool: ToolRef { server, tool: tool as u32 } });
            });
        }
        near
    }

    /// The vector of a tool's text.
    pub(crate) fn row(&self, tool: ToolRef) -> Vec<f32> {
        self.segments[tool.server as usize].0.row(tool.tool as usize)
    }
}
