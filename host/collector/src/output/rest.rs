//! Servers that fail rest, the longer the more often they fail in a row; others are used meanwhile.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::lock;
use crate::http::{Retry, RetrySettings};

/// Whether a server rests.
#[derive(Debug, Default)]
pub(super) struct Rest(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Failures in a row.
    failures: u32,
    /// When its rest ends.
    until: Option<Instant>,
}

impl Rest {
    /// Lets the server rest; how long.
    pub(super) fn failed(&self, settings: &RetrySettings) -> Duration {
        let mut state = lock(&self.0);
        let mut retry = Retry::new(settings);
        let mut wait = None;
        for _ in 0..=state.failures.min(30) {
            wait = retry.failed(None);
        }
        state.failures = state.failures.saturating_add(1);
        state.until = wait.map(|wait| Instant::now() + wait);
        wait.unwrap_or_default()
    }

    /// Notes that the server answers; whether it had failed.
    pub(super) fn answered(&self) -> bool {
        std::mem::take(&mut *lock(&self.0)).failures > 0
    }

    fn until(&self, now: Instant) -> Option<Instant> {
        lock(&self.0).until.filter(|until| *until > now)
    }
}

/// The servers to try, one after the other: those that do not rest, beginning with the one whose turn it is; where all rest, the one
/// that has rested longest.
pub(super) fn awake<T>(hosts: &[T], turn: usize, rest: impl Fn(&T) -> &Rest) -> Vec<&T> {
    let (before, from) = hosts.split_at(turn % hosts.len().max(1));
    let now = Instant::now();
    let until = |host: &&T| rest(host).until(now);
    let all = || from.iter().chain(before);
    let awake: Vec<&T> = all().filter(|host| until(host).is_none()).collect();
    if awake.is_empty() { all().min_by_key(until).into_iter().collect() } else { awake }
}
