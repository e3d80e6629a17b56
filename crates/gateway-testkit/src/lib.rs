//! The behaviours every backend must show, as runnable suites; fakes; a reference upstream server.
//!
//! A backend runs the suite of its contract in a test of its own:
//!
//! ```
//! use gateway_testkit::fakes::FakeStore;
//! use gateway_testkit::suites;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! suites::session_store(|| async { FakeStore::shared() }).run().await.assert_passed();
//! # }
//! ```

pub mod fakes;
#[cfg(doctest)]
mod guide;
pub mod reference;
mod suite;
pub mod suites;

pub use suite::{Failure, Report, Suite};
