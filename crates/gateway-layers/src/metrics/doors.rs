//! Calls by the door that they came through.

use std::sync::OnceLock;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::names::OTHER;

/// The doors that there are and their labels. From inside the program there is none.
const DOORS: [(&str, &str); 4] = [("rest", "rest"), ("mcp", "mcp"), ("queue", "queue"), ("", "none")];

/// Counts calls by door.
#[derive(Debug, Default)]
pub(super) struct Doors {
    calls: Family<DoorLabel, Counter>,
    /// A place for each of [`DOORS`] and one for all others, filled when first needed.
    places: [OnceLock<Counter>; DOORS.len() + 1],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DoorLabel {
    door: &'static str,
}

impl Doors {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("door_calls", "Calls of upstream servers, by the door they came through", self.calls.clone());
    }

    pub(super) fn count(&self, door: &str) {
        let place = DOORS.iter().position(|(known, _)| *known == door).unwrap_or(DOORS.len());
        let counter = self.places[place].get_or_init(|| {
            let door = DOORS.get(place).map_or(OTHER, |(_, label)| label);
            self.calls.get_or_create(&DoorLabel { door }).clone()
        });
        counter.inc();
    }
}
