//! The program as a person meets it: its flags, its exit status, its first line, its end.

mod check;
mod gateway;
mod run;
