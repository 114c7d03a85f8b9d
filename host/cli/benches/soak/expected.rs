//! Which documents have to arrive: what the components make of all that the tenant holds.

use std::thread::{JoinHandle, sleep, spawn};
use std::time::Instant;

use defenderbeat_simulator::{VulnerabilityRecords, alerts, incidents};
use serde_json::json;

use crate::mapper::Mapper;
use crate::source::Source;

/// Events that are mapped between two looks at the clock.
const EVENTS: u64 = 2_000;

/// Identities of documents, each list without those that are twice.
pub(crate) struct Ids {
    pub(crate) alerts: Vec<u128>,
    pub(crate) incidents: Vec<u128>,
    pub(crate) events: Vec<u128>,
    vulnerabilities: Vulnerabilities,
}

/// Finds them while everything runs, events as they come, so that this load is even too.
pub(crate) struct Expected {
    others: JoinHandle<[Vec<u128>; 2]>,
    events: JoinHandle<Vec<u128>>,
}

impl Expected {
    pub(crate) fn begin(source: &Source) -> Self {
        let options = source.tenant.simulator.options().alerts.clone();
        let others = move || {
            let mut ids = [Vec::new(), Vec::new()];
            let [of_alerts, of_incidents] = &mut ids;
            let mut mapper = Mapper::open("alert", &json!({}));
            mapper.push("alerts", alerts(&options).unwrap(), |id, _| of_alerts.push(id));
            let mut mapper = Mapper::open("incident", &json!({}));
            mapper.push("incidents", incidents(&options).unwrap(), |id, _| of_incidents.push(id));
            ids
        };
        let all = source.tenant.simulator.event_hubs().hub("defender").unwrap().events().unwrap().clone();
        let count = all.count().unwrap();
        let due: Vec<(u64, Instant)> =
            (0..count).step_by(EVENTS as usize).map(|number| (number, source.when(number + EVENTS))).collect();
        let events = move || {
            let mut ids = Vec::new();
            let mut mapper = Mapper::open("event", &json!({"inventory": false}));
            for (first, due) in due {
                sleep(due.saturating_duration_since(Instant::now()));
                let records = (first..count.min(first + EVENTS)).map(|number| all.record(number).into_bytes());
                mapper.push("events", records, |id, _| ids.push(id));
            }
            ids
        };
        Self { others: spawn(others), events: spawn(events) }
    }

    /// All of them.
    pub(crate) fn end(self, source: &Source) -> Ids {
        let [alerts, incidents] = self.others.join().unwrap();
        let events = self.events.join().unwrap();
        let vulnerabilities = Vulnerabilities { all: source.tenant.simulator.vulnerabilities().clone() };
        Ids { alerts: once(alerts), incidents: once(incidents), events: once(events), vulnerabilities }
    }
}

impl Ids {
    /// Of the findings of a sync.
    pub(crate) fn of_sync(&self, start: &str) -> Vec<u128> {
        self.vulnerabilities.of_sync(start)
    }
}

struct Vulnerabilities {
    all: defenderbeat_simulator::Vulnerabilities,
}

impl Vulnerabilities {
    fn of_sync(&self, start: &str) -> Vec<u128> {
        let mut ids = Vec::new();
        let mut mapper = Mapper::open("vulnerability", &json!({"sync_start": start}));
        for (feed, records) in [
            ("machines", VulnerabilityRecords::Machines),
            ("vulnerabilities", VulnerabilityRecords::Vulnerabilities),
            ("products", VulnerabilityRecords::Products),
        ] {
            mapper.push(feed, self.all.records(records), |id, _| ids.push(id));
        }
        mapper.finish(|id, _| ids.push(id));
        once(ids)
    }
}

fn once(mut ids: Vec<u128>) -> Vec<u128> {
    ids.sort_unstable();
    ids.dedup();
    ids
}
