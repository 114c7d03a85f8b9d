//! When to try again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime};

use super::RetrySettings;

/// Longest wait that a server may ask for. One that asks for more is asked again after this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// Counts the tries of one request and says how long to wait before the next.
#[derive(Debug)]
pub struct Retry<'a> {
    settings: &'a RetrySettings,
    failures: u32,
}

impl<'a> Retry<'a> {
    /// No failure yet.
    pub fn new(settings: &'a RetrySettings) -> Self {
        Self { settings, failures: 0 }
    }

    /// Counts a failure: the wait before the next try, or none when there were enough.
    ///
    /// The server's own wish counts where there is one; else the wait doubles from `wait_min` to `wait_max`, and a
    /// random part of up to a half is taken off, so that many clients do not return at once.
    pub fn failed(&mut self, retry_after: Option<Duration>) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= self.settings.max_attempts {
            return None;
        }
        if let Some(wait) = retry_after {
            return Some(wait.min(RETRY_AFTER_MAX));
        }
        let doubled = 1_u32.checked_shl(self.failures - 1).unwrap_or(u32::MAX);
        let wait = self.settings.wait_min.saturating_mul(doubled).min(self.settings.wait_max);
        Some(wait.mul_f64(1.0 - random() / 2.0))
    }
}

/// From 0 up to 1. The standard library seeds its hashers at random, which is enough to spread clients.
fn random() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

/// Reads a `Retry-After`: seconds, or a date.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> RetrySettings {
        RetrySettings { max_attempts: 5, wait_min: Duration::from_secs(1), wait_max: Duration::from_secs(3) }
    }

    #[test]
    fn waits_double_up_to_the_longest_and_end() {
        let settings = settings();
        let mut retry = Retry::new(&settings);
        for longest in [1.0, 2.0, 3.0, 3.0] {
            let wait = retry.failed(None).unwrap().as_secs_f64();
            assert!((longest / 2.0..=longest).contains(&wait), "{wait} of {longest}");
        }
        assert_eq!(retry.failed(None), None);
    }

    #[test]
    fn the_servers_wish_counts_but_not_beyond_reason() {
        let settings = settings();
        let mut retry = Retry::new(&settings);
        assert_eq!(retry.failed(Some(Duration::from_secs(17))), Some(Duration::from_secs(17)));
        assert_eq!(retry.failed(Some(Duration::from_secs(86_400))), Some(RETRY_AFTER_MAX));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Tue, 24 Nov 2026 08:00:00 GMT").unwrap();
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Tue, 24 Nov 2026 08:00:30 GMT", now), Some(Duration::from_secs(30)));
        assert_eq!(retry_after("Tue, 24 Nov 2026 07:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }
}
