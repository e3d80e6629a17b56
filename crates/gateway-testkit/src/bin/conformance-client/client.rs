//! A client of one MCP server, in either era.

use serde_json::Value;

use crate::Outcome;
use crate::http::{Headers, Target};
use crate::legacy::Legacy;
use crate::modern::Modern;

/// Which half of the protocol's history is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// `initialize` and a session.
    Legacy,
    /// 2026-07-28: every request stands alone.
    Modern,
}

/// A client whose handshake is done.
pub enum Client {
    Legacy(Legacy),
    Modern(Modern),
}

impl Era {
    pub fn of_version(version: Option<&str>) -> Self {
        match version {
            Some(version) if version >= "2026-07-28" => Self::Modern,
            _ => Self::Legacy,
        }
    }
}

impl Client {
    pub async fn connect(target: Target, era: Era) -> Outcome<Self> {
        Ok(match era {
            Era::Legacy => Self::Legacy(Legacy::connect(target).await?),
            Era::Modern => Self::Modern(Modern::connect(target).await?),
        })
    }

    /// What the server says that it can do.
    pub fn capabilities(&self) -> &Value {
        match self {
            Self::Legacy(legacy) => &legacy.capabilities,
            Self::Modern(modern) => &modern.capabilities,
        }
    }

    /// The result of a request, to the end: what the server asks meanwhile is answered.
    pub async fn request(&self, method: &str, params: Value, headers: &Headers) -> Outcome<Value> {
        let answered = match self {
            Self::Legacy(legacy) => legacy.request(method, params).await,
            Self::Modern(modern) => modern.request(method, params, headers).await,
        };
        answered.map_err(|why| format!("{method}: {why}"))
    }

    /// All items of a list, from all its pages.
    pub async fn list(&self, method: &str, key: &str) -> Outcome<Vec<Value>> {
        let (mut items, mut params) = (Vec::new(), serde_json::json!({}));
        loop {
            let mut page = self.request(method, params, &Headers::new()).await?;
            items.extend(page[key].as_array_mut().map(std::mem::take).unwrap_or_default());
            match page["nextCursor"].as_str() {
                Some(cursor) => params = serde_json::json!({ "cursor": cursor }),
                None => return Ok(items),
            }
        }
    }

    pub async fn close(self) {
        if let Self::Legacy(legacy) = self {
            legacy.close().await;
        }
    }
}

/// The result in an answer, or its error as a sentence.
pub fn result_of(mut message: Value) -> Outcome<Value> {
    match message.get_mut("result") {
        Some(result) => Ok(result.take()),
        None => Err(format!("the server says {}", message["error"])),
    }
}
