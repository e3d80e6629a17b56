//! Usage of a whole gateway with fake servers.

mod bounds;
mod calls;
mod harness;
mod keeping;
mod live;
mod windows;
