//! The relay over standard input and output.

mod answer;
mod exchange;
mod lines;
mod listen;
mod long_line;
mod outbox;
mod relay;
mod run;
mod said;
mod session;
mod tool_headers;
mod waiting;
mod written;

pub use run::stdio;
