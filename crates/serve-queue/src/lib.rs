//! The queue door: jobs from a message queue to engine calls and back.
