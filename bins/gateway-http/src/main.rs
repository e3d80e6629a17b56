//! The gateway's HTTP server.

fn main() {}
