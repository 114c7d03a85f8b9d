//! What was sent since the start.

use std::fmt;

use super::Fate;
use crate::metrics::Counter;

/// Counts of documents by fate, and of batches.
#[derive(Debug)]
pub(super) struct Counts {
    receiver: &'static str,
    batches: Counter,
    /// Of documents, before compression.
    bytes: Counter,
    delivered: Counter,
    refused: Counter,
    retried: Counter,
    unknown: Counter,
}

impl Counts {
    pub(super) fn new(receiver: &'static str) -> Self {
        Self {
            receiver,
            batches: Counter::default(),
            bytes: Counter::default(),
            delivered: Counter::default(),
            refused: Counter::default(),
            retried: Counter::default(),
            unknown: Counter::default(),
        }
    }

    /// Counts a batch that was sent.
    pub(super) fn sent(&self, bytes: usize) {
        self.batches.add(1_u64);
        self.bytes.add(bytes);
    }

    /// Counts what came of documents.
    pub(super) fn add<'a>(&self, fates: impl IntoIterator<Item = &'a Fate>) {
        for fate in fates {
            let counter = match fate {
                Fate::Delivered | Fate::Duplicate => &self.delivered,
                Fate::FailureStore(_) | Fate::Refused(_) => &self.refused,
                Fate::Retry => &self.retried,
                Fate::Unknown => &self.unknown,
            };
            counter.add(1_u64);
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} documents delivered", self.receiver, self.delivered.get())?;
        for (name, counter) in
            [("refused", &self.refused), ("to be sent again", &self.retried), ("of unknown outcome", &self.unknown)]
        {
            if counter.get() > 0 {
                write!(formatter, ", {} {name}", counter.get())?;
            }
        }
        write!(formatter, "; {} batches of {} bytes", self.batches.get(), self.bytes.get())
    }
}
