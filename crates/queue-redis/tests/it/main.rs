//! The queue against real Redis.
