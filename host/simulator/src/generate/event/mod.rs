//! The records of the event stream: what Microsoft's Streaming API sends of the tables of advanced hunting.
//!
//! A record follows from the seed and its number alone, so it is made when it is asked for and nothing is kept. Yet they
//! fit together: devices, processes with their parents, signed files, messages and alerts recur.

mod alert;
mod cloud;
mod device;
mod envelope;
mod identity;
mod json;
mod mail;
mod message;
mod options;
mod process;
mod record;
mod software;
mod table;
#[cfg(test)]
mod tests;
mod world;

use std::sync::Arc;

pub use self::envelope::envelopes;
use self::json::Object;
pub use self::options::EventOptions;
use self::record::{Record, Timeline};
pub use self::table::Table;
use self::world::World;
use crate::generate::Dice;
use crate::time;

/// A repeated record is one of so many before it.
const REPEATED: u64 = 5000;

/// The records of a tenant. Clones share what they are made from.
#[derive(Clone, Debug)]
pub struct Events {
    world: Arc<World>,
    timeline: Timeline,
    count: Option<u64>,
    repeated: f64,
}

/// Each record as one JSON object, one after the other; without `count` there is no end. Same options, same bytes.
pub fn events(options: &EventOptions) -> impl Iterator<Item = String> + use<> {
    let events = Events::new(options);
    (0..options.count.unwrap_or(u64::MAX)).map(move |index| events.record(index))
}

impl Events {
    /// What the options describe.
    #[must_use]
    pub fn new(options: &EventOptions) -> Self {
        // Before 1970 nothing is published.
        let start = time::from_utc(options.start).max(0);
        let spacing = time::from_duration(options.spacing);
        Self {
            world: Arc::new(World::new(options.seed, &options.tenant_id, options.devices, start)),
            timeline: Timeline::new(options.seed, start, spacing, &options.tables),
            count: options.count,
            repeated: options.repeated,
        }
    }

    /// How many there are; None: there is no end.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        self.count
    }

    /// The JSON of a record, 0, 1, 2 ..
    #[must_use]
    pub fn record(&self, index: u64) -> String {
        let mut json = String::with_capacity(4096);
        self.write(index, &mut json);
        json
    }

    /// Appends the JSON of a record, 0, 1, 2 ..
    pub fn write(&self, index: u64, json: &mut String) {
        let Some(mut record) = Record::new(&self.world, &self.timeline, self.original(index)) else { return };
        record.write(index, json, write_columns);
    }

    /// The number of the record whose content one has: its own, unless it repeats another.
    #[must_use]
    pub fn original(&self, index: u64) -> u64 {
        let drawn = |index: u64| -> Option<u64> {
            let mut dice = Dice::new(self.world.seed, "repeated", index);
            let back = 1 + dice.bits() % REPEATED;
            (dice.chance(self.repeated)).then(|| index.checked_sub(back)).flatten()
        };
        match drawn(index) {
            Some(earlier) if drawn(earlier).is_none() => earlier,
            _ => index,
        }
    }

    /// The table of a record.
    #[must_use]
    pub fn table(&self, index: u64) -> Option<Table> {
        self.timeline.table(self.original(index))
    }
}

fn write_columns(record: &mut Record<'_>, row: &mut Object<'_>) {
    let write = match record.table {
        table if table.is_device() => device::write,
        Table::EmailEvents
        | Table::EmailUrlInfo
        | Table::EmailAttachmentInfo
        | Table::EmailPostDeliveryEvents
        | Table::UrlClickEvents => mail::write,
        Table::MessageEvents | Table::MessageUrlInfo | Table::MessagePostDeliveryEvents => message::write,
        Table::IdentityLogonEvents
        | Table::IdentityQueryEvents
        | Table::IdentityDirectoryEvents
        | Table::IdentityInfo => identity::write,
        Table::AlertInfo | Table::AlertEvidence | Table::BehaviorInfo | Table::BehaviorEntities => alert::write,
        _ => cloud::write,
    };
    write(record, row);
}
