//! A network that fails: a TCP proxy before the broker.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    _accepting: JoinSet<()>,
}

struct Shared {
    /// Whether connections are let through.
    open: AtomicBool,
    /// Rises with every cut.
    cuts: watch::Sender<u64>,
}

impl Proxy {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { open: AtomicBool::new(true), cuts: watch::Sender::new(0) });
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, Arc::clone(&shared)));
        Self { address, shared, _accepting: accepting }
    }

    /// Ends every connection. New ones are let through.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Ends every connection, and lets none through.
    pub fn close(&self) {
        self.shared.open.store(false, Ordering::SeqCst);
        self.cut();
    }

    pub fn open(&self) {
        self.shared.open.store(true, Ordering::SeqCst);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (mut client, _) = listener.accept().await.expect("a connection");
        if !shared.open.load(Ordering::SeqCst) {
            continue;
        }
        let mut cuts = shared.cuts.subscribe();
        connections.spawn(async move {
            let mut broker = TcpStream::connect("127.0.0.1:5672").await.expect("RabbitMQ");
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut broker) => {}
                _ = cuts.changed() => {}
            }
        });
    }
}
