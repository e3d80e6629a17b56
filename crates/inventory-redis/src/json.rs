//! The values of the keys.

use std::collections::BTreeMap;
use std::time::SystemTime;

use gateway_core::{InventorySnapshot, ServerState, ToolEntry};
use serde::Serialize;
use uuid::Uuid;

use crate::declaration;

/// The array of tools.
pub(crate) fn tools(entries: &[ToolEntry]) -> Vec<u8> {
    let size = |entry: &ToolEntry| entry.tool.raw().as_bytes().len() + entry.server.len() + 128;
    let mut text = Vec::with_capacity(entries.iter().map(size).sum::<usize>() + 2);
    text.push(b'[');
    for (place, entry) in entries.iter().enumerate() {
        if place > 0 {
            text.push(b',');
        }
        declaration::write(&mut text, entry);
    }
    text.push(b']');
    text
}

/// The object that says how a session is.
pub(crate) fn status(snapshot: &InventorySnapshot) -> Vec<u8> {
    #[derive(Serialize)]
    struct Status<'a> {
        status: &'a str,
        connected_servers: BTreeMap<Uuid, &'a str>,
        total_tools: usize,
        timestamp: f64,
    }
    let is_connected = |state: ServerState| matches!(state, ServerState::Ready | ServerState::Degraded);
    let connected = snapshot.servers.iter().filter(|(_, state)| is_connected(*state));
    let status = Status {
        status: if snapshot.healthy { "healthy" } else { "degraded" },
        connected_servers: connected.map(|(spec, _)| (spec.uuid(), spec.name())).collect(),
        total_tools: snapshot.tools.len(),
        timestamp: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64()),
    };
    serde_json::to_vec(&status).expect("texts and numbers are always JSON")
}
