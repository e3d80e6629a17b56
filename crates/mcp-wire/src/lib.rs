//! MCP's JSON-RPC on the wire: raw envelopes, revisions, handshake, header rules.
