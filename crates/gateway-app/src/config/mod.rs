//! Configuration: what was typed, where, and what it means.

mod environment;
mod load;
mod mistake;
mod queue;
mod read;
mod read_relay;
mod reader;
mod search;
mod settings;
mod source;
mod storage;

pub use environment::Environment;
pub use load::{Loaded, load};
pub use mistake::{Mistake, Mistakes};
pub use queue::{Broker, QueueSettings};
pub use search::{EmbeddingChoice, ModelSettings, Provider, RouterChoice, SearchSettings};
pub use settings::{LogFormat, LogLevel, LogSettings, ResilienceSettings, ServersSettings, Settings, UsageSettings};
pub use storage::{RedisSettings, StoragePlace, StorageSettings};
