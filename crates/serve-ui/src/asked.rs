//! One request of the page that has been admitted.

use bytes::Bytes;
use gateway_core::{Context, Gateway, Queue, ServerStatus, ToolEntry, Usage};
use http_server::Caller;
use serde::de::DeserializeOwned;

use crate::config::{ChangeServers, UiConfig};
use crate::failure::Failure;
use gateway_core::{Error, ErrorKind};
use std::sync::Arc;

/// What the door stands before.
#[derive(Debug)]
pub(crate) struct Behind {
    pub(crate) gateway: Gateway,
    pub(crate) config: UiConfig,
    pub(crate) usage: Option<Arc<dyn Usage>>,
    pub(crate) queue: Option<Arc<dyn Queue>>,
}

/// A request of the page: who asks, what for, and whom.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) behind: &'a Behind,
    pub(crate) caller: Caller,
    pub(crate) context: Context,
    pub(crate) body: Bytes,
}

impl Asked<'_> {
    pub(crate) fn gateway(&self) -> &Gateway {
        &self.behind.gateway
    }

    /// What the request says.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Failure::invalid(format!("the request is not what the page sends: {error}; reload it")))
    }

    /// The servers that the caller sees.
    pub(crate) fn servers(&self) -> Vec<ServerStatus> {
        self.gateway().servers(&self.context)
    }

    /// The tools that the caller sees.
    pub(crate) fn tools(&self) -> Vec<ToolEntry> {
        self.gateway().tools(&self.context)
    }

    /// Refuses callers who may not change which servers there are.
    pub(crate) fn may_change_servers(&self) -> Result<(), Failure> {
        let refuse = |message: &str| Err(Error::new(ErrorKind::Forbidden, message).into());
        match self.behind.config.change_servers {
            ChangeServers::Always => Ok(()),
            ChangeServers::Authenticated if self.context.principal().authenticated => Ok(()),
            ChangeServers::Authenticated => {
                refuse("servers may only be changed here with the API key (ui.change_servers = \"authenticated\")")
            }
            ChangeServers::Never => refuse("servers may not be changed here (ui.change_servers = \"never\")"),
        }
    }
}
