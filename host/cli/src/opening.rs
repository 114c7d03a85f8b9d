//! How a command opens a component: with the settings of its command line, and the host's own data.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use clap::Args;
use defenderbeat_collector::config::Inventory;
use defenderbeat_collector::lookup::{Data, Geoip};
use defenderbeat_runtime::{Component, Diagnostics, Engine, Feed, Level, Setup, State};
use serde_json::{Map, Value};

use crate::components;

#[derive(Args)]
pub(crate) struct Opening {
    /// Keeps each record in `event.original`.
    #[arg(long)]
    preserve_original_event: bool,
    /// Keeps own fields that an ECS field repeats.
    #[arg(long)]
    preserve_duplicate_custom_fields: bool,
    /// Adds a tag to each document.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// A file of settings that the component is opened with, a JSON object: rows and processors of a site, for example.
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// A folder of MaxMind databases, such as GeoLite2-City.mmdb and GeoLite2-ASN.mmdb, which tell where addresses are.
    #[arg(long, value_name = "DIR")]
    geoip: Option<PathBuf>,
    /// Remembers devices and files, and tells more about records that come later.
    #[arg(long)]
    inventory: bool,
    /// When the records were received, RFC 3339; the present where it is not given.
    #[arg(long, value_name = "TIME")]
    received_at: Option<DateTime<Utc>>,
    /// Another component than the one that is part of this program.
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
}

impl Opening {
    /// The component of a dataset.
    pub(crate) fn component(&self, engine: &Engine, dataset: &str) -> Result<Component> {
        components::load(engine, dataset, self.component.as_deref())
    }

    /// When the records were received, milliseconds since 1970.
    pub(crate) fn received_at(&self) -> i64 {
        self.received_at.unwrap_or_else(|| SystemTime::now().into()).timestamp_millis()
    }

    /// Whether the component is asked for what it keeps none of.
    pub(crate) fn has_inventory_in_vain(&self, feed: &Feed) -> bool {
        self.inventory && feed.state != State::Facts
    }

    /// How the component is opened; `feed` is its first.
    pub(crate) fn setup(&self, feed: &Feed) -> Result<Setup> {
        let geoip = self.geoip.as_deref().map(Geoip::find).transpose().context("--geoip")?;
        let lookup = Arc::new(Data::new(geoip.unwrap_or_default()));
        let settings = Value::Object(self.settings(feed)?).to_string();
        Ok(Setup::new(settings).with_lookup(lookup).with_diagnostics(Arc::new(Stderr)))
    }

    /// The settings of the file, with those of the command line.
    fn settings(&self, feed: &Feed) -> Result<Map<String, Value>> {
        let mut settings = match &self.settings {
            None => Map::new(),
            Some(file) => {
                let shown = || format!("--settings {}", file.display());
                let text = std::fs::read_to_string(file).with_context(shown)?;
                serde_json::from_str(&text).with_context(|| format!("{} is no JSON object", shown()))?
            }
        };
        for (switch, set) in [
            ("preserve_original_event", self.preserve_original_event),
            ("preserve_duplicate_custom_fields", self.preserve_duplicate_custom_fields),
        ] {
            if set {
                settings.insert(switch.to_owned(), Value::Bool(true));
            }
        }
        let more = self.tags.iter().map(|tag| Value::from(tag.as_str()));
        // Of what is no list the component says what is wrong.
        if let Value::Array(tags) = settings.entry("tags").or_insert_with(|| Value::Array(Vec::new())) {
            tags.extend(more);
        }
        if feed.state == State::Facts && (self.inventory || !settings.contains_key("inventory")) {
            let inventory = if self.inventory { Inventory::default() } else { Inventory::Off };
            settings.insert("inventory".to_owned(), serde_json::to_value(inventory)?);
        }
        Ok(settings)
    }
}

/// What a guest says goes where the summary goes.
struct Stderr;

impl Diagnostics for Stderr {
    fn report(&self, _: Level, message: &str) {
        eprintln!("component: {message}");
    }
}
