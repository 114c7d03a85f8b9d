//! How fast a number grows.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What the rate is an average of.
const WINDOW: Duration = Duration::from_secs(60);

/// A number as it was in the last minute.
#[derive(Debug, Default)]
pub(crate) struct Rate(Mutex<VecDeque<(Instant, u64)>>);

impl Rate {
    /// Takes the number as it is now; gives how much it grows a second. Nothing where nothing is known before.
    pub(crate) fn observe(&self, now: Instant, number: u64) -> Option<f64> {
        let mut past = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while past.get(1).is_some_and(|(then, _)| now.duration_since(*then) >= WINDOW) {
            past.pop_front();
        }
        let rate = past.front().and_then(|(then, before)| {
            let seconds = now.duration_since(*then).as_secs_f64();
            (seconds > 0.0).then(|| number.saturating_sub(*before) as f64 / seconds)
        });
        past.push_back((now, number));
        rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_minute() {
        let (rate, began) = (Rate::default(), Instant::now());
        let at = |seconds| began + Duration::from_secs(seconds);
        assert_eq!(rate.observe(at(0), 1000), None);
        assert_eq!(rate.observe(at(10), 1050), Some(5.0));
        assert_eq!(rate.observe(at(60), 1600), Some(10.0));
        assert_eq!(rate.observe(at(70), 1650), Some(10.0));
        assert_eq!(rate.observe(at(1000), 1650), Some(0.0));
    }
}
