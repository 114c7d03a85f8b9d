//! What all requests share.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::defender::{Published, State};
use crate::generate::Corpus;
use crate::generate::vulnerability::Vulnerabilities;
use crate::options::Options;
use crate::time::{self, Ticks};
use crate::token::Tokens;

/// The state behind the server.
pub(crate) struct Tenant {
    pub(crate) options: Options,
    pub(crate) corpus: Corpus,
    pub(crate) vulnerabilities: Vulnerabilities,
    /// Changes of vulnerabilities since the start.
    pub(crate) published: Published,
    /// What has happened at the Defender for Endpoint API.
    pub(crate) defender: State,
    pub(crate) tokens: Tokens,
    /// Ids of assertions that were seen.
    pub(crate) assertions: Mutex<HashSet<String>>,
    pub(crate) tally: Tally,
    /// The server's own address, `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    started: Instant,
}

/// What a tenant holds of one alert, as far as a reader can be checked by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expected {
    /// `id`.
    pub id: String,
    /// `lastUpdateDateTime`, as it is sent.
    pub last_update_date_time: String,
}

/// What a tenant holds of one incident.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExpectedIncident {
    /// `id`.
    pub id: String,
    /// The `id`s of its alerts, sorted.
    pub alerts: Vec<String>,
}

/// What has happened since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// API requests, whatever the answer.
    pub requests: u64,
    /// Tokens given.
    pub tokens: u64,
    /// Requests for a token of a managed identity, whatever the answer.
    pub managed: u64,
    /// Assertions that were refused.
    pub assertions_refused: u64,
    /// API requests without a good token.
    pub unauthorized: u64,
    /// API requests that the API refused with 400.
    pub refused: u64,
    /// API requests for more expanded alerts than the tenant can give, answered 500.
    pub overloaded: u64,
    /// API requests answered 429 as a fault.
    pub throttled: u64,
    /// API requests answered 500 as a fault.
    pub failed: u64,
    /// API requests at which all tokens were revoked as a fault.
    pub revoked: u64,
    /// API requests whose answer was broken off as a fault.
    pub broken: u64,
    /// Records in pages that were begun.
    pub records: u64,
}

/// [`Counters`] while they count.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests: AtomicU64,
    pub(crate) tokens: AtomicU64,
    pub(crate) managed: AtomicU64,
    pub(crate) assertions_refused: AtomicU64,
    pub(crate) unauthorized: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) overloaded: AtomicU64,
    pub(crate) throttled: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) revoked: AtomicU64,
    pub(crate) broken: AtomicU64,
    pub(crate) records: AtomicU64,
}

/// Counts one more, and says how many there were before.
pub(crate) fn count(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::Relaxed)
}

impl Tally {
    pub(crate) fn read(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            requests: read(&self.requests),
            tokens: read(&self.tokens),
            managed: read(&self.managed),
            assertions_refused: read(&self.assertions_refused),
            unauthorized: read(&self.unauthorized),
            refused: read(&self.refused),
            overloaded: read(&self.overloaded),
            throttled: read(&self.throttled),
            failed: read(&self.failed),
            revoked: read(&self.revoked),
            broken: read(&self.broken),
            records: read(&self.records),
        }
    }
}

impl Tenant {
    pub(crate) fn new(options: Options, url: String) -> Self {
        let now = options.alerts.now.map_or_else(time::now, time::from_utc);
        Self {
            corpus: Corpus::new(&options.alerts, &options.access.tenant_id),
            vulnerabilities: Vulnerabilities::at(&options.vulnerabilities, options.alerts.seed, now),
            published: Published::default(),
            defender: State::default(),
            tokens: Tokens::new(options.alerts.seed),
            assertions: Mutex::default(),
            tally: Tally::default(),
            started: Instant::now(),
            options,
            url,
        }
    }

    /// When it is: a tenant whose time is given stays there, unless alerts come with time.
    pub(crate) fn present(&self) -> Ticks {
        let alerts = &self.options.alerts;
        alerts.now.filter(|_| alerts.per_second.is_none()).map_or_else(time::now, time::from_utc)
    }

    /// When it is by the clock of the login server.
    pub(crate) fn login_time(&self) -> SystemTime {
        let ahead = self.options.access.clock_ahead;
        let (now, by) = (SystemTime::now(), Duration::from_secs(ahead.unsigned_abs()));
        if ahead < 0 { now - by } else { now + by }
    }

    /// Whether late alerts are visible to the n-th API request.
    pub(crate) fn shows_late(&self, number: u64) -> bool {
        let alerts = &self.options.alerts;
        number >= alerts.late_after_requests && self.started.elapsed() >= alerts.late_after
    }
}
