//! Objects keyed by UUID.

use serde::{Serialize, Serializer};
use uuid::Uuid;

/// A JSON object whose keys are UUIDs, in the order of the list.
#[derive(Debug)]
pub(crate) struct ByUuid<T>(pub Vec<(Uuid, T)>);

impl<T: Serialize> Serialize for ByUuid<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(uuid, value)| (uuid, value)))
    }
}
