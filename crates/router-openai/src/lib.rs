//! Lets a chat model judge the best candidates of another router.
//!
//! [`OpenAiRouter`] asks the router beneath it for its best matches, shows those, and nothing else of the inventory, to
//! a [`ChatModel`], and answers in the model's order. Whatever goes wrong with the model, the router beneath answers.
//! The name is that of the commonest protocol; the model may be anybody's.
//!
//! | room | what it does |
//! |---|---|
//! | `router`, `index` | [`Router`](gateway_core::Router) and [`Index`](gateway_core::Index) round another router's |
//! | `candidates`, `text` | tools → what the model is shown of them: short, one line each, nothing invisible |
//! | `prompt` | a query and candidates → a request; the model's answer → picks among the candidates |
//! | `judge` | picks for a request: from the cache, or from the model within its limits |
//! | `breaker`, `budget`, `retry` | when the model is left alone, what it may cost, when it is asked again |
//! | `chat_model` | the trait |
//! | `open_ai`, `anthropic`, `gemini` | its implementations: what each API is sent and says |
//! | `api`, `error` | a POST over HTTP, its limits, and what a refusal means |
//!
//! ```no_run
//! use std::sync::Arc;
//! use gateway_core::{Router, Secret};
//! use router_openai::{OpenAiModel, OpenAiModelConfig, OpenAiRouter, OpenAiRouterConfig};
//!
//! # fn run(inner: Arc<dyn Router>) -> gateway_core::Result<()> {
//! let model = OpenAiModel::new(OpenAiModelConfig::new(Secret::new("sk-…")))?;
//! let router = OpenAiRouter::new(inner, Arc::new(model), OpenAiRouterConfig::default());
//! assert_eq!(router.name(), "openai");
//! # Ok(())
//! # }
//! ```

mod anthropic;
mod api;
mod breaker;
mod budget;
mod candidates;
mod chat_model;
mod config;
mod error;
mod gemini;
mod index;
mod judge;
mod open_ai;
mod prompt;
mod retry;
mod router;
mod text;

pub use anthropic::{AnthropicModel, AnthropicModelConfig};
pub use chat_model::{ChatModel, ChatReply, ChatRequest, Usage};
pub use config::OpenAiRouterConfig;
pub use gemini::{GeminiModel, GeminiModelConfig};
pub use open_ai::{KeyHeader, OpenAiModel, OpenAiModelConfig, TokenLimit};
pub use router::OpenAiRouter;
