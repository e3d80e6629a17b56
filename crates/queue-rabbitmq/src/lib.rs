//! Carries jobs and answers over RabbitMQ.
