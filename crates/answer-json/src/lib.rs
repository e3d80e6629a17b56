//! The JSON that doors share: searches and calls as they are asked for, and their results.
//!
//! A search or a call says the same whether it comes over REST or on a queue, and so does what it is answered, byte for byte:
//! both doors read it into [`SearchBody`] and [`CallBody`], and write [`found_tools`] and [`write_tool_result`].
//! What stands round it is each door's own.

mod call;
mod json_text;
mod object;
mod search;
mod time;
mod tool_result;

pub use call::{CallBody, write_tool_result};
pub use json_text::JsonText;
pub use object::Entries;
pub use search::{Found, SearchBody, found_tools};
pub use time::unix_seconds;
