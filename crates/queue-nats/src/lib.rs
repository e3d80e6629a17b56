//! Carries jobs and answers over NATS JetStream.
