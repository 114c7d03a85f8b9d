//! The servers: which one is used next, which one rests, and the connections to them.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::ClientConfig;

use super::LogstashSettings;
use super::connection::Connection;
use crate::http::{Error, RetrySettings, tls_config};
use crate::output::address::Address;
use crate::output::rest::{Rest, awake};

/// The servers in the order of the settings.
#[derive(Debug)]
pub(super) struct Hosts {
    hosts: Vec<Host>,
    /// Where all are used: whose turn it is. Otherwise: which one is used.
    turn: AtomicUsize,
    loadbalance: bool,
    worker: usize,
    rest: RetrySettings,
}

/// One server.
#[derive(Debug)]
pub(super) struct Host {
    address: Address,
    tls: Option<Arc<ClientConfig>>,
    timeout: Duration,
    ttl: Duration,
    /// Connections, of which each is opened when it is wanted.
    connections: Vec<tokio::sync::Mutex<Option<Arc<Connection>>>>,
    turn: AtomicUsize,
    rest: Rest,
}

impl Hosts {
    /// Prepares connections to all servers; opens none.
    pub(super) fn new(settings: &LogstashSettings) -> Result<Self, Error> {
        settings.check()?;
        let tls = settings.ssl.as_ref().map(tls_config).transpose()?.map(Arc::new);
        let host = |address| Host {
            address,
            tls: tls.clone(),
            timeout: settings.timeout,
            ttl: settings.ttl,
            connections: (0..settings.worker).map(|_| tokio::sync::Mutex::default()).collect(),
            turn: AtomicUsize::new(0),
            rest: Rest::default(),
        };
        let hosts: Vec<Host> = settings.addresses()?.into_iter().map(host).collect();
        Ok(Self {
            turn: AtomicUsize::new(fastrand::usize(..hosts.len().max(1))),
            loadbalance: settings.loadbalance,
            worker: settings.worker,
            rest: settings.backoff.retry(),
            hosts,
        })
    }

    /// Connections that are used side by side.
    pub(super) fn connections(&self) -> usize {
        if self.loadbalance { self.hosts.len() * self.worker } else { self.worker }
    }

    /// The servers to try for a window, one after the other: those that do not rest; where all rest, the one that has rested
    /// longest.
    pub(super) fn candidates(&self) -> Vec<&Host> {
        let turn = self.turn.fetch_add(usize::from(self.loadbalance), Ordering::Relaxed);
        awake(&self.hosts, turn, |host| &host.rest)
    }

    /// Lets a server rest, the longer the more often it failed in a row; where one is used, the next one is from now on.
    pub(super) fn failed(&self, host: &Host, why: &dyn fmt::Display) {
        if self.hosts.len() < 2 {
            return;
        }
        let rest_ms = host.rest.failed(&self.rest).as_millis() as u64;
        if !self.loadbalance && self.hosts.iter().position(|other| std::ptr::eq(other, host)) == Some(self.turn()) {
            self.turn.fetch_add(1, Ordering::Relaxed);
        }
        tracing::warn!(host = host.name(), rest_ms, %why, "output.logstash: a host failed and rests; the others are used");
    }

    fn turn(&self) -> usize {
        self.turn.load(Ordering::Relaxed) % self.hosts.len().max(1)
    }

    /// Notes that a server answers.
    pub(super) fn answered(&self, host: &Host) {
        if host.rest.answered() {
            tracing::info!(host = host.name(), "output.logstash: a host that had failed answers again");
        }
    }
}

impl Host {
    /// Host and port.
    pub(super) fn name(&self) -> String {
        self.address.to_string()
    }

    /// A connection that is open, or a new one.
    pub(super) async fn connection(&self) -> io::Result<Arc<Connection>> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.connections.len().max(1);
        let Some(place) = self.connections.get(turn) else { return Err(io::ErrorKind::NotConnected.into()) };
        let mut place = place.lock().await;
        if let Some(connection) = place.as_ref().filter(|connection| connection.is_usable(self.ttl)) {
            return Ok(connection.clone());
        }
        // Windows under way on one that is too old end there, as they hold it.
        let connection = Arc::new(Connection::open(&self.address, self.tls.clone(), self.timeout).await?);
        *place = Some(connection.clone());
        Ok(connection)
    }

    /// Closes a connection that failed, unless another one has taken its place.
    pub(super) async fn lost(&self, connection: &Arc<Connection>) {
        for place in &self.connections {
            let mut place = place.lock().await;
            if place.as_ref().is_some_and(|current| Arc::ptr_eq(current, connection)) {
                *place = None;
            }
        }
    }
}
