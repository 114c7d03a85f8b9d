//! Which records there are.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;

use super::table::Table;
use crate::options::{AccessOptions, rate};

/// The records of the event stream.
#[derive(Args, Clone, Debug, PartialEq)]
#[command(next_help_heading = "Events")]
pub struct EventOptions {
    /// What they are drawn from.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Number of records; without it there is no end.
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// When the first is published, as RFC 3339.
    #[arg(long, default_value_t = EventOptions::default().start, value_name = "TIME")]
    pub start: DateTime<Utc>,
    /// Time between one and the next, a day at most.
    #[arg(long, default_value = "5ms", value_parser = humantime::parse_duration, value_name = "TIME")]
    pub spacing: Duration,
    /// Only records of this table, in any case of letters; can be given several times. Without it: all tables.
    #[arg(long = "table", value_name = "TABLE")]
    pub tables: Vec<Table>,
    /// Number of devices that they come from.
    #[arg(long, default_value_t = EventOptions::default().devices, value_name = "N")]
    pub devices: usize,
    /// So many of them are sent again later, with the same columns and a newer time.
    #[arg(long, default_value_t = 0.0, value_name = "RATE", value_parser = rate)]
    pub repeated: f64,
    /// Id of the tenant.
    #[arg(long, default_value_t = AccessOptions::default().tenant_id, value_name = "GUID")]
    pub tenant_id: String,
}

impl Default for EventOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            count: None,
            // 2025-06-01T12:00:00Z, as good as any.
            start: DateTime::from_timestamp(1_748_779_200, 0).unwrap_or_default(),
            spacing: Duration::from_millis(5),
            tables: Vec::new(),
            devices: 400,
            repeated: 0.0,
            tenant_id: AccessOptions::default().tenant_id,
        }
    }
}
