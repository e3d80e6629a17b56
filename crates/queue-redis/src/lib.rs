//! Carries jobs and answers over Redis.
