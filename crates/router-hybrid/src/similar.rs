//! Tools that are as good as equal.
//!
//! Of hundreds of servers several offer the same tool, or one is connected twice. A list that is five times the same
//! tool hides the second best one. So of tools that say the same, all but the best step back a little.

use std::hash::Hasher;
use std::sync::Arc;

use gateway_core::{ServerTools, Tool, ToolRef};
use rustc_hash::{FxHashSet, FxHasher};

use crate::fuse::Candidate;

/// How many of the best are compared with each other.
const COMPARED: usize = 20;

/// How many words of a description are compared.
const MAX_WORDS: usize = 80;

/// The part of their descriptions' words that two tools of one name must share, of all that either has, to be as good
/// as equal (Jaccard).
const ALIKE: f32 = 0.8;

/// The share that a tool loses for each better one that is as good as equal.
const STEP: f32 = 0.15;

/// Lets those among the best `candidates` step back that say what a better one says. Keeps the order by share.
pub(crate) fn diversify(candidates: &mut [Candidate], servers: &[Arc<ServerTools>]) {
    let count = candidates.len().min(COMPARED);
    let compared = &mut candidates[..count];
    let said: Vec<Option<Said>> = compared.iter().map(|candidate| Said::by(servers, candidate.tool)).collect();
    let mut changed = false;
    for (place, candidate) in compared.iter_mut().enumerate() {
        let better = said[..place].iter().filter(|better| are_alike(better.as_ref(), said[place].as_ref())).count();
        if better > 0 {
            candidate.share = (candidate.share - STEP * better as f32).max(0.0);
            changed = true;
        }
    }
    if changed {
        candidates.sort_unstable_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.tool.cmp(&b.tool)));
    }
}

/// What a tool says of itself, as hashes of words.
struct Said {
    name: Vec<u64>,
    description: FxHashSet<u64>,
}

impl Said {
    fn by(servers: &[Arc<ServerTools>], place: ToolRef) -> Option<Self> {
        let tool: &Tool = servers.get(place.server as usize)?.tools().get(place.tool as usize)?;
        let words = |text| str::split(text, |c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(hash);
        Some(Self {
            name: words(tool.name()).collect(),
            description: words(tool.description()).take(MAX_WORDS).collect(),
        })
    }
}

fn are_alike(one: Option<&Said>, other: Option<&Said>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    // Siblings that differ in one word of their names say nearly the same, too, and are not the same.
    if one.name != other.name {
        return false;
    }
    let (one, other) = (&one.description, &other.description);
    let shared = one.intersection(other).count();
    shared as f32 >= ALIKE * (one.len() + other.len() - shared) as f32
}

/// The hash of a word, however it is capitalized.
fn hash(word: &str) -> u64 {
    let mut hasher = FxHasher::default();
    for c in word.chars().flat_map(char::to_lowercase) {
        hasher.write_u32(c.into());
    }
    hasher.finish()
}
