//! Azure Event Hubs on loopback: a namespace that speaks AMQP 1.0, without TLS.
//!
//! Clients reach it as they reach the Event Hubs emulator, with the connection string of [`EventHubs::connection_string`],
//! or through a custom endpoint, [`EventHubs::url`]. Sequence numbers of a partition begin with 0; offsets grow in
//! larger steps. What the service documents as conditions and descriptions of errors is what clients see here.

mod connection;
mod frames;
mod generated;
mod grants;
mod hub;
mod links;
mod namespace;
mod node;
pub(crate) mod options;
mod partition;
mod position;
mod refusal;
mod request;
mod sasl;
mod seats;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use self::hub::EventHub;
pub use self::namespace::EventHubsCounters;
use self::namespace::Namespace;
use crate::server::Error;
use crate::tenant::Tenant;

/// After a failed accept, such as for want of file descriptors, the server waits before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bytes of a socket's receive buffer. The largest segment that a client may send follows from it, and Python's client sets
/// that again as it finds it, which Linux refuses above 32767.
const RECEIVE_BUFFER: u32 = 16 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Listens on a port of loopback; gives the address too.
pub(crate) fn listen(port: u16) -> Result<(TcpListener, SocketAddr), Error> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listen = || {
        let socket = TcpSocket::new_v4()?;
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    listen().map_err(|source| Error::Listen { address, source })
}

/// A running Event Hubs namespace.
pub struct EventHubs {
    namespace: Arc<Namespace>,
    server: JoinHandle<()>,
}

impl std::fmt::Debug for EventHubs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventHubs").field("options", &self.namespace.options).finish_non_exhaustive()
    }
}

impl EventHubs {
    pub(crate) fn start(
        (listener, address): (TcpListener, SocketAddr),
        tenant: Arc<Tenant>,
        stopped: watch::Receiver<()>,
    ) -> Self {
        let namespace = Arc::new(Namespace::new(tenant, address));
        for hub in namespace.hubs.values() {
            generated::fill(hub, &namespace, &stopped);
        }
        let server = tokio::spawn(serve(listener, namespace.clone(), stopped));
        Self { namespace, server }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.namespace.address
    }

    /// What clients take as a custom endpoint: `amqp://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("amqp://{}", self.namespace.address)
    }

    /// The namespace's connection string, as the Event Hubs emulator's clients have it: it says that TLS is not used.
    pub fn connection_string(&self) -> String {
        let options = &self.namespace.options;
        format!(
            "Endpoint=sb://{};SharedAccessKeyName={};SharedAccessKey={};UseDevelopmentEmulator=true",
            self.namespace.address, options.key_name, options.key
        )
    }

    /// An event hub by its name, without regard to case.
    pub fn hub(&self, name: &str) -> Option<&EventHub> {
        self.namespace.hub(name).ok()
    }

    /// What has happened since the start.
    pub fn counters(&self) -> EventHubsCounters {
        self.namespace.tally.read()
    }

    /// Ends all connections without a word, as a broken network does. New ones are accepted.
    pub fn drop_connections(&self) {
        self.namespace.drop_connections(None);
    }

    /// Waits until all connections have ended; they do when the simulator stops.
    pub(crate) async fn ended(self) {
        // It has ended where its runtime has.
        let _ = self.server.await;
    }
}

async fn serve(listener: TcpListener, namespace: Arc<Namespace>, mut stopped: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            // An error says that the simulator was dropped.
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection::serve(stream, namespace.clone(), stopped.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    connections.join_all().await;
}
