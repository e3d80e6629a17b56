//! Jobs over a real RabbitMQ, which must listen on 127.0.0.1:5672 and know `guest`.

mod broker;
mod conformance;
mod doubles;
mod interop;
mod leases;
mod outage;
mod proxy;
