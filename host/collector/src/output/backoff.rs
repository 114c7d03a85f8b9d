//! When what was not taken is sent again.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::{in_order, units};
use crate::http::{Error, RetrySettings};

/// When documents that were not taken are sent again, and how long a host that failed rests.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct Backoff {
    /// The wait after the first failure; it doubles with each further one, and a random part of up to a half is taken off.
    #[serde(with = "units::Time")]
    pub init: Duration,
    /// The longest wait that is chosen here. A longer `Retry-After` of the server is heeded.
    #[serde(with = "units::Time")]
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { init: Duration::from_secs(1), max: Duration::from_secs(60) }
    }
}

impl Backoff {
    /// What can be told to be wrong without asking anybody.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.init > self.max {
            let message = "must not be longer than backoff.max".into();
            return Err(Error::Settings { option: "backoff.init", message });
        }
        Ok(())
    }

    /// Tries without end.
    pub(super) fn retry(&self) -> RetrySettings {
        RetrySettings { max_attempts: u32::MAX, wait_min: self.init, wait_max: self.max }
    }
}
