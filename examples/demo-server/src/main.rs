//! A small MCP server with time, calculator and echo tools, over stdio.

fn main() {}
