//! The dashboard over real connections, on a gateway of fakes.

mod fakes;
mod harness;

mod access;
mod live;
mod panels;
mod running;
mod scale;
