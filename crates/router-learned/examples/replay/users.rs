//! Somebody who searches and uses what is found.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use gateway_core::{Feedback as _, Index, Match, Query, Result, ToolUse};
use router_learned::Memory;

use crate::data::{Asked, Set};

/// What somebody uses of what is found.
#[derive(Clone, Copy, Debug)]
pub enum Habit {
    /// Every right tool.
    Right,
    /// The same, but a wrong one of the first five in place of every fifth.
    OftenWrong {
        /// Decides which.
        seed: u64,
    },
    /// One of the first five.
    AnyOfFive {
        /// Decides which.
        seed: u64,
    },
}

/// Which half of its set a query belongs to.
pub fn is_in_first_half(asked: &Asked, seed: u64) -> bool {
    chance(&asked.text, seed, 0).is_multiple_of(2)
}

/// Searches and uses, and tells `memory` of it as the engine would.
pub async fn search_and_use(asked: &Asked, set: &Set, index: &dyn Index, memory: &Memory, habit: Habit) -> Result<()> {
    let query = Query { text: &asked.text, limit: 10, min_score: 0.0, visible: &|_| true };
    let found = index.rank(&query).await?.matches;
    let is_right = |found: &Match| asked.wanted.iter().flatten().any(|tool| *tool == found.tool);
    let mut used = vec![false; found.len()];
    if let Habit::AnyOfFive { seed } = habit {
        let first = found.len().min(5) as u64;
        if first > 0 {
            tell(asked, set, &found, (chance(&asked.text, seed, 1) % first) as usize, &mut used, memory);
        }
        return Ok(());
    }
    for (slot, equal) in (1..).zip(&asked.wanted) {
        let Some(right) = (0..found.len()).find(|place| !used[*place] && equal.contains(&found[*place].tool)) else {
            continue;
        };
        let chosen = match habit {
            Habit::OftenWrong { seed } if chance(&asked.text, seed, slot) % 100 < 20 => {
                let wrong: Vec<_> =
                    (0..found.len().min(5)).filter(|place| !used[*place] && !is_right(&found[*place])).collect();
                if wrong.is_empty() {
                    continue;
                }
                wrong[chance(&asked.text, seed, slot + 1000) as usize % wrong.len()]
            }
            _ => right,
        };
        tell(asked, set, &found, chosen, &mut used, memory);
    }
    Ok(())
}

fn tell(asked: &Asked, set: &Set, found: &[Match], place: usize, used: &mut [bool], memory: &Memory) {
    used[place] = true;
    let others = found.iter().zip(used.iter()).filter(|(_, used)| !**used).map(|(found, _)| found.score);
    let Match { tool, score, .. } = found[place];
    let server = &set.servers[tool.server as usize];
    memory.used(&ToolUse {
        principal: "somebody",
        query: &asked.text,
        server: server.server(),
        tool: server.tools()[tool.tool as usize].name(),
        score,
        rival: others.reduce(f32::max),
    });
}

/// A number that looks random and is the same each time.
fn chance(text: &str, seed: u64, which: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (text, seed, which).hash(&mut hasher);
    hasher.finish()
}
