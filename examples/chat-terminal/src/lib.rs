//! A chat in the terminal: a person or a language model finds tools and runs them.
//!
//! `client-http` and `client-mcp` share it. What they do each in its own way is a [`Toolbox`]: how to search, and how
//! to run a tool. All else is the same: [`Chat`] lets a [`ChatModel`](chat_model::ChatModel) use the two where there is
//! one, and a person where there is none, who picks a tool and fills in its [`form`].

mod arguments;
mod chat;
pub mod form;
mod functions;
mod notice;
mod result;
mod terminal;
mod toolbox;

pub use arguments::ChatArguments;
pub use chat::Chat;
pub use notice::{text_of_log, text_of_progress};
pub use result::{text_of_resource, text_of_result};
pub use terminal::Terminal;
pub use toolbox::{FoundTool, Toolbox};
