//! Speaks MCP to an upstream server over Streamable HTTP.
