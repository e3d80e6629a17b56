//! The authenticator against the behaviours of its contract.

mod conformance;
