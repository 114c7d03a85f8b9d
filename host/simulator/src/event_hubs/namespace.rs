//! What all connections share.

use std::collections::BTreeMap;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::hub::EventHub;
use super::options::EventHubsOptions;
use super::partition::Partition;
use super::refusal::Refusal;
use crate::generate::Dice;
use crate::tenant::Tenant;

/// A namespace.
pub(super) struct Namespace {
    pub(super) options: Arc<EventHubsOptions>,
    pub(super) tenant: Arc<Tenant>,
    pub(super) address: SocketAddr,
    pub(super) tally: Tally,
    /// By their names in lower case.
    pub(super) hubs: BTreeMap<String, EventHub>,
    connections: Mutex<BTreeMap<u64, TcpStream>>,
}

/// What has happened on Event Hubs since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventHubsCounters {
    /// Connections accepted.
    pub connections: u64,
    /// Connections that ended as a fault.
    pub dropped: u64,
    /// Tokens accepted.
    pub tokens: u64,
    /// Tokens refused, as a fault or because they are not good.
    pub unauthorized: u64,
    /// Links to event hubs that were accepted, of receivers and senders.
    pub links: u64,
    /// Links refused, whatever the reason.
    pub refused: u64,
    /// Receivers that lost their partition to another one.
    pub stolen: u64,
    /// Messages delivered; a message counts for each receiver, and each time.
    pub delivered: u64,
    /// Messages accepted from senders.
    pub received: u64,
}

/// [`EventHubsCounters`] while they count.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) connections: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) tokens: AtomicU64,
    pub(super) unauthorized: AtomicU64,
    pub(super) links: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) stolen: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) received: AtomicU64,
}

impl Tally {
    pub(super) fn read(&self) -> EventHubsCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        EventHubsCounters {
            connections: read(&self.connections),
            dropped: read(&self.dropped),
            tokens: read(&self.tokens),
            unauthorized: read(&self.unauthorized),
            links: read(&self.links),
            refused: read(&self.refused),
            stolen: read(&self.stolen),
            delivered: read(&self.delivered),
            received: read(&self.received),
        }
    }
}

impl Namespace {
    pub(super) fn new(tenant: Arc<Tenant>, address: SocketAddr) -> Self {
        let options = Arc::new(tenant.options.event_hubs.clone());
        let hubs = options
            .hubs
            .iter()
            .map(|name| (name.to_ascii_lowercase(), EventHub::new(name, options.partitions, &options.consumer_groups)));
        Self { hubs: hubs.collect(), options, tenant, address, tally: Tally::default(), connections: Mutex::default() }
    }

    /// An event hub by its name.
    pub(super) fn hub(&self, name: &str) -> Result<&EventHub, Refusal> {
        self.hubs
            .get(&name.to_ascii_lowercase())
            .ok_or_else(|| Refusal::not_found(&format!("sb://{}/{name}", self.address)))
    }

    /// A partition of an event hub, by its id.
    pub(super) fn partition(&self, hub: &str, id: &str) -> Result<Arc<Partition>, Refusal> {
        self.hub(hub)?
            .partition_of(id)
            .ok_or_else(|| Refusal::not_found(&format!("sb://{}/{hub}/Partitions/{id}", self.address)))
    }

    /// A fault with this rate, the n-th time that it is drawn.
    pub(super) fn fails(&self, purpose: &str, rate: f64, number: u64) -> bool {
        Dice::new(self.tenant.options.alerts.seed, purpose, number).chance(rate)
    }

    /// Remembers a connection's socket, to be able to drop it.
    pub(super) fn connected(&self, number: u64, socket: TcpStream) {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).insert(number, socket);
    }

    pub(super) fn disconnected(&self, number: u64) {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
    }

    /// Ends a connection without a word, as a broken network does; all of them where none is named.
    pub(super) fn drop_connections(&self, number: Option<u64>) {
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, socket) in connections.iter().filter(|(each, _)| number.is_none_or(|number| number == **each)) {
            // It may have ended already.
            if socket.shutdown(Shutdown::Both).is_ok() {
                self.tally.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
