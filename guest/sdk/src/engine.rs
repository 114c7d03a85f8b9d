//! Between the mapping engine and the contract: what every guest with an engine needs.

use std::cell::RefCell;

use defenderbeat_mapping::{Engine, Lookup, Malformed, Mapped, Settings};

use crate::documents::{Documents, Meta};
use crate::guest::{Fate, Outcome, Record, SettingsError};
use crate::receipt::Code;

/// Reads the settings of a pipeline.
///
/// # Errors
///
/// Names the key at fault.
pub fn settings(json: &str) -> Result<Settings, SettingsError> {
    Settings::parse(json).map_err(|error| SettingsError { path: error.path, message: error.message })
}

/// Maps a record to one document of the first route.
pub fn map(engine: &mut Engine, record: &Record<'_>, out: &mut Documents<'_>) -> Outcome {
    map_as(engine, record, out, |id| id)
}

/// As [`map`], for a document with another identity than the table's, which is what `identity` is given.
pub fn map_as(
    engine: &mut Engine,
    record: &Record<'_>,
    out: &mut Documents<'_>,
    identity: impl FnOnce(u128) -> u128,
) -> Outcome {
    let mapped = map_with(engine, record, &HostLookup::new(out));
    commit(engine, mapped, out, identity)
}

/// Maps a record and commits nothing; `lookup` is asked in the place of the host.
///
/// # Errors
///
/// Only bytes that are no JSON object.
pub fn map_with(engine: &mut Engine, record: &Record<'_>, lookup: &dyn Lookup) -> Result<Mapped, Malformed> {
    match record.outline {
        Some(outline) => engine.map_outlined(record.bytes, outline, record.received_at, lookup),
        None => engine.map(record.bytes, record.received_at, lookup),
    }
}

/// As [`map`], for a record of which something is known to be wrong: `notes` come first in `error.message`.
pub fn map_noted(engine: &mut Engine, record: &Record<'_>, out: &mut Documents<'_>, notes: Vec<String>) -> Outcome {
    let mapped = engine.map_noted(record.bytes, record.received_at, &HostLookup::new(out), notes);
    commit(engine, mapped, out, |id| id)
}

/// What becomes of a record that is no JSON object.
pub fn malformed(error: &Malformed) -> Outcome {
    let fate = Fate::Rejected { code: Code::Malformed, path: String::new(), message: error.to_string() };
    Outcome { fate, position: 0 }
}

/// What became of a record that the engine just mapped: its document leaves with the identity that `identity` makes of
/// the table's.
pub fn commit(
    engine: &Engine,
    mapped: Result<Mapped, Malformed>,
    out: &mut Documents<'_>,
    identity: impl FnOnce(u128) -> u128,
) -> Outcome {
    let Mapped { id, time, position, dropped, drift } = match mapped {
        Ok(mapped) => mapped,
        Err(error) => return malformed(&error),
    };
    for name in &drift {
        out.drift(name, 1);
    }
    if dropped {
        return Outcome { fate: Fate::Dropped, position };
    }
    out.buffer().extend_from_slice(engine.document());
    out.commit(Meta { route: 0, id: identity(id), time, position });
    Outcome { fate: Fate::Mapped, position }
}

/// The longest record that the settings allow, in bytes.
pub fn max_record_size(engine: &Engine) -> usize {
    engine.max_record_size().unwrap_or(crate::DEFAULT_MAX_RECORD_SIZE)
}

/// Answers the engine's questions from the host's own data.
pub struct HostLookup<'a, 'd>(RefCell<&'a mut Documents<'d>>);

impl<'a, 'd> HostLookup<'a, 'd> {
    /// Asks through `out`.
    pub fn new(out: &'a mut Documents<'d>) -> Self {
        Self(RefCell::new(out))
    }
}

impl Lookup for HostLookup<'_, '_> {
    fn find(&self, kind: &str, key: &str) -> Option<String> {
        self.0.borrow_mut().lookup(kind, key)
    }
}
