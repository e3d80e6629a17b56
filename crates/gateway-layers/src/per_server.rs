//! State that belongs to one live server.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use dashmap::DashMap;
use gateway_core::Server;

/// Fewest entries at which looking for dead servers is worth its time.
const SMALLEST_SWEEP: usize = 64;

/// A value for each live server, made when the server is first seen and dropped some time after the
/// server is gone. A server that replaces another one of the same name begins anew.
#[derive(Debug)]
pub(crate) struct PerServer<T> {
    entries: DashMap<u64, Entry<T>>,
    /// How many entries the last sweep left.
    swept_len: AtomicUsize,
}

#[derive(Debug)]
struct Entry<T> {
    server: Weak<Server>,
    value: Arc<T>,
}

impl<T> Default for PerServer<T> {
    fn default() -> Self {
        Self { entries: DashMap::new(), swept_len: AtomicUsize::new(0) }
    }
}

impl<T> PerServer<T> {
    /// The server's value; `make` makes it where the server is seen for the first time.
    pub(crate) fn of(&self, server: &Arc<Server>, make: impl FnOnce(&Server) -> T) -> Arc<T> {
        if let Some(entry) = self.entries.get(&server.id()) {
            return Arc::clone(&entry.value);
        }
        self.sweep_if_grown();
        let entry = self
            .entries
            .entry(server.id())
            .or_insert_with(|| Entry { server: Arc::downgrade(server), value: Arc::new(make(server)) });
        Arc::clone(&entry.value)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn sweep_if_grown(&self) {
        if self.entries.len() >= SMALLEST_SWEEP.max(self.swept_len.load(Relaxed) * 2) {
            self.entries.retain(|_, entry| entry.server.strong_count() > 0);
            self.swept_len.store(self.entries.len(), Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use gateway_core::{Call, Context, Gateway, Invoke, Layer, RawJson, Result, ToolCall};
    use gateway_testkit::fakes::{Answer, FakeServer, FakeTransport, builder, context, spec};

    use super::*;

    /// Keeps the servers of all calls.
    #[derive(Clone, Debug, Default)]
    struct Seen(Arc<Mutex<Vec<Arc<Server>>>>);

    #[async_trait]
    impl Invoke for Seen {
        async fn invoke(&self, _context: &Context, call: &Call) -> Result<RawJson> {
            self.0.lock().expect("no panic").push(Arc::clone(&call.server));
            Ok(RawJson::empty_object())
        }
    }

    impl Layer for Seen {
        fn layer(&self, _inner: Arc<dyn Invoke>) -> Arc<dyn Invoke> {
            Arc::new(self.clone())
        }
    }

    /// A gateway with so many servers, and the servers.
    async fn servers(count: usize) -> (Gateway, Vec<Arc<Server>>) {
        let names: Vec<_> = (0..count).map(|number| format!("s{number}")).collect();
        let fake = FakeServer::new().with_tool("echo", "", Answer::echo());
        let transport = names.iter().fold(FakeTransport::new(), |all, name| all.with_server(name, &fake));
        let seen = Seen::default();
        let specs = names.iter().map(|name| spec(name)).collect();
        let gateway =
            builder(transport).with_servers(specs).with_layer(Arc::new(seen.clone())).start().await.expect("names");
        gateway.settled().await;
        let caller = context(&gateway, None).await;
        for name in names {
            let call = ToolCall::new("echo", RawJson::empty_object()).with_server(name);
            gateway.call(&caller, call).await.expect("answered");
        }
        let servers = std::mem::take(&mut *seen.0.lock().expect("no panic"));
        (gateway, servers)
    }

    #[tokio::test]
    async fn values_are_kept_while_their_server_lives_and_not_for_ever() {
        let values = PerServer::<String>::default();
        let (gateway, first) = servers(SMALLEST_SWEEP).await;
        for server in &first {
            let made = values.of(server, |server| server.spec().name().to_owned());
            assert_eq!(*made, server.spec().name());
            assert!(Arc::ptr_eq(&made, &values.of(server, |_| unreachable!("it was made"))));
        }
        assert_eq!(values.len(), SMALLEST_SWEEP);

        let weak: Vec<_> = first.iter().map(Arc::downgrade).collect();
        gateway.shutdown().await;
        drop((gateway, first));
        while weak.iter().any(|server| server.strong_count() > 0) {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        let (_gateway, second) = servers(1).await;
        values.of(&second[0], |_| String::new());
        assert_eq!(values.len(), 1, "values of dead servers are dropped");
    }
}
