//! Tools that are as good as equal.
//!
//! Of hundreds of servers several offer the same tool, or one is connected twice. A list that is five times the same
//! tool hides the second best one. So of tools that say the same, all but the best step back a little.

use gateway_core::{ServerTools, Tool, ToolRef};
use rustc_hash::{FxHashSet, FxHasher};
use std::hash::Hasher;
use std::sync::Arc;

use crate::fuse::Candidate;

/// How many of the best are compared with each other.
const COMPARED: usize = 20;

/// How many words of a description are compared.
const MAX_WORDS: usize = 80;

/// The part of their words that two tools must share, of all that either has, to be as good as equal (Jaccard).
const ALIKE: f32 = 0.8;

/// The share that a tool loses for each better one that is as good as equal.
const STEP: f32 = 0.15;

/// Lets those among the best `candidates` step back that say what a better one says. Keeps the order by share.
pub(crate) fn diversify(candidates: &mut [Candidate], servers: &[Arc<ServerTools>]) {
    let count = candidates.len().min(COMPARED);
    let compared = &mut candidates[..count];
    let words: Vec<Option<FxHashSet<u64>>> = compared.iter().map(|candidate| words(servers, candidate.tool)).collect();
    let mut changed = false;
    for (place, candidate) in compared.iter_mut().enumerate() {
        let better = words[..place].iter().filter(|better| are_alike(better.as_ref(), words[place].as_ref())).count();
        if better > 0 {
            candidate.share = (candidate.share - STEP * better as f32).max(0.0);
            changed = true;
        }
    }
    if changed {
        candidates.sort_unstable_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.tool.cmp(&b.tool)));
    }
}

fn are_alike(one: Option<&FxHashSet<u64>>, other: Option<&FxHashSet<u64>>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    let (few, many) = (one.len().min(other.len()), one.len().max(other.len()));
    // Cheaper than counting, and true of most pairs.
    if (few as f32) < ALIKE * many as f32 {
        return false;
    }
    let shared = one.intersection(other).count();
    shared as f32 >= ALIKE * (few + many - shared) as f32
}

/// The words of a tool's name and description.
fn words(servers: &[Arc<ServerTools>], place: ToolRef) -> Option<FxHashSet<u64>> {
    let tool: &Tool = servers.get(place.server as usize)?.tools().get(place.tool as usize)?;
    let words = |text| str::split(text, |c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(hash);
    Some(words(tool.name()).chain(words(tool.description()).take(MAX_WORDS)).collect())
}

/// The hash of a word, however it is capitalized.
fn hash(word: &str) -> u64 {
    let mut hasher = FxHasher::default();
    for c in word.chars().flat_map(char::to_lowercase) {
        hasher.write_u32(c.into());
    }
    hasher.finish()
}
