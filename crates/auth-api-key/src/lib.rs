//! Knows callers by one shared API key.
