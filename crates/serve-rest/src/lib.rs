//! The REST door: HTTP requests to engine calls and back, nothing else.
