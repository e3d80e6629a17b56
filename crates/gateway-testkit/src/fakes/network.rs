//! A network that fails on demand.

use std::net::SocketAddr;
use std::pin::pin;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A network between a client and a real service, which can be cut, made silent and mended. What it does ends
/// with it.
#[derive(Debug)]
pub struct FakeNetwork {
    address: SocketAddr,
    state: watch::Sender<State>,
    _accepting: JoinSet<()>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    /// Connections that began before this number of cuts are closed.
    cuts: u64,
    down: bool,
    silent: bool,
}

impl FakeNetwork {
    /// A network to the service at `target`, such as `127.0.0.1:5432`.
    ///
    /// # Panics
    /// Where there is no free port.
    pub async fn to(target: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (state, watched) = watch::channel(State::default());
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                let watched = watched.clone();
                if !watched.borrow().down {
                    connections.spawn(carry(client, target, watched));
                }
            }
        });
        Self { address, state, _accepting: accepting }
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes all connections; new ones work.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Closes all connections, and new ones as soon as they are made, until [`mend`](Self::mend).
    pub fn take_down(&self) {
        self.state.send_modify(|state| (state.cuts, state.down) = (state.cuts + 1, true));
    }

    /// Carries nothing more, and closes nothing, until [`mend`](Self::mend).
    pub fn silence(&self) {
        self.state.send_modify(|state| state.silent = true);
    }

    /// Works again.
    pub fn mend(&self) {
        self.state.send_modify(|state| (state.down, state.silent) = (false, false));
    }
}

async fn carry(mut client: TcpStream, target: &str, mut state: watch::Receiver<State>) {
    let cuts = state.borrow().cuts;
    let Ok(mut service) = TcpStream::connect(target).await else { return };
    let mut carried = pin!(copy_bidirectional(&mut client, &mut service));
    loop {
        let now = *state.borrow_and_update();
        if now.cuts != cuts {
            return;
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            _ = &mut carried, if !now.silent => return,
        }
    }
}
