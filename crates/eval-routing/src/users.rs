//! Somebody who searches and uses what is found.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use gateway_core::{Feedback as _, Index, ToolRef, ToolUse};
use router_learned::Memory;

use crate::data::{Catalogue, Request};
use crate::error::Result;
use crate::measure::ask;

/// What somebody uses of what is found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Habit {
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

/// Somebody who searches `catalogue`, and of whose uses `memory` hears.
pub(crate) struct User<'a> {
    /// The name of the router, for errors.
    pub(crate) router: &'a str,
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) index: &'a dyn Index,
    pub(crate) memory: &'a Memory,
    pub(crate) habit: Habit,
}

/// Which half of its set a request belongs to.
pub(crate) fn is_in_first_half(request: &Request, seed: u64) -> bool {
    chance(&request.text, seed, 0).is_multiple_of(2)
}

impl User<'_> {
    /// Searches and uses, and tells of it as the engine would.
    pub(crate) async fn search_and_use(&self, request: &Request) -> Result<()> {
        let text = request.text.as_str();
        let found = ask(self.router, self.index, text).await?;
        let mut used = vec![false; found.len()];
        if let Habit::AnyOfFive { seed } = self.habit {
            let first = found.len().min(5) as u64;
            if first > 0 {
                self.tell(text, &found, (chance(text, seed, 1) % first) as usize, &mut used);
            }
            return Ok(());
        }
        for (slot, equal) in (1..).zip(&request.slots) {
            let Some(right) = (0..found.len()).find(|place| !used[*place] && equal.contains(&found[*place].0)) else {
                continue;
            };
            let chosen = match self.habit {
                Habit::OftenWrong { seed } if chance(text, seed, slot) % 100 < 20 => {
                    let is_right = |tool: &ToolRef| request.slots.iter().flatten().any(|right| right == tool);
                    let wrong: Vec<usize> =
                        (0..found.len().min(5)).filter(|place| !used[*place] && !is_right(&found[*place].0)).collect();
                    if wrong.is_empty() {
                        continue;
                    }
                    wrong[chance(text, seed, slot + 1000) as usize % wrong.len()]
                }
                _ => right,
            };
            self.tell(text, &found, chosen, &mut used);
        }
        Ok(())
    }

    fn tell(&self, query: &str, found: &[(ToolRef, f32)], place: usize, used: &mut [bool]) {
        used[place] = true;
        let others = found.iter().zip(used.iter()).filter(|(_, used)| !**used).map(|((_, score), _)| *score);
        let (tool, score) = found[place];
        let server = &self.catalogue.servers[tool.server as usize];
        self.memory.used(&ToolUse {
            principal: "somebody",
            query,
            server: server.server(),
            tool: server.tools()[tool.tool as usize].name(),
            score,
            rival: others.reduce(f32::max),
        });
    }
}

/// A number that looks random and is the same each time.
fn chance(text: &str, seed: u64, which: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (text, seed, which).hash(&mut hasher);
    hasher.finish()
}
