//! From what was typed of stores to what it means: Redis, and where the gateway keeps what it must find again.

use std::path::PathBuf;

use gateway_core::Secret;
use session_store_sealed::SealingKeys;

use super::reader::Reader;

/// Where `redis.host` is when only its port is named, and the port when only the host is.
const REDIS: (&str, u16) = ("localhost", 6379);

/// A Redis that several parts of the gateway use.
#[derive(Clone, Debug)]
pub struct RedisSettings {
    /// Where it is; may hold its password.
    pub url: Secret,
    /// Whether the tools and the state of the gateway are published there.
    pub inventory: bool,
}

/// Where sessions, servers added at run time, and usage are kept.
#[derive(Clone, Debug)]
pub struct StorageSettings {
    /// Where.
    pub place: StoragePlace,
    /// What encrypts it, where one was named.
    pub encryption_key: Option<Secret>,
    /// Keys that still open what was encrypted before.
    pub previous_encryption_keys: Vec<Secret>,
}

/// Which store it is.
#[derive(Clone, Debug)]
pub enum StoragePlace {
    /// Until the gateway ends.
    Memory,
    /// In an SQLite database in this directory.
    Sqlite(PathBuf),
    /// In PostgreSQL.
    Postgres {
        /// Where it is; may hold its password.
        url: Secret,
        /// The schema with the gateway's tables.
        schema: String,
    },
    /// In the Redis of [`RedisSettings`].
    Redis,
}

/// The word for where things are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Auto,
    Memory,
    Sqlite,
    Postgres,
    Redis,
}

const KINDS: [(&str, Kind); 5] = [
    ("auto", Kind::Auto),
    ("memory", Kind::Memory),
    ("sqlite", Kind::Sqlite),
    ("postgres", Kind::Postgres),
    ("redis", Kind::Redis),
];

/// The Redis, where one is named.
pub(super) fn redis(reader: &mut Reader<'_>) -> Option<RedisSettings> {
    let url = reader.secret("redis.url").filter(|url| !url.expose().is_empty());
    let host = reader.optional_text("redis.host");
    let port = reader.optional_number("redis.port", 1..=u64::from(u16::MAX));
    let password = reader.secret("redis.password").filter(|password| !password.expose().is_empty());
    let inventory = reader.flag("redis.inventory", true);
    if let Some(url) = url {
        if !["redis://", "rediss://", "unix://", "redis+unix://"].iter().any(|scheme| url.expose().starts_with(scheme))
        {
            reader.mistake("redis.url", "must be as in redis://localhost:6379/0, or rediss:// for TLS");
        }
        return Some(RedisSettings { url, inventory });
    }
    if host.is_none() && port.is_none() {
        return None;
    }
    let host = host.unwrap_or_else(|| REDIS.0.to_owned());
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte)) {
        reader.mistake("redis.host", "must be a host name or an address, such as localhost or 10.0.0.7");
        return None;
    }
    let port = port.unwrap_or_else(|| REDIS.1.into());
    // An IPv6 address has colons of its own.
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host };
    let password = password.map_or_else(String::new, |password| format!(":{}@", percent_encoded(password.expose())));
    Some(RedisSettings { url: Secret::new(format!("redis://{password}{host}:{port}/")), inventory })
}

/// Where things are kept.
pub(super) fn storage(
    reader: &mut Reader<'_>,
    redis: Option<&RedisSettings>,
    data_dir: Option<&PathBuf>,
) -> StorageSettings {
    let kind = reader.choice("storage.kind", &KINDS, Kind::Auto);
    let url = reader.secret("storage.postgres_url").filter(|url| !url.expose().is_empty());
    let schema = reader.text("storage.postgres_schema", "mcp_gateway");
    let encryption_key = reader.secret("storage.encryption_key").filter(|key| !key.expose().is_empty());
    let previous = reader.secret("storage.previous_encryption_keys");
    let previous = previous.iter().flat_map(|keys| keys.expose().split(','));
    let previous_encryption_keys =
        previous.map(str::trim).filter(|key| !key.is_empty()).map(Secret::new).collect::<Vec<_>>();
    if encryption_key.is_none() && !previous_encryption_keys.is_empty() {
        reader.mistake("storage.previous_encryption_keys", "needs storage.encryption_key, the key from now on");
    }
    if let Some(key) = &encryption_key
        && let Err(error) = SealingKeys::parse(key, &previous_encryption_keys)
    {
        reader.mistake("storage.encryption_key", error.message());
    }
    let postgres = |url: Secret| StoragePlace::Postgres { url, schema: schema.clone() };
    let missing = |reader: &mut Reader<'_>, needs: &str| {
        reader.mistake("storage.kind", format!("needs {needs}"));
        StoragePlace::Memory
    };
    let place = match (kind, url, redis, data_dir) {
        (Kind::Memory, ..) => StoragePlace::Memory,
        (Kind::Postgres | Kind::Auto, Some(url), ..) => postgres(url),
        (Kind::Postgres, None, ..) => missing(reader, "storage.postgres_url (postgres://user@host/database)"),
        (Kind::Redis | Kind::Auto, _, Some(_), _) => StoragePlace::Redis,
        (Kind::Redis, _, None, _) => missing(reader, "a Redis: set REDIS_HOST, or redis.url"),
        (Kind::Sqlite | Kind::Auto, _, _, Some(directory)) => StoragePlace::Sqlite(directory.clone()),
        (Kind::Sqlite, _, _, None) => missing(reader, "a directory: set data.dir, or --data-dir"),
        (Kind::Auto, None, None, None) => StoragePlace::Memory,
    };
    StorageSettings { place, encryption_key, previous_encryption_keys }
}

/// For a password in a URL (RFC 3986, 2.1).
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
