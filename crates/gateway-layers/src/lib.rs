//! Wrappers round one call: metrics, concurrency limit, circuit breaker, retry, deadline.
