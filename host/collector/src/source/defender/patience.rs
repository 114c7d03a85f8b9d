//! How long a page or a file is asked for again within a sync.

use std::time::{Duration, Instant};

use crate::http::{Retry, RetrySettings};

/// The tries of a page or a file. Those of the settings come first; then one every `wait_max` until an outage has taken too
/// long, because a page is cheaper to repeat than a sync.
pub(super) struct Patience<'a> {
    settings: &'a RetrySettings,
    retry: Retry<'a>,
    longest: Duration,
    since: Instant,
}

impl<'a> Patience<'a> {
    /// No failure yet.
    pub(super) fn new(settings: &'a RetrySettings, longest: Duration) -> Self {
        Self { settings, retry: Retry::new(settings), longest, since: Instant::now() }
    }

    /// There was progress: what failed before does not count.
    pub(super) fn renew(&mut self) {
        *self = Self::new(self.settings, self.longest);
    }

    /// Counts a failure: the wait before the next try, or none when there were enough.
    pub(super) fn failed(&mut self, wished: Option<Duration>) -> Option<Duration> {
        self.retry.failed(wished).or_else(|| self.outlast(wished))
    }

    /// The wait after a failure for which the tries of the settings were made already.
    pub(super) fn outlast(&self, wished: Option<Duration>) -> Option<Duration> {
        let wait = wished.unwrap_or_default().min(self.longest).max(self.settings.wait_max);
        (self.since.elapsed() < self.longest).then_some(wait)
    }
}
