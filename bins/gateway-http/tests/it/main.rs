//! The program as a person meets it: its flags, its exit status, its first line, its end.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod check;
mod gateway;
mod run;
