//! What only this output counts.

use std::fmt;

use crate::metrics::Counter;

/// Counts since the start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) requests: Counter,
    /// Of requests, before compression.
    pub(super) bytes: Counter,
    /// Documents found by a look-up before they were sent.
    pub(super) found: Counter,
}

impl fmt::Display for Counts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, bytes, found } = self;
        write!(formatter, "{} requests of {} bytes, {} found by look-up", requests.get(), bytes.get(), found.get())
    }
}
