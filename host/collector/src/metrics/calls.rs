//! What workers are at: how long each has been in a component without a sign of life.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Metrics;

/// Calls of components that are under way. A call has a deadline and a batch a bounded number of calls, so one that gives no
/// document for very long is a defect of this program.
#[derive(Debug, Default)]
pub struct Calls {
    next: AtomicU64,
    began: Mutex<BTreeMap<u64, Instant>>,
}

impl Calls {
    fn began(&self) -> MutexGuard<'_, BTreeMap<u64, Instant>> {
        self.began.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the call has lasted that has given no sign of life for longest.
    pub fn longest(&self) -> Option<Duration> {
        self.began().values().map(Instant::elapsed).max()
    }
}

/// One call, as long as this lives; the time counts as the component's.
#[derive(Debug)]
pub struct Call<'a> {
    metrics: &'a Metrics,
    number: u64,
}

impl<'a> Call<'a> {
    /// Begins.
    pub fn begin(metrics: &'a Metrics) -> Self {
        let number = metrics.calls.next.fetch_add(1, Ordering::Relaxed);
        let call = Self { metrics, number };
        call.resume();
        call
    }

    /// Does something that is not the component's, such as waiting for the output.
    pub fn outside<T>(&self, work: impl FnOnce() -> T) -> T {
        self.pause();
        let done = work();
        self.resume();
        done
    }

    fn pause(&self) {
        if let Some(began) = self.metrics.calls.began().remove(&self.number) {
            self.metrics.component_time.add(began.elapsed());
        }
    }

    fn resume(&self) {
        self.metrics.calls.began().insert(self.number, Instant::now());
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.pause();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_the_components_does_not_count() {
        let metrics = Metrics::default();
        assert_eq!(metrics.calls.longest(), None);
        let call = Call::begin(&metrics);
        assert!(metrics.calls.longest().is_some());
        call.outside(|| assert_eq!(metrics.calls.longest(), None));
        assert!(metrics.calls.longest().is_some());
        drop(call);
        assert_eq!(metrics.calls.longest(), None);
    }
}
