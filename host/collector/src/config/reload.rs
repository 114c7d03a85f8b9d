//! The options `config`: when the file is read again.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::schema::in_order;
use super::{Config, units};

/// Options of this file itself.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub(super) struct ConfigOptions {
    pub(super) reload: ReloadOptions,
}

/// When the file is read again while the process runs: inputs that changed are stopped and started, others run on. What is changed outside
/// of `inputs` and `processors` takes a restart. A SIGHUP reads it again in any case.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct ReloadOptions {
    /// Whether it is when it changes.
    pub enabled: bool,

    /// How often it is looked whether it has changed.
    #[serde(with = "units::Time")]
    pub period: Duration,
}

impl Default for ReloadOptions {
    fn default() -> Self {
        Self { enabled: false, period: Duration::from_secs(10) }
    }
}

impl Config {
    /// Options outside of the inputs that are other than in `other`; they count from the next start on.
    pub(crate) fn differences(&self, other: &Self) -> Vec<&'static str> {
        let differ = [
            ("name", self.name != other.name),
            ("output", self.output != other.output),
            ("coordination", self.coordination != other.coordination),
            ("path.data", self.data_path != other.data_path),
            (
                "dead_letter",
                (&self.dead_letter_path, self.dead_letter_cap) != (&other.dead_letter_path, other.dead_letter_cap),
            ),
            ("geoip", self.geoip != other.geoip),
            ("logging", self.logging != other.logging),
            ("http", self.http != other.http),
            ("seccomp", self.seccomp != other.seccomp),
            ("config.reload", self.reload != other.reload),
            ("shutdown_timeout", self.shutdown_timeout != other.shutdown_timeout),
        ];
        differ.into_iter().filter(|(_, differs)| *differs).map(|(option, _)| option).collect()
    }
}
