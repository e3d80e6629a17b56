//! The program as a person meets it: its flags, its exit status, its first line, its end; what it does with
//! servers that others wrote, with servers that misbehave, and with callers who mean no good.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod callers;
mod check;
mod clients;
mod contract;
mod dashboard;
mod documented;
mod durable;
mod fake_api;
mod faults;
mod gateway;
mod http;
mod learning;
mod mcp_client;
mod peers;
mod processes;
mod queue;
mod redis_server;
mod replicas;
mod routers;
mod run;
mod security;
mod sessions;
mod stopping;
mod talk;
mod upstreams;
