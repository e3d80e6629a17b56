//! Jobs over a real NATS with JetStream, which must listen on 127.0.0.1:4222; outages on servers of the tests' own, for which
//! `nats-server` must be on the path.

mod broker;
mod conformance;
mod interop;
mod outage;
mod server;
