//! Takes what has expired out of the index.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::Result;

use crate::link::{Link, Question};
use crate::names::Names;
use crate::scripts::Scripts;

/// How often.
const SWEEP: Duration = Duration::from_secs(30);

/// Most ids that one sweep looks at, so that others need not wait long for it.
const SWEPT_AT_ONCE: usize = 500;

/// Sweeps now and then until it is dropped.
pub(crate) async fn run(link: Arc<Link>, names: Arc<Names>, scripts: Arc<Scripts>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        while let Ok(SWEPT_AT_ONCE..) = sweep(&link, &names, &scripts).await {}
    }
}

async fn sweep(link: &Link, names: &Names, scripts: &Scripts) -> Result<usize> {
    let mut sweep = scripts.sweep.prepare_invoke();
    sweep.key(&names.index).key(&names.ends).arg(names.records()).arg(SWEPT_AT_ONCE);
    link.ask(Question::Script(&sweep)).await
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use gateway_core::{Secret, SessionStore, StoredSession};

    use super::*;
    use crate::{RedisStore, RedisStoreConfig};

    #[tokio::test]
    async fn what_has_expired_leaves_the_index_and_what_lives_stays() {
        let prefix = format!("test:{}:", uuid::Uuid::new_v4().simple());
        let url = Secret::new("redis://127.0.0.1:6379/");
        let config = RedisStoreConfig { prefix, ..RedisStoreConfig::new(url) };
        let store = RedisStore::new(config.clone()).expect("a configuration");
        let (names, scripts) = (Names::new(config.prefix), Scripts::new());
        let record = |id: String, lives: u64| StoredSession {
            id,
            revision: 1,
            expires_at: SystemTime::now() + Duration::from_millis(lives),
            data: "x".into(),
        };
        for number in 0..600 {
            store.create(record(format!("sess_{number}"), 1)).await.expect("Redis on 127.0.0.1:6379");
        }
        store.create(record("sess_lives".to_owned(), 60_000)).await.expect("created");
        while !store.list("sess_1").await.expect("listed").is_empty() {}
        let mut looked_at = Vec::new();
        for _ in 0..3 {
            looked_at.push(sweep(&store.link, &names, &scripts).await.expect("swept"));
        }
        assert_eq!(looked_at, [SWEPT_AT_ONCE, 100, 0]);
        for key in [&names.index, &names.ends] {
            let mut ask = redis::cmd("ZRANGE");
            ask.arg(key).arg(0).arg(-1);
            let left: Vec<String> = store.link.ask(Question::Command(&ask)).await.expect("asked");
            assert_eq!(left, ["sess_lives"], "{key}");
        }
        assert!(store.delete("sess_lives").await.expect("deleted"));
    }
}
