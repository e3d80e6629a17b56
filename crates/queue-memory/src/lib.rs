//! Carries jobs and answers in this process's memory.
