//! The bridge: whatever era and wire a client and a server have, the client observes the same.
//!
//! Each feature is one row: what a client does and notes down, what that must be, and where it must be something
//! else, with the reason. Every row runs for {legacy, modern} clients over {HTTP, stdio} before {legacy, modern}
//! servers over {HTTP, stdio}.

mod calls;
mod changes;
mod offers;
mod questions;

use std::pin::Pin;

use gateway_core::Era;

use crate::client::Client;
use crate::rig::{Rig, Setup, Wire, fixture, reference};

/// One way through the gateway.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub client: Era,
    pub door: Wire,
    pub server: Era,
    pub behind: Wire,
}

/// What a client notes down.
pub type Noted = Pin<Box<dyn Future<Output = String>>>;

/// One row of the table.
pub struct Feature {
    pub observe: fn(Client, Way) -> Noted,
    pub expected: &'static str,
    pub except: &'static [Except],
}

/// Ways on which something else is observed.
pub struct Except {
    pub client: Option<Era>,
    pub server: Option<Era>,
    pub expected: &'static str,
    /// Why it must be so.
    pub why: &'static str,
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { client, door, server, behind } = self;
        write!(f, "a {client:?} client over {door:?} and a {server:?} server over {behind:?}")
    }
}

impl Feature {
    pub const fn new(observe: fn(Client, Way) -> Noted, expected: &'static str) -> Self {
        Self { observe, expected, except: &[] }
    }

    fn expected(&self, way: Way) -> (&'static str, &'static str) {
        let is_meant = |wanted: Option<Era>, era: Era| wanted.is_none_or(|wanted| wanted == era);
        let mut excepted = self.except.iter();
        let found = excepted.find(|except| is_meant(except.client, way.client) && is_meant(except.server, way.server));
        found.map_or((self.expected, ""), |except| (except.expected, except.why))
    }

    /// Goes all ways.
    pub async fn check(&self) {
        let mut wrong = Vec::new();
        for server in [Era::Legacy, Era::Modern] {
            for behind in [Wire::Http, Wire::Stdio] {
                let servers = vec![(behind, reference("demo", server)), (behind, fixture("fixture", server))];
                let rig = Rig::new(Setup { servers, ..Setup::default() }).await;
                for client in [Era::Legacy, Era::Modern] {
                    for door in [Wire::Http, Wire::Stdio] {
                        let way = Way { client, door, server, behind };
                        let client = Client::of(&rig, client, door).await;
                        let seen = (self.observe)(client.clone(), way).await;
                        client.wire.leave().await;
                        let (expected, why) = self.expected(way);
                        if seen != expected {
                            wrong.push(format!("{way}\n  observed {seen}\n  expected {expected} {why}"));
                        }
                    }
                }
                rig.close().await;
            }
        }
        assert!(wrong.is_empty(), "{} of 16 ways differ\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// Makes a test of each row: `name: observer => expected` and exceptions.
macro_rules! table {
    ($($name:ident => $feature:expr;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let feature: $crate::bridge::Feature = $feature;
                feature.check().await;
            }
        )*
    };
}
pub(crate) use table;
