//! What turns texts into vectors.

use std::fmt::Debug;

use async_trait::async_trait;
use gateway_core::Result;

use crate::calibrate::Calibration;
use crate::vector::Vector;

/// Turns texts into vectors whose dot product says how much two texts mean the same.
///
/// Equal texts have equal vectors for as long as [`id`](Self::id) stays the same. All vectors of one embedder have
/// the same number of dimensions.
#[async_trait]
pub trait Embedder: Debug + Send + Sync + 'static {
    /// Which model this is, and everything else that its vectors depend on. Part of the keys of caches.
    fn id(&self) -> &str;

    /// The vectors of `texts`, in that order; `None` for a text in which the model finds nothing that it knows.
    /// Any text is fine: what is longer than the model reads is read in part. Dropping the future stops the work.
    ///
    /// # Errors
    /// Where a service or a file that the model needs fails; what kind says whether a retry makes sense.
    async fn embed(&self, texts: &[&str], role: Role) -> Result<Vec<Option<Vector>>>;

    /// What its cosines mean.
    fn calibration(&self) -> Calibration;

    /// Its words, where the vector of a text is nothing but the sum of those of its words.
    fn words(&self) -> Option<&dyn Words>;
}

/// What a text is for. Some models embed the two differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// What is looked for.
    Query,
    /// What is found.
    Document,
}

/// The words behind the vectors of an [`Embedder`] that adds them up. What each word contributes to a match is then
/// a plain dot product, and a match can be explained without guessing.
pub trait Words {
    /// The distinct known words of `text`, at most `most`, in their order.
    fn words_of(&self, text: &str, most: usize) -> Vec<Word>;
}

/// A word and what it adds to the sum.
#[derive(Clone, Debug)]
pub struct Word {
    /// The word as it is spelled in the text.
    pub text: String,
    /// Its vector, of any length: common words are short.
    pub vector: Box<[f32]>,
}
