//! Runs an upstream server as a child process and speaks MCP over its stdin and stdout.
