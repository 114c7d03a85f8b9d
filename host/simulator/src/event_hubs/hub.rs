//! An event hub: its partitions, and what tests and demonstrations put into them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::generated::Envelopes;
use super::options::DEFAULT_GROUP;
use super::partition::{Make, Partition, Sent, data};
use crate::generate::event::Events;
use crate::time;

/// An event hub. Clones share its content.
#[derive(Clone)]
pub struct EventHub {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    /// In milliseconds since 1970.
    created: i64,
    groups: Vec<String>,
    partitions: Vec<Arc<Partition>>,
    events: OnceLock<Events>,
    /// Whose turn it is, where a sender names no partition.
    turn: AtomicUsize,
}

impl std::fmt::Debug for EventHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventHub")
            .field("name", &self.inner.name)
            .field("partitions", &self.inner.partitions.len())
            .finish_non_exhaustive()
    }
}

impl EventHub {
    pub(super) fn new(name: &str, partitions: u32, groups: &[String]) -> Self {
        let groups = std::iter::once(DEFAULT_GROUP).chain(groups.iter().map(String::as_str));
        Self {
            inner: Arc::new(Inner {
                name: name.to_owned(),
                created: time::now() / (time::SECOND / 1000),
                groups: groups.map(str::to_owned).collect(),
                partitions: (0..partitions).map(|id| Arc::new(Partition::new(id))).collect(),
                events: OnceLock::new(),
                turn: AtomicUsize::new(0),
            }),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Number of its partitions; their ids are the numbers from 0 on.
    pub fn partitions(&self) -> u32 {
        u32::try_from(self.inner.partitions.len()).unwrap_or(u32::MAX)
    }

    /// Appends a message to a partition, and gives its sequence number. None: there is no such partition.
    pub fn publish(&self, partition: u32, body: impl Into<Vec<u8>>) -> Option<u64> {
        Some(self.at(partition)?.push(data(body.into())))
    }

    /// Appends messages that take no memory to a partition: a message's body is made whenever it is read, from its number
    /// among them, which begins with 0. Gives the sequence number of the first. None: there is no such partition.
    pub fn publish_made(
        &self,
        partition: u32,
        count: u64,
        make: impl Fn(u64) -> Vec<u8> + Send + Sync + 'static,
    ) -> Option<u64> {
        let make: Make = Arc::new(make);
        Some(self.at(partition)?.extend(&make, 0, count))
    }

    /// Appends records in envelopes of so many, to all partitions in turn; they take no memory. Gives the number of
    /// messages, which is 0 for records without an end.
    pub fn publish_events(&self, events: &Events, records_per_message: u64) -> u64 {
        let envelopes = Envelopes::new(events, events.count().unwrap_or(0), records_per_message, self.partitions());
        self.extend(&envelopes, 0, envelopes.count());
        envelopes.count()
    }

    /// The records that the options of the simulator ask for, to compare with. None: they ask for none.
    pub fn events(&self) -> Option<&Events> {
        self.inner.events.get()
    }

    pub(super) fn set_events(&self, events: Events) {
        // They are set once, at the start.
        let _ = self.inner.events.set(events);
    }

    /// Appends envelopes from a number up to, and not including, another.
    pub(super) fn extend(&self, envelopes: &Envelopes, from: u64, to: u64) {
        for (partition, (make, number, count)) in self.inner.partitions.iter().zip(envelopes.parts(from, to)) {
            partition.extend(make, number, count);
        }
    }

    /// Sequence number of a partition's last message. None: there is none, or no such partition.
    pub fn last_sequence_number(&self, partition: u32) -> Option<u64> {
        Some(self.at(partition)?.last()?.sequence)
    }

    fn at(&self, partition: u32) -> Option<&Arc<Partition>> {
        self.inner.partitions.get(usize::try_from(partition).ok()?)
    }

    pub(super) fn created(&self) -> i64 {
        self.inner.created
    }

    pub(super) fn ids(&self) -> Vec<String> {
        self.inner.partitions.iter().map(|partition| partition.id.clone()).collect()
    }

    pub(super) fn has_group(&self, group: &str) -> bool {
        self.inner.groups.iter().any(|name| name.eq_ignore_ascii_case(group))
    }

    pub(super) fn partition_of(&self, id: &str) -> Option<Arc<Partition>> {
        self.inner.partitions.iter().find(|partition| partition.id == id).cloned()
    }

    /// Appends a message to the partition of its key, which is always the same one, or to the next in turn.
    pub(super) fn distribute(&self, message: Sent, key: Option<&str>) {
        let index = match key {
            Some(key) => key.bytes().fold(0_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into())),
            None => self.inner.turn.fetch_add(1, Ordering::Relaxed),
        };
        if let Some(partition) = self.inner.partitions.get(index % self.inner.partitions.len().max(1)) {
            partition.push(message);
        }
    }
}
