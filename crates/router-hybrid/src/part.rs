//! One of the routers that are fused.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gateway_core::{Index, Query, Ranking, Result, Router, ServerTools};
use tokio::task::JoinSet;

/// How long a part waits before it tries to make its index again, at first and at most.
const PAUSE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// How the scores of a router fall from its best tool to the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fall {
    /// The log odds of its scores are the logarithm of what it sums up, times this: a tool with half the sum of the
    /// best one has half its share. BM25.
    Ratio(f32),
    /// Its log odds rise in proportion to what it measures: a tool has no share whose log odds are this much below the
    /// best one's. Cosines.
    Difference(f32),
}

/// A router among those that are fused, and how much it counts.
#[derive(Clone, Debug)]
pub struct Part {
    pub(crate) router: Arc<dyn Router>,
    pub(crate) weight: f32,
    pub(crate) weight_of_several: f32,
    pub(crate) fall: Fall,
    pub(crate) in_background: bool,
}

impl Part {
    /// A router that compares words. It should leave nothing out itself (a floor of 0).
    ///
    /// A request for several things is a list of words in which that of one tool hardly changes the meaning of the
    /// whole: there, words count for more.
    pub fn by_words(router: Arc<dyn Router>) -> Self {
        Self { router, weight: 0.5, weight_of_several: 0.7, fall: Fall::Ratio(2.5), in_background: false }
    }

    /// A router that compares meanings. It should leave nothing out itself (a floor of 0).
    pub fn by_meaning(router: Arc<dyn Router>) -> Self {
        Self { router, weight: 0.5, weight_of_several: 0.3, fall: Fall::Difference(9.0), in_background: false }
    }

    /// Counts this much, in proportion to the other parts' weights: for a request that asks for one thing, and for one
    /// that asks for several. Greater than 0.
    #[must_use]
    pub fn with_weights(mut self, one: f32, several: f32) -> Self {
        (self.weight, self.weight_of_several) = (one, several);
        self
    }

    /// How its scores fall.
    #[must_use]
    pub fn with_fall(mut self, fall: Fall) -> Self {
        self.fall = fall;
        self
    }

    /// Makes its index in the background, for a router that takes long or needs a service: until it is there, the
    /// other parts answer. Where making it fails, it is tried again.
    #[must_use]
    pub fn in_background(mut self) -> Self {
        self.in_background = true;
        self
    }

    pub(crate) fn name(&self) -> &str {
        self.router.name()
    }
}

/// The index of a part, now or later.
#[derive(Debug)]
pub(crate) struct PartIndex {
    pub(crate) part: Part,
    made: Arc<OnceLock<Arc<dyn Index>>>,
    /// What makes it, if it is made in the background. Ends with the index that it is for.
    _making: JoinSet<()>,
}

impl PartIndex {
    /// Makes the index of `part` over `servers`, or begins to.
    pub(crate) async fn new(part: Part, servers: &[Arc<ServerTools>]) -> Result<Self> {
        let (made, mut making) = (Arc::new(OnceLock::new()), JoinSet::new());
        if part.in_background {
            making.spawn(make(Arc::clone(&part.router), servers.into(), Arc::clone(&made)));
        } else {
            // Nobody else sets it.
            let _ = made.set(part.router.index(servers).await?);
        }
        Ok(Self { part, made, _making: making })
    }

    /// What the part answers; `None` while its index is not there.
    pub(crate) async fn rank(&self, query: &Query<'_>) -> Option<Result<Ranking>> {
        Some(self.made.get()?.rank(query).await)
    }
}

/// Makes an index, until it succeeds.
async fn make(router: Arc<dyn Router>, servers: Box<[Arc<ServerTools>]>, made: Arc<OnceLock<Arc<dyn Index>>>) {
    let [mut pause, longest] = PAUSE;
    loop {
        match router.index(&servers).await {
            Ok(index) => {
                // Nobody else sets it.
                let _ = made.set(index);
                return;
            }
            Err(error) => {
                tracing::warn!(router = router.name(), %error, "a router that others are fused with has no index yet");
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}
