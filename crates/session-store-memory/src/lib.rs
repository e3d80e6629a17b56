//! Keeps session records in this process's memory.
