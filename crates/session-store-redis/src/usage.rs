//! The store for usage.

use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use gateway_core::{Result, UsageChunk, UsageStore};

use crate::RedisStore;
use crate::link::Question;
use crate::redis_store::{millis, time};

/// How many chunks are asked for at once.
const LOADED_AT_ONCE: usize = 64;

#[async_trait]
impl UsageStore for RedisStore {
    async fn keep(&self, chunk: UsageChunk) -> Result<()> {
        let member = format!("{}:{}", beginning(chunk.begins_at), chunk.source);
        let ttl = u64::try_from(self.usage_ttl.as_millis()).unwrap_or(u64::MAX);
        let mut keep = redis::pipe();
        keep.atomic();
        keep.cmd("SET").arg(self.names.chunk(&member)).arg(chunk.data.as_ref()).arg("PX").arg(ttl).ignore();
        keep.cmd("ZADD").arg(&self.names.usage).arg(0).arg(&member).ignore();
        keep.cmd("PEXPIRE").arg(&self.names.usage).arg(ttl).ignore();
        self.link.ask(Question::Pipeline(&keep)).await
    }

    async fn load(&self, from: SystemTime, until: SystemTime) -> Result<Vec<UsageChunk>> {
        let members = self.members(&format!("[{}", beginning(from)), until).await?;
        let mut chunks = Vec::with_capacity(members.len());
        for members in members.chunks(LOADED_AT_ONCE) {
            let mut ask = redis::cmd("MGET");
            for member in members {
                ask.arg(self.names.chunk(member));
            }
            let data: Vec<Option<Vec<u8>>> = self.link.ask(Question::Command(&ask)).await?;
            chunks.extend(members.iter().zip(data).filter_map(|(member, data)| {
                let (begins_at, source) = member.split_once(':')?;
                let begins_at = time(begins_at.parse().ok()?);
                Some(UsageChunk { source: source.to_owned(), begins_at, data: Bytes::from(data?) })
            }));
        }
        Ok(chunks)
    }

    async fn forget(&self, before: SystemTime) -> Result<()> {
        let members = self.members("-", before).await?;
        for members in members.chunks(LOADED_AT_ONCE) {
            let mut forget = redis::pipe();
            forget.atomic();
            for member in members {
                forget.cmd("DEL").arg(self.names.chunk(member)).ignore();
                forget.cmd("ZREM").arg(&self.names.usage).arg(member).ignore();
            }
            self.link.ask::<()>(Question::Pipeline(&forget)).await?;
        }
        Ok(())
    }
}

impl RedisStore {
    /// The names of chunks that begin before `until`.
    async fn members(&self, from: &str, until: SystemTime) -> Result<Vec<String>> {
        let mut ask = redis::cmd("ZRANGEBYLEX");
        ask.arg(&self.names.usage).arg(from).arg(format!("({}", beginning(until)));
        self.link.ask(Question::Command(&ask)).await
    }
}

/// A time that is in order as text.
fn beginning(time: SystemTime) -> String {
    format!("{:020}", millis(time))
}
