//! Counts what is used: by tool, server, session, caller and door, in time buckets.
