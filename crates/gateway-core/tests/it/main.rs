//! The engine with fakes.

mod calls;
mod catalogue;
mod connections;
mod endings;
mod feedback;
mod hanging_store;
mod inventory;
mod offers;
mod replicas;
mod sessions;
mod shared_store;
mod support;
mod waiting;
