//! Options of `output.logstash`, named as in Beats.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{in_order, units};
use crate::http::{Error, SslSettings, tls_config};
use crate::output::Backoff;
use crate::output::address::Address;

/// The port of a host that names none, as in Beats.
const PORT: u16 = 5044;

/// Sends documents to Logstash (its Beats or Elastic Agent input). A document counts as delivered when Logstash acknowledges it; it may
/// arrive more than once, under the same `_id` in `@metadata`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct LogstashSettings {
    /// The servers: `host` or `host:port`. Without a port it is 5044. One that fails rests for a while.
    #[schemars(length(min = 1), example = &["localhost:5044"])]
    pub hosts: Vec<String>,

    /// Uses all hosts. Without it one is used, chosen at random, and another one where it fails.
    pub loadbalance: bool,

    /// Connections to each host that is used.
    #[schemars(range(min = 1, max = 256))]
    pub worker: usize,

    /// Windows under way on a connection, before the first of them is acknowledged.
    #[schemars(range(min = 1, max = 256))]
    pub pipelining: usize,

    /// How much windows are compressed: 0 not at all, 1 fastest, 9 best. 0 saves time where the network is fast.
    #[schemars(range(min = 0, max = 9))]
    pub compression_level: u32,

    /// Documents of one window at most; it has no more than 8 MiB of them.
    #[schemars(range(min = 1, max = 100_000))]
    pub bulk_max_size: usize,

    /// What `@metadata.beat` says, by which pipelines name indices.
    #[schemars(length(min = 1))]
    pub index: String,

    /// How long to wait for a connection, and for the next sign of life of a server that has not acknowledged everything. After that the
    /// connection is closed, and the rest is sent again.
    #[serde(with = "units::Time")]
    pub timeout: Duration,

    /// How long a connection is used before another one is opened in its place, so that a load balancer in between can choose anew.
    /// 0: as long as it lasts.
    #[serde(with = "units::Time")]
    pub ttl: Duration,

    /// When documents that were not taken are sent again, and how long a host that failed rests.
    pub backoff: Backoff,

    /// Uses TLS where any of these is given, even as `ssl: {}`: whom to trust, and how to show who asks.
    pub ssl: Option<SslSettings>,
}

impl Default for LogstashSettings {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            loadbalance: false,
            worker: 1,
            pipelining: 2,
            compression_level: 3,
            bulk_max_size: 2048,
            index: "defenderbeat".into(),
            timeout: Duration::from_secs(30),
            ttl: Duration::ZERO,
            backoff: Backoff::default(),
            ssl: None,
        }
    }
}

/// That there is no host.
pub(super) fn no_hosts() -> Error {
    Error::Settings { option: "hosts", message: "is missing".into() }
}

impl LogstashSettings {
    /// What can be told to be wrong without asking anybody.
    ///
    /// # Errors
    ///
    /// The option at fault, without the part before its own name.
    pub fn check(&self) -> Result<(), Error> {
        if self.addresses()?.is_empty() {
            return Err(no_hosts());
        }
        if self.index.is_empty() {
            return Err(Error::Settings { option: "index", message: "must not be empty".into() });
        }
        if self.timeout.is_zero() {
            return Err(Error::Settings { option: "timeout", message: "must be longer than 0".into() });
        }
        self.ssl.as_ref().map(tls_config).transpose()?;
        self.backoff.check()
    }

    /// The servers' addresses.
    pub(super) fn addresses(&self) -> Result<Vec<Address>, Error> {
        let parse = |host: &String| Address::parse(host, PORT);
        let parsed: Result<Vec<_>, String> = self.hosts.iter().map(parse).collect();
        parsed.map_err(|message| Error::Settings { option: "hosts", message })
    }
}
