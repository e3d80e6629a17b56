//! The engine with fakes.

mod calls;
mod catalogue;
mod connections;
mod endings;
mod feedback;
mod offers;
mod replicas;
mod sessions;
mod support;
mod waiting;
