//! What an input has done so far.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::dead_letter::timestamp;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, number: impl TryInto<u64>) {
        self.0.fetch_add(number.try_into().unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Its value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts of one input since the process began.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Records mapped, dropped or rejected.
    pub records: Counter,
    /// Payloads mapped: records, or messages that hold many.
    pub payloads: Counter,
    /// Bytes of payloads.
    pub bytes: Counter,
    /// Records that a processor left out.
    pub dropped: Counter,
    /// Records that could not become documents.
    pub rejected: Counter,
    /// Documents that were read again and had left before.
    pub repeated: Counter,
    /// Times that a join found nothing to go with a record.
    pub unmatched: Counter,
    /// Unknown names met in records.
    pub drift: Counter,
    /// Bytes of facts found in records, for later ones.
    pub facts: Counter,
    /// Syncs that came to their end.
    pub syncs: Counter,
    last_sync: Mutex<Option<SyncEnd>>,
    /// Documents delivered.
    pub delivered: Counter,
    /// Documents that the output had already.
    pub duplicates: Counter,
    /// Documents that the output keeps where failures are kept.
    pub failure_store: Counter,
    /// Documents sent once more.
    pub retried: Counter,
    /// Lines written to the dead-letter file.
    pub dead_letters: Counter,
    /// Checkpoints saved.
    pub checkpoints: Counter,
}

/// What came of a sync.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SyncEnd {
    /// When it began, milliseconds since 1970-01-01T00:00:00Z.
    pub start: i64,
    /// Records read.
    pub records: u64,
    /// Documents made of them.
    pub documents: u64,
    /// Times that the join found nothing to go with a record.
    pub unmatched: u64,
    /// How long it took.
    pub seconds: f64,
}

impl Metrics {
    /// Notes that a sync came to its end.
    pub fn sync_ended(&self, ended: SyncEnd) {
        self.syncs.add(1_u64);
        *self.last_sync.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
    }

    /// What came of the last sync that came to its end.
    pub fn last_sync(&self) -> Option<SyncEnd> {
        *self.last_sync.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for SyncEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, records, documents, unmatched, seconds } = self;
        let start = timestamp(*start);
        write!(
            formatter,
            "begun at {start}, {records} records, {documents} documents, {unmatched} unmatched, {seconds:.1} seconds"
        )
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, payloads, delivered, .. } = self;
        write!(formatter, "{} records, ", records.get())?;
        if payloads.get() != records.get() {
            write!(formatter, "of {} messages ({} bytes), ", payloads.get(), self.bytes.get())?;
        }
        write!(formatter, "{} documents delivered", delivered.get())?;
        for (name, counter) in [
            ("repeated", &self.repeated),
            ("dropped", &self.dropped),
            ("rejected", &self.rejected),
            ("unmatched", &self.unmatched),
            ("there already", &self.duplicates),
            ("in the failure store", &self.failure_store),
            ("sent again", &self.retried),
            ("dead letters", &self.dead_letters),
            ("bytes of facts", &self.facts),
        ] {
            if counter.get() > 0 {
                write!(formatter, ", {} {name}", counter.get())?;
            }
        }
        Ok(())
    }
}
