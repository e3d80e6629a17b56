//! One set of tools, ready to be asked.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use gateway_core::{Index, Match, Query, Ranking, Reasoning, Result, ToolRef};

use crate::config::KeywordConfig;
use crate::explain::explain;
use crate::fields::bounded;
use crate::query::{MAX_TEXT, Wanted};
use crate::rank::{Catalogue, Rooms};

/// The index of a [`KeywordRouter`](crate::KeywordRouter).
pub(crate) struct KeywordIndex {
    config: Arc<KeywordConfig>,
    catalogue: Arc<Catalogue>,
    rooms: Arc<Rooms>,
}

impl KeywordIndex {
    pub(crate) fn new(config: Arc<KeywordConfig>, catalogue: Catalogue, rooms: Arc<Rooms>) -> Self {
        Self { config, catalogue: Arc::new(catalogue), rooms }
    }

    fn matches(&self, query: &Query<'_>) -> Vec<Match> {
        let (catalogue, config) = (&self.catalogue, &self.config);
        if query.limit == 0 || catalogue.tools() == 0 {
            return Vec::new();
        }
        let wanted = Wanted::new(query.text, catalogue.tools(), catalogue.dictionary(), config);
        // Not a number counts as no limit.
        let floor = config.floor.max(query.min_score);
        let best = catalogue.best(&wanted, config.server_prior, query.limit, query.visible, &self.rooms);
        let demand = wanted.demand;
        let asked = Arc::new(Asked { text: bounded(query.text, MAX_TEXT).into(), wanted });
        best.into_iter()
            .map(|scored| (scored.tool, demand.score(scored.sum)))
            .take_while(|(_, score)| *score >= floor)
            .map(|(tool, score)| Match { tool, score, reasoning: self.reasoning(&asked, tool) })
            .collect()
    }

    fn reasoning(&self, asked: &Arc<Asked>, tool: ToolRef) -> Reasoning {
        let (catalogue, asked) = (Arc::clone(&self.catalogue), Arc::clone(asked));
        Reasoning::when_read(move || explain(&asked.text, &asked.wanted, &catalogue, tool))
    }
}

/// A query, for those who ask later why a tool was found.
struct Asked {
    text: Box<str>,
    wanted: Wanted,
}

#[async_trait]
impl Index for KeywordIndex {
    async fn rank(&self, query: &Query<'_>) -> Result<Ranking> {
        Ok(self.matches(query).into())
    }
}

impl fmt::Debug for KeywordIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeywordIndex")
            .field("servers", &self.catalogue.servers())
            .field("tools", &self.catalogue.tools())
            .field("bytes", &self.catalogue.dictionary().bytes())
            .finish_non_exhaustive()
    }
}
