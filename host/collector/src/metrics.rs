//! What an input has done so far.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// Documents delivered.
    pub delivered: Counter,
    /// Documents that the output had already.
    pub duplicates: Counter,
    /// Documents sent once more.
    pub retried: Counter,
    /// Lines written to the dead-letter file.
    pub dead_letters: Counter,
    /// Checkpoints saved.
    pub checkpoints: Counter,
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
            ("sent again", &self.retried),
            ("dead letters", &self.dead_letters),
            ("bytes of facts", &self.facts),
            ("syncs", &self.syncs),
        ] {
            if counter.get() > 0 {
                write!(formatter, ", {} {name}", counter.get())?;
            }
        }
        Ok(())
    }
}
