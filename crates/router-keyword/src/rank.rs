//! Sums → the best tools.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::iter;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gateway_core::ToolRef;

use crate::block::{FieldSet, Posting};
use crate::dictionary::Dictionary;
use crate::gather::Room;
use crate::query::{Wanted, WantedTerm};

/// How many rooms are kept for the next queries.
const MAX_KEPT: usize = 8;

/// A tool with its BM25F sum. The greater one is the better one; among equals that is the one declared first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scored {
    pub(crate) sum: f32,
    pub(crate) tool: ToolRef,
}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sum.total_cmp(&other.sum).then_with(|| other.tool.cmp(&self.tool))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scored {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scored {}

/// Room for the sums of queries, kept from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    kept: Mutex<Vec<Room>>,
}

impl Rooms {
    fn take(&self, tools: usize) -> Room {
        let mut room = self.lock().pop().unwrap_or_default();
        room.reserve(tools);
        room
    }

    fn give_back(&self, room: Room) {
        let mut kept = self.lock();
        if kept.len() < MAX_KEPT {
            kept.push(room);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Room>> {
        // A room is whole whenever the lock is free, even after a panic elsewhere.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tools of an index, to be ranked together.
#[derive(Debug)]
pub(crate) struct Catalogue {
    /// The place of each server's first tool in the index, and the end of the last.
    offsets: Box<[u32]>,
    dictionary: Dictionary,
}

impl Catalogue {
    /// Of servers that have so many tools each, whose postings `dictionary` has.
    pub(crate) fn new(tools: impl Iterator<Item = u32>, dictionary: Dictionary) -> Self {
        let mut end = 0;
        let ends = tools.map(|tools| {
            end += tools;
            end
        });
        Self { offsets: iter::once(0).chain(ends).collect(), dictionary }
    }

    /// How many servers there are.
    pub(crate) fn servers(&self) -> usize {
        self.offsets.len() - 1
    }

    /// How many tools there are.
    pub(crate) fn tools(&self) -> u32 {
        self.offsets.last().copied().unwrap_or(0)
    }

    /// The terms of all tools.
    pub(crate) fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// The posting of `term` for `tool`, with its fields.
    pub(crate) fn find(&self, term: &WantedTerm, tool: ToolRef, wanted: &Wanted) -> Option<(Posting, FieldSet)> {
        self.dictionary.posting(&wanted.places, term.entry, self.offsets.get(tool.server as usize)? + tool.tool)
    }

    /// The `limit` best of the tools that have any of what is `wanted` and are `visible`, best first. `server_prior`
    /// of the best sum at a tool's server is added to the tool's.
    pub(crate) fn best(
        &self,
        wanted: &Wanted,
        server_prior: f32,
        limit: usize,
        visible: &dyn Fn(ToolRef) -> bool,
        rooms: &Rooms,
    ) -> Vec<Scored> {
        let mut room = rooms.take(self.tools() as usize);
        for (block, tools) in self.dictionary.blocks().enumerate() {
            room.gather(&wanted.terms, &wanted.clauses, tools, |term| {
                self.dictionary.postings(&wanted.places, term.entry, block).iter().map(|posting| posting.get())
            });
        }
        let mut best = Best { limit, heap: BinaryHeap::new() };
        for (server, span) in (0..).zip(self.offsets.windows(2)) {
            let sums = &mut room.sums[span[0] as usize..span[1] as usize];
            // Hidden tools count here too: what a tool scores does not depend on who asks.
            let greatest = sums.iter().copied().fold(0.0, f32::max);
            let prior = server_prior * greatest;
            // Most servers have no tool that could be among the best.
            if greatest > 0.0 && best.has_room_for(greatest + prior) {
                for (tool, sum) in (0..).zip(sums.iter()).filter(|(_, sum)| **sum > 0.0) {
                    best.offer(Scored { sum: *sum + prior, tool: ToolRef { server, tool } }, visible);
                }
            }
            sums.fill(0.0);
        }
        rooms.give_back(room);
        best.heap.into_sorted_vec().into_iter().map(|Reverse(scored)| scored).collect()
    }
}

/// The best so far, the worst of them on top.
struct Best {
    limit: usize,
    heap: BinaryHeap<Reverse<Scored>>,
}

impl Best {
    /// Whether a tool with this sum, declared after all so far, could be among the best.
    fn has_room_for(&self, sum: f32) -> bool {
        self.heap.len() < self.limit || self.heap.peek().is_some_and(|worst| sum > worst.0.sum)
    }

    fn offer(&mut self, scored: Scored, visible: &dyn Fn(ToolRef) -> bool) {
        let full = self.heap.len() >= self.limit;
        // Asking who may see a tool costs more than comparing, so it comes second.
        if full && self.heap.peek().is_none_or(|worst| scored <= worst.0) || !visible(scored.tool) {
            return;
        }
        if full {
            self.heap.pop();
        }
        self.heap.push(Reverse(scored));
    }
}
