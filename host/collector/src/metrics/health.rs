//! What fails, since when, and whether that is for long enough to be told.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The health of an input or an output, aspect by aspect: partitions of event hubs fail by themselves.
#[derive(Debug, Default)]
pub struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How long a failure may last before it is told.
    patience: Duration,
    failing: BTreeMap<String, Failure>,
    /// Why it has ended for good.
    ended: Option<String>,
}

#[derive(Debug)]
struct Failure {
    since: Instant,
    reason: String,
}

impl Health {
    /// Begins anew, with a time that failures may last.
    pub fn begin(&self, patience: Duration) {
        *self.state() = State { patience, ..State::default() };
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that an aspect fails.
    pub fn failed(&self, aspect: &str, reason: &impl fmt::Display) {
        let mut state = self.state();
        let since = state.failing.get(aspect).map_or_else(Instant::now, |failure| failure.since);
        state.failing.insert(aspect.to_owned(), Failure { since, reason: reason.to_string() });
    }

    /// Notes that an aspect works, or is none of it any more.
    pub fn works(&self, aspect: &str) {
        self.state().failing.remove(aspect);
    }

    /// Notes that all aspects but one are made anew.
    pub fn forget_all_but(&self, aspect: &str) {
        self.state().failing.retain(|name, _| name == aspect);
    }

    /// Notes that it has ended and will not go on by itself.
    pub fn ended(&self, reason: &impl fmt::Display) {
        self.state().ended = Some(reason.to_string());
    }

    /// Why it is not as it should be; nothing where it is.
    pub fn reasons(&self) -> Vec<String> {
        let state = self.state();
        let ended = state.ended.iter().map(|reason| format!("has ended: {reason}"));
        let failing = state.failing.iter().filter(|(_, failure)| failure.since.elapsed() >= state.patience);
        let failing = failing.map(|(aspect, Failure { since, reason })| {
            format!("has failed for {}s ({aspect}): {reason}", since.elapsed().as_secs())
        });
        ended.chain(failing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_once_it_has_lasted_and_until_it_is_over() {
        let health = Health::default();
        health.begin(Duration::from_secs(3600));
        health.failed("reading", &"no answer");
        assert!(health.reasons().is_empty());
        let health = Health::default();
        health.failed("partition 1", &"no right");
        health.failed("reading", &"no answer");
        health.failed("reading", &"still no answer");
        let reasons = ["has failed for 0s (partition 1): no right", "has failed for 0s (reading): still no answer"];
        assert_eq!(health.reasons(), reasons);
        health.works("partition 1");
        assert_eq!(health.reasons(), reasons[1..]);
        health.works("reading");
        assert!(health.reasons().is_empty());
        health.failed("partition 1", &"no right");
        health.failed("running", &"broken");
        health.forget_all_but("running");
        assert_eq!(health.reasons(), ["has failed for 0s (running): broken"]);
        health.works("running");
        health.ended(&"gone");
        assert_eq!(health.reasons(), ["has ended: gone"]);
    }
}
