//! What was sent since the start.

use std::fmt;

use crate::metrics::Counter;
use crate::output::Fate;

/// Counts of documents by fate, and of requests.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) requests: Counter,
    /// Of requests, before compression.
    pub(super) bytes: Counter,
    created: Counter,
    conflicts: Counter,
    /// Found by a look-up before they were sent.
    pub(super) found: Counter,
    failure_store: Counter,
    refused: Counter,
    retried: Counter,
    unknown: Counter,
}

impl Counts {
    /// Counts fates that requests gave.
    pub(super) fn add(&self, fates: &[Fate]) {
        for fate in fates {
            let counter = match fate {
                Fate::Delivered => &self.created,
                Fate::Duplicate => &self.conflicts,
                Fate::FailureStore(_) => &self.failure_store,
                Fate::Refused(_) => &self.refused,
                Fate::Retry => &self.retried,
                Fate::Unknown => &self.unknown,
            };
            counter.add(1_u64);
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Elasticsearch: {} documents created", self.created.get())?;
        for (name, counter) in [
            ("there already", &self.conflicts),
            ("found by look-up", &self.found),
            ("in the failure store", &self.failure_store),
            ("refused", &self.refused),
            ("to be sent again", &self.retried),
            ("of unknown outcome", &self.unknown),
        ] {
            if counter.get() > 0 {
                write!(formatter, ", {} {name}", counter.get())?;
            }
        }
        write!(formatter, "; {} requests of {} bytes", self.requests.get(), self.bytes.get())
    }
}
