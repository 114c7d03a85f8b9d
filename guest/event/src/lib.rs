//! The event component: advanced-hunting events of the Streaming API to documents of the data stream
//! `m365_defender.event`. What maps to what is in `pipelines/event`, a file a family of tables.

use std::borrow::Cow;

use defenderbeat_mapping::Engine;
use defenderbeat_records::{member, plain_length};
use defenderbeat_sdk::engine::{self, HostLookup};
use defenderbeat_sdk::{Descriptor, Documents, Feed, Guest, Outcome, Record, SettingsError, State};

mod functions;
mod inventory;
mod tables {
    #![allow(missing_docs, unreachable_pub, reason = "generated from pipelines/event")]
    include!(concat!(env!("OUT_DIR"), "/event.rs"));
}

use functions::table::{Family, of_category};
use inventory::{Inventory, Known};

/// Maps events, one document each.
pub struct Event {
    alert: Engine,
    app: Engine,
    device: Engine,
    email: Engine,
    other: Engine,
    inventory: Inventory,
}

impl Guest for Event {
    const DESCRIPTOR: Descriptor = Descriptor {
        name: "event",
        version: env!("CARGO_PKG_VERSION"),
        ecs_version: tables::device::TABLE.ecs,
        tables: tables::DIGEST,
        feeds: &[Feed { name: "events", keys: &["records", "value"], state: State::Facts }],
        routes: &[tables::device::TABLE.dataset],
    };

    fn open(settings: &str) -> Result<Self, SettingsError> {
        let (settings, inventory) = inventory::settings(settings)?;
        let open = |table| Ok::<_, SettingsError>(Engine::new(table, engine::settings(&settings)?));
        Ok(Self {
            alert: open(&tables::alert::TABLE)?,
            app: open(&tables::app::TABLE)?,
            device: open(&tables::device::TABLE)?,
            email: open(&tables::email::TABLE)?,
            other: open(&tables::other::TABLE)?,
            inventory,
        })
    }

    fn map(&mut self, record: &Record<'_>, out: &mut Documents<'_>) -> Outcome {
        let category = category(record);
        let table = of_category(&category);
        let engine = match table {
            Some((_, Family::Alert)) => &mut self.alert,
            Some((_, Family::App)) => &mut self.app,
            Some((_, Family::Device)) => &mut self.device,
            Some((_, Family::Email)) => &mut self.email,
            None => &mut self.other,
        };
        let mut mapped = {
            let host = HostLookup::new(out);
            engine::map_with(engine, record, &Known { inventory: &self.inventory, host: &host })
        };
        if let Ok(mapped) = &mut mapped {
            match table {
                Some((table, _)) => {
                    for name in &mut mapped.drift {
                        if let Some(column) = name.strip_prefix("properties.") {
                            *name = format!("{table}.{column}");
                        }
                    }
                }
                // A table that is not known drifts as one, not column by column.
                None => mapped.drift = vec![category.into_owned()],
            }
            if let Some(fact) = table.and_then(|(table, _)| self.inventory.fact(table, record.bytes)) {
                out.facts(fact.as_bytes());
            }
        }
        engine::commit(engine, mapped, out, |id| id)
    }

    fn learn(&mut self, facts: &[u8]) {
        self.inventory.learn(facts);
    }

    fn facts(&self) -> Vec<u8> {
        self.inventory.facts().into_bytes()
    }

    fn max_record_size(&self) -> usize {
        engine::max_record_size(&self.device)
    }
}

/// The category of a record; empty where it has none that is text.
fn category<'a>(record: &Record<'a>) -> Cow<'a, str> {
    let raw = record.outline.and_then(|outline| outline.value(record.bytes, "category"));
    let Some(raw) = raw.or_else(|| member(record.bytes, "category")) else { return Cow::default() };
    let inner = raw.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    match inner.filter(|inner| plain_length(inner) == inner.len()).and_then(|inner| std::str::from_utf8(inner).ok()) {
        Some(plain) => Cow::Borrowed(plain),
        None => serde_json::from_slice(raw).unwrap_or_default(),
    }
}

defenderbeat_sdk::export!(Event);
