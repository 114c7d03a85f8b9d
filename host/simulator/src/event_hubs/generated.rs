//! The records that event hubs hold from the start, or get at a rate.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use super::hub::EventHub;
use super::namespace::Namespace;
use super::partition::Make;
use crate::generate::event::{EventOptions, Events, Table};

/// At a rate, messages come no more often than this.
const TICK: Duration = Duration::from_millis(10);

/// Records in envelopes, `{"records":[..]}`, dealt to partitions in turn.
pub(super) struct Envelopes {
    count: u64,
    /// What makes the envelopes of each partition, by their number in it.
    makes: Vec<Make>,
}

impl Envelopes {
    pub(super) fn new(events: &Events, records: u64, per_envelope: u64, partitions: u32) -> Self {
        let per_envelope = per_envelope.max(1);
        let make = |partition: u64| -> Make {
            let events = events.clone();
            let partitions = u64::from(partitions);
            Arc::new(move |number| {
                let first = (number * partitions + partition) * per_envelope;
                envelope(&events, first, records.min(first + per_envelope))
            })
        };
        Self { count: records.div_ceil(per_envelope), makes: (0..u64::from(partitions)).map(make).collect() }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// What each partition gets of the envelopes from a number up to, and not including, another: what makes them, the
    /// number of the first, and how many.
    pub(super) fn parts(&self, from: u64, to: u64) -> impl Iterator<Item = (&Make, u64, u64)> {
        let partitions = self.makes.len() as u64;
        self.makes.iter().zip(0..).map(move |(make, partition)| {
            // How many of the partition come before one.
            let before = |number: u64| (number + partitions - 1 - partition) / partitions;
            (make, before(from), before(to) - before(from))
        })
    }
}

fn envelope(events: &Events, from: u64, to: u64) -> Vec<u8> {
    let mut json = String::from("{\"records\":[");
    for number in from..to {
        if number > from {
            json.push(',');
        }
        events.write(number, &mut json);
    }
    json.push_str("]}");
    json.into_bytes()
}

/// Puts the records that the options ask for into an event hub: all at once, or at their rate until the simulator stops.
pub(super) fn fill(hub: &EventHub, namespace: &Namespace, stopped: &watch::Receiver<()>) {
    let options = &namespace.options;
    if options.events == 0 {
        return;
    }
    let now = namespace.tenant.options.alerts.now.unwrap_or_else(|| SystemTime::now().into());
    let defaults = EventOptions::default();
    // What comes at a rate happens now, and what is there has happened before.
    let (start, spacing) = match options.events_per_second {
        Some(rate) => (now, Duration::from_secs_f64((1.0 / rate).clamp(1e-7, 1e6))),
        None => {
            let length = defaults.spacing.saturating_mul(u32::try_from(options.events).unwrap_or(u32::MAX));
            (now - length, defaults.spacing)
        }
    };
    let table = hub.name().rsplit_once('-').and_then(|(_, name)| name.parse::<Table>().ok());
    let events = Events::new(&EventOptions {
        seed: namespace.tenant.options.alerts.seed,
        count: Some(options.events),
        start,
        spacing,
        tables: table.into_iter().collect(),
        tenant_id: namespace.tenant.options.access.tenant_id.clone(),
        ..defaults
    });
    let envelopes = Envelopes::new(&events, options.events, options.records_per_message, hub.partitions());
    hub.set_events(events);
    match options.events_per_second {
        None => hub.extend(&envelopes, 0, envelopes.count()),
        Some(rate) => {
            let rate = rate / options.records_per_message as f64;
            tokio::spawn(pace(hub.clone(), envelopes, rate, stopped.clone()));
        }
    }
}

/// Appends envelopes at a rate, in a second.
async fn pace(hub: EventHub, envelopes: Envelopes, rate: f64, mut stopped: watch::Receiver<()>) {
    let start = Instant::now();
    let mut done = 0;
    while done < envelopes.count() {
        let next = start + Duration::from_secs_f64(((done + 1) as f64 / rate).min(1e9));
        let wait = next.saturating_duration_since(Instant::now()).max(TICK);
        tokio::select! {
            _ = stopped.changed() => return,
            () = tokio::time::sleep(wait) => {}
        }
        // Rounding is towards what is due already.
        let due = ((start.elapsed().as_secs_f64() * rate) as u64).min(envelopes.count());
        if due > done {
            hub.extend(&envelopes, done, due);
            done = due;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_record_is_in_one_envelope_of_one_partition() {
        let events = Events::new(&EventOptions { count: Some(100), ..EventOptions::default() });
        let expected: Vec<Value> =
            (0..100).map(|number| serde_json::from_str(&events.record(number)).unwrap()).collect();
        for (per_envelope, partitions) in [(1, 1), (7, 3), (7, 32), (1000, 4)] {
            let envelopes = Envelopes::new(&events, 100, per_envelope, partitions);
            assert_eq!(envelopes.count(), 100_u64.div_ceil(per_envelope));
            let mut lists = vec![Vec::new(); partitions as usize];
            let ranges = [(0, 1), (1, 5.min(envelopes.count())), (5.min(envelopes.count()), envelopes.count())];
            for (from, to) in ranges.into_iter().filter(|(from, to)| from < to) {
                for (list, (make, number, count)) in lists.iter_mut().zip(envelopes.parts(from, to)) {
                    assert_eq!(number, list.len() as u64);
                    list.extend((number..number + count).map(|number| make(number)));
                }
            }
            let mut dealt = Vec::new();
            for turn in 0..lists[0].len() {
                dealt.extend(lists.iter().filter_map(|list| list.get(turn)));
            }
            let records: Vec<Value> = dealt
                .into_iter()
                .flat_map(|json| serde_json::from_slice::<Value>(json).unwrap()["records"].as_array().unwrap().clone())
                .collect();
            assert_eq!(records, expected, "{per_envelope} {partitions}");
        }
    }
}
