//! Text that must not be shown.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// A secret text: an API key, a header value, an environment value. `Debug` shows nothing of it,
/// and it is not [`Serialize`]: use [`Secret::expose_to`] where it must be written.
#[derive(Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; the name of this function is what a reviewer looks for.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// For `#[serde(serialize_with = "Secret::expose_to")]`: writes the text itself, for a store
    /// that keeps it.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn expose_to<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}
