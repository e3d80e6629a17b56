//! The dashboard: a page that shows what the gateway does.
//!
//! [`UiDoor`] is a door at `/ui` beside the others. The page itself (`shell`, `assets`) holds no data and goes to
//! whoever passes the server's guard. All that it shows are fragments of HTML, which its script asks for by POST: each of
//! them is admitted like any other request, asks the engine, and writes what it answers with everything escaped. Only
//! the gateway's own page may ask (`own_page`). `docs/dashboard.md` says what people see, `docs/SECURITY.md` why this is safe.

mod answer;
mod arguments;
mod asked;
mod assets;
mod chart;
mod config;
mod door;
mod failure;
mod form;
mod format;
mod icons;
mod live;
mod overview;
mod own_page;
mod parts;
mod queue;
mod result;
mod run;
mod schema;
mod search;
mod server_form;
mod servers;
mod sessions;
mod shell;
mod tools;
mod usage;

pub use config::{ChangeServers, UiConfig};
pub use door::UiDoor;
