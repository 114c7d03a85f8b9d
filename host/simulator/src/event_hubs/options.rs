//! What an Event Hubs namespace holds and how it behaves. Each option is a field here and a flag of the command.

use clap::Args;

/// The consumer group that every event hub has.
pub(crate) const DEFAULT_GROUP: &str = "$Default";
/// The rights and the name of the key of a connection string, as a new namespace has them.
const KEY_NAME: &str = "RootManageSharedAccessKey";

/// An Event Hubs namespace.
#[derive(Args, Clone, PartialEq)]
#[command(next_help_heading = "Event Hubs")]
pub struct EventHubsOptions {
    /// TCP port of Event Hubs on 127.0.0.1; 0 takes a free one.
    #[arg(id = "event_hubs_port", long = "event-hubs-port", default_value_t = 0, value_name = "PORT")]
    pub port: u16,
    /// Names of the event hubs, separated by commas.
    #[arg(
        id = "event_hubs",
        long = "event-hubs",
        value_delimiter = ',',
        default_values_t = EventHubsOptions::default().hubs,
        value_name = "NAMES"
    )]
    pub hubs: Vec<String>,
    /// Partitions of each event hub.
    #[arg(long, default_value_t = EventHubsOptions::default().partitions, value_name = "N")]
    pub partitions: u32,
    /// Consumer groups of each event hub besides $Default, separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub consumer_groups: Vec<String>,
    /// Number of records of the event stream in each event hub. An event hub whose name ends with a hyphen and the name of
    /// a table, as insights-logs-advancedhunting-deviceinfo does, has records of that table only.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub events: u64,
    /// They come at this rate; without it, they are there from the start.
    #[arg(long, value_name = "RATE")]
    pub events_per_second: Option<f64>,
    /// Records in a message; 350 are about 1 MB.
    #[arg(long, default_value_t = EventHubsOptions::default().records_per_message, value_name = "N")]
    pub records_per_message: u64,
    /// Name of the key in the connection string.
    #[arg(long, default_value_t = EventHubsOptions::default().key_name, value_name = "NAME")]
    pub key_name: String,
    /// The key. It is no flag, because process lists show flags; the command uses the default.
    #[arg(skip = EventHubsOptions::default().key)]
    pub key: String,
    /// A connection ends without a word once it has carried so many messages to receivers; 0 is never.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub drop_connection_after: u64,
    /// The part of all links to event hubs that are refused with com.microsoft:server-busy, from 0 to 1.
    #[arg(long, default_value_t = 0.0, value_name = "RATE", value_parser = crate::options::rate)]
    pub links_refused: f64,
    /// The part of all tokens that are refused with 401, from 0 to 1.
    #[arg(long, default_value_t = 0.0, value_name = "RATE", value_parser = crate::options::rate)]
    pub tokens_refused: f64,
}

impl Default for EventHubsOptions {
    fn default() -> Self {
        Self {
            port: 0,
            hubs: vec!["defender".into()],
            partitions: 4,
            consumer_groups: Vec::new(),
            events: 0,
            events_per_second: None,
            records_per_message: 50,
            key_name: KEY_NAME.into(),
            key: "c2ltdWxhdGVkLWtleQ==".into(),
            drop_connection_after: 0,
            links_refused: 0.0,
            tokens_refused: 0.0,
        }
    }
}

impl EventHubsOptions {
    /// Refuses what contradicts itself; says what and why.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.partitions == 0 || self.partitions > 1024 {
            return Err(format!("partitions ({}) must be from 1 to 1024", self.partitions));
        }
        if let Some(name) = self.hubs.iter().chain(&self.consumer_groups).find(|name| !is_name(name)) {
            return Err(format!("'{name}' is no name of an event hub or consumer group"));
        }
        if self.records_per_message == 0 {
            return Err("records_per_message must be at least 1".to_owned());
        }
        if self.events_per_second.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return Err("events_per_second must be above 0".to_owned());
        }
        if [self.links_refused, self.tokens_refused].iter().any(|rate| !(0.0..=1.0).contains(rate)) {
            return Err("links_refused and tokens_refused must be from 0 to 1".to_owned());
        }
        Ok(())
    }
}

/// Letters, digits, periods, hyphens and underscores; `$` for `$Default`.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_$".contains(&byte))
}

impl std::fmt::Debug for EventHubsOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventHubsOptions")
            .field("port", &self.port)
            .field("hubs", &self.hubs)
            .field("partitions", &self.partitions)
            .field("consumer_groups", &self.consumer_groups)
            .field("events", &self.events)
            .field("events_per_second", &self.events_per_second)
            .field("records_per_message", &self.records_per_message)
            .field("key_name", &self.key_name)
            .field("key", &"[redacted]")
            .field("drop_connection_after", &self.drop_connection_after)
            .field("links_refused", &self.links_refused)
            .field("tokens_refused", &self.tokens_refused)
            .finish()
    }
}
