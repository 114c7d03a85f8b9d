//! The corpus: events in messages that an event hub has from the start, so that reading them is all it takes.

use std::sync::Arc;

use defenderbeat_simulator::{EventOptions, Options, envelopes, events};

use crate::program::Tenant;

/// Bytes of a message, as Event Hubs allow them.
const MESSAGE: usize = 1_000_000;

/// Messages of events of all tables, in a tenant's proportions.
pub(crate) struct Corpus {
    messages: Arc<Vec<Vec<u8>>>,
}

impl Corpus {
    pub(crate) fn new(count: u64) -> Self {
        let events = events(&EventOptions { count: Some(count), ..EventOptions::default() });
        Self { messages: Arc::new(envelopes(events, MESSAGE).map(String::into_bytes).collect()) }
    }

    /// Size of all messages.
    pub(crate) fn megabytes(&self) -> f64 {
        self.messages.iter().map(Vec::len).sum::<usize>() as f64 / 1e6
    }

    /// A tenant whose event hub has them so many times.
    pub(crate) fn tenant(&self, times: usize) -> Tenant {
        let tenant = Tenant::start(Options::default());
        let hub = tenant.simulator.event_hubs().hub("defender").unwrap();
        let partitions = hub.partitions() as usize;
        let total = self.messages.len() * times;
        for partition in 0..partitions {
            let messages = self.messages.clone();
            let count = (total + partitions - 1 - partition) / partitions;
            let make = move |number: u64| messages[(number as usize * partitions + partition) % messages.len()].clone();
            hub.publish_made(partition as u32, count as u64, make).unwrap();
        }
        tenant
    }
}
