//! Traces from a caller through a whole gateway to real servers, and to a collector.

mod collector;
mod rig;
mod sending;
mod traces;
