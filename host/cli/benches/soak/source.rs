//! What there is to collect: all of it is known from the start, and comes with time.

use std::time::{Duration, Instant};

use chrono::Utc;
use defenderbeat_simulator::{AlertOptions, EventHubsOptions, FaultOptions, Options, VulnerabilityOptions};

use crate::program::Tenant;

/// A second.
const EVENTS: u64 = 1_600;
/// A second. Each comes a second time, within its incident.
const ALERTS: u64 = 100;
/// Of one sync; with one a minute, 200 a second.
const FINDINGS: u64 = 12_000;
/// From one sync to the next.
pub(crate) const SYNC: &str = "60s";

/// Counts of documents: of alerts, of alerts within incidents, of events.
pub(crate) type Counts = [u64; 3];

/// A tenant.
pub(crate) struct Source {
    pub(crate) tenant: Tenant,
    pub(crate) began: Instant,
    length: Duration,
}

impl Source {
    /// A tenant to which something comes for so long.
    pub(crate) fn start(length: Duration) -> Self {
        let seconds = length.as_secs();
        let tenant = Tenant::start(Options {
            alerts: AlertOptions {
                count: usize::try_from(ALERTS * seconds).unwrap(),
                now: Some(Utc::now()),
                per_second: Some(ALERTS as f64),
                ..AlertOptions::default()
            },
            vulnerabilities: VulnerabilityOptions {
                machines: 500,
                vulnerabilities: 600,
                exposed: 500,
                products: FINDINGS,
                ..VulnerabilityOptions::default()
            },
            faults: FaultOptions { throttled: 0.01, retry_after: 1, failed: 0.01, revoked: 0.005, broken: 0.01 },
            event_hubs: EventHubsOptions {
                partitions: 8,
                events: EVENTS * seconds,
                events_per_second: Some(EVENTS as f64),
                records_per_message: 20,
                drop_connection_after: 3_000,
                links_refused: 0.05,
                tokens_refused: 0.05,
                ..EventHubsOptions::default()
            },
            ..Options::default()
        });
        Self { tenant, began: Instant::now(), length }
    }

    /// What has come by now.
    pub(crate) fn due(&self) -> Counts {
        self.in_time(self.began.elapsed().min(self.length))
    }

    /// What comes in the whole time.
    pub(crate) fn all(&self) -> Counts {
        self.in_time(self.length)
    }

    fn in_time(&self, time: Duration) -> Counts {
        let seconds = time.as_secs_f64();
        [ALERTS, ALERTS, EVENTS].map(|rate| (seconds * rate as f64) as u64)
    }

    /// When an event comes, by its number.
    pub(crate) fn when(&self, number: u64) -> Instant {
        self.began + Duration::from_secs_f64(number as f64 / EVENTS as f64)
    }

    /// Which faults there were, readable.
    pub(crate) fn faults(&self) -> String {
        let simulator = &self.tenant.simulator;
        format!("{:?}\n{:?}", simulator.counters(), simulator.event_hubs().counters())
    }
}
