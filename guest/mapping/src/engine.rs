//! One record to one document.

use std::collections::BTreeMap;

use defenderbeat_records::Outline;
use serde_json::value::RawValue;

use crate::arena::Arena;
use crate::args::Lookup;
use crate::explain::Fields;
use crate::flat;
use crate::identity::{Identity, hash};
use crate::kept::{Kept, forget_repeats, write_kept};
use crate::processors;
use crate::raw::Queried;
use crate::record::{Record, Room};
use crate::settings::{PRESERVE_ORIGINAL, Settings};
use crate::table::{Accumulator, From, NONE, OnError, Output, Table};
use crate::text::Text;
use crate::time::{self, Ticks};
use crate::trace::Trace;
use crate::value::Value;
use crate::values::{Numbers, Values};
use crate::walk::ScopeReader;
use crate::write::{self, ObjectWriter};

mod builtins;
mod explain;
mod join;

pub use join::Reading;

use builtins::Builtins;
use join::{Joined, Sides};

/// Value of `event.kind` for documents about a failure.
const PIPELINE_ERROR: &str = "pipeline_error";

/// A table with settings: maps records.
pub struct Engine {
    table: &'static Table,
    settings: Settings,
    presets: Presets,
    document: Text,
    room: Room,
    arena: Arena,
    /// What a record without a time of its own has for it.
    sync_start: Option<Ticks>,
    sides: Sides,
    /// Outputs that the settings let be written, as a bit set.
    shown: Vec<u64>,
}

/// The times that a document has whatever its record says.
#[derive(Clone, Copy)]
struct Times {
    /// `@timestamp`
    event: Ticks,
    /// `event.ingested`, milliseconds since 1970.
    received: i64,
}

/// Fields that are the same in every document, as JSON text.
struct Presets {
    agent: String,
    dataset: String,
    module: String,
    namespace: String,
    ecs: String,
    tags: String,
    tags_on_error: String,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The document's identity; settings never change it.
    pub id: u128,
    /// `@timestamp` in milliseconds since 1970.
    pub time: i64,
    /// Position in the source's order, in 100 ns ticks since 1970; 0 where there is none.
    pub position: u64,
    /// Whether a processor dropped the document.
    pub dropped: bool,
    /// Names in the record that the table does not know.
    pub drift: Vec<String>,
}

/// Bytes that are no JSON object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

impl Engine {
    /// An engine for a table. Settings are those of the pipeline, whatever their table.
    pub fn new(table: &'static Table, settings: Settings) -> Self {
        let json = |text: &str| {
            let mut json = Text::default();
            write::string(text, &mut json);
            json.into_string()
        };
        let tags = |extra: Option<&str>| {
            let all =
                settings.tags.iter().map(String::as_str).chain(extra.filter(|_| !settings.preserve_original_event));
            let values: Vec<Value<'_>> = all.map(Value::Text).collect();
            let mut json = Text::default();
            write::list(&values, &mut json);
            json.into_string()
        };
        let mut agent = Text::default();
        if let Some(raw) = &settings.agent {
            write::json(raw.get(), &mut agent);
        }
        let presets = Presets {
            agent: agent.into_string(),
            dataset: json(table.dataset),
            module: json(table.module),
            namespace: json(settings.namespace.as_deref().unwrap_or("default")),
            ecs: json(table.ecs),
            tags: tags(None),
            tags_on_error: tags(Some(PRESERVE_ORIGINAL)),
        };
        let sync_start = settings.sync_start.as_deref().and_then(time::parse);
        let sides = Sides::new(table, settings.preserve_duplicate_custom_fields);
        let (document, room, arena) = (Text::default(), Room::default(), Arena::default());
        let shown = shown(table.scope.outputs, settings.preserve_duplicate_custom_fields);
        Self { table, settings, presets, document, room, arena, sync_start, sides, shown }
    }

    /// When the sync began that records belong to, which is the time of a record that has none: the setting
    /// `sync_start`, else `received_at`. Milliseconds since 1970.
    pub fn sync_start(&self, received_at: i64) -> i64 {
        self.sync_start.map_or(received_at, time::to_millis)
    }

    /// Begins a sync: where the setting `sync_start` does not say when, it is at `received_at`.
    pub fn begin_sync(&mut self, received_at: i64) {
        self.sync_start.get_or_insert(time::from_millis(received_at));
    }

    /// Maps one record that was received at `received_at` (milliseconds since 1970); [`document`](Self::document) is
    /// the result.
    ///
    /// # Errors
    ///
    /// Only bytes that are no JSON object. Whatever else cannot be mapped is named in the
    /// document's `error.message`, and its raw value is kept under `unmapped`.
    pub fn map(&mut self, record: &[u8], received_at: i64, lookup: &dyn Lookup) -> Result<Mapped, Malformed> {
        self.map_record(record, &Outline::default(), received_at, lookup, Vec::new())
    }

    /// As [`map`](Self::map), for a record whose members are listed already.
    ///
    /// # Errors
    ///
    /// Only bytes that are no JSON object.
    pub fn map_outlined(
        &mut self,
        record: &[u8],
        outline: &Outline,
        received_at: i64,
        lookup: &dyn Lookup,
    ) -> Result<Mapped, Malformed> {
        self.map_record(record, outline, received_at, lookup, Vec::new())
    }

    /// As [`map`](Self::map), for a record of which something is known to be wrong: `notes` come first in the document's
    /// `error.message`.
    ///
    /// # Errors
    ///
    /// Only bytes that are no JSON object.
    pub fn map_noted(
        &mut self,
        record: &[u8],
        received_at: i64,
        lookup: &dyn Lookup,
        notes: Vec<String>,
    ) -> Result<Mapped, Malformed> {
        self.map_record(record, &Outline::default(), received_at, lookup, notes)
    }

    fn map_record(
        &mut self,
        record: &[u8],
        outline: &Outline,
        received_at: i64,
        lookup: &dyn Lookup,
        notes: Vec<String>,
    ) -> Result<Mapped, Malformed> {
        let mut arena = std::mem::take(&mut self.arena);
        let mapped = self.map_within(&arena, record, outline, received_at, lookup, notes);
        arena.reset();
        self.arena = arena;
        mapped
    }

    fn map_within(
        &mut self,
        arena: &Arena,
        record: &[u8],
        outline: &Outline,
        received_at: i64,
        lookup: &dyn Lookup,
        notes: Vec<String>,
    ) -> Result<Mapped, Malformed> {
        self.document.clear();
        let json = object(record)?;
        let table = self.table;
        let mut kept: Vec<Kept<'_>> = Vec::new();
        let (mut state, mut values) = self.read(0, json, outline, &mut kept, lookup, arena)?;
        state.errors.splice(..0, notes);
        state.forget_labels();
        forget_repeats(&mut kept);
        if !table.json_paths.is_empty() {
            let queried = Queried::new(json);
            for (path, slot) in table.json_paths {
                let selected: Vec<Value<'_>> = queried.select(path).into_iter().map(Value::from_json).collect();
                if !selected.is_empty() {
                    values.set(*slot, Value::List(arena.list(&selected)));
                }
            }
        }

        let value = |slot: u16| values.get(slot);
        let own_id = match table.identity_members {
            NONE => table.identity.first().is_some_and(|slot| !value(*slot).is_missing()),
            _ => state.members.is_some(),
        };
        if !own_id && let Some(error) = failure(json) {
            return Ok(self.write_failure(json, &error, received_at));
        }
        let id = if own_id {
            arena.identity(|identity| {
                for (number, slot) in (0..).zip(table.identity) {
                    if let Some(text) = value(*slot).text() {
                        identity.add(number, &text);
                    }
                }
                if let Some(members) = state.members {
                    identity.add_members(members);
                }
            })
        } else {
            hash(record)
        };
        let instant = |slot: u16| value(slot).string().and_then(|text| time::parse(&text));
        let timestamp =
            table.time.iter().find_map(|slot| instant(*slot)).unwrap_or_else(|| self.default_time(received_at));
        let position = instant(table.position).and_then(|ticks| u64::try_from(ticks).ok()).unwrap_or(0);

        values.set(table.timestamp, Value::Time(timestamp));
        state.compute(&table.scope, &mut values);
        self.settle(&mut state, &mut values);
        let times = Times { event: timestamp, received: received_at };
        self.write(json, &values, &kept, &mut state, times, Joined::default());
        let dropped = match state.trace.take() {
            None => !self.process(json, None),
            Some(trace) => !self.explain(json, *trace, &values, &state.unmapped),
        };
        let drift = std::mem::take(&mut state.drift);
        self.room = state.end(values);
        Ok(Mapped { id, time: time::to_millis(timestamp), position, dropped, drift })
    }

    fn default_time(&self, received_at: i64) -> Ticks {
        self.sync_start.unwrap_or(time::from_millis(received_at))
    }

    /// What follows from all cells: sorted lists, and what errors do to `event.kind`.
    fn settle<'r>(&self, state: &mut Record<'_, 'r>, values: &mut Values<'r>) {
        let table = self.table;
        for (gathered, mode) in state.gathered.iter_mut().zip(table.accumulators) {
            if *mode == Accumulator::Sorted {
                gathered.sort();
            }
        }
        if !state.errors.is_empty() {
            let error = Value::Text(PIPELINE_ERROR);
            match if state.failed { OnError::Replace } else { table.on_error } {
                OnError::Keep => {}
                OnError::Append => {
                    let kinds = [values.get(table.kind), error];
                    values.set(table.kind, Value::List(state.arena.list(&kinds)));
                }
                OnError::Replace => values.set(table.kind, error),
            }
        }
    }

    /// Reads JSON text as the object of a node.
    fn read<'t, 'r>(
        &mut self,
        node: u16,
        json: &'r str,
        outline: &Outline,
        kept: &mut Vec<Kept<'r>>,
        lookup: &'t dyn Lookup,
        arena: &'r Arena,
    ) -> Result<(Record<'t, 'r>, Values<'r>), Malformed> {
        let (table, duplicates) = (self.table, self.settings.preserve_duplicate_custom_fields);
        let scope = &table.scope;
        let trace = || self.settings.explain.then(|| Box::new(Trace::new(table)));
        let (mut record, mut values) = Record::begin(table, lookup, arena, duplicates, std::mem::take(&mut self.room));
        record.trace = trace();
        let mut reader = ScopeReader { scope, values: &mut values, kept, record: &mut record };
        if reader.read(node, json, outline).is_err() {
            let members = flat::members(json).map_err(|error| Malformed(format!("is not JSON: {error}")))?;
            (record, values) = Record::begin(table, lookup, arena, duplicates, Room::default());
            record.trace = trace();
            kept.clear();
            ScopeReader { scope, values: &mut values, kept, record: &mut record }.read_flat(node, members);
        }
        Ok((record, values))
    }

    fn write(
        &mut self,
        json: &str,
        values: &Values<'_>,
        kept: &[Kept<'_>],
        state: &mut Record<'_, '_>,
        times: Times,
        mut joined: Joined<'_>,
    ) {
        let table = self.table;
        let failed = state.failed || (!state.errors.is_empty() && table.preserve_original_on_error);
        let presets = &self.presets;
        let original = self.settings.preserve_original_event || failed;
        let mut writer = ObjectWriter::new(&mut self.document, table.scope.objects);
        let mut numbers = Numbers::new(table.scope.outputs.len(), table.scope.outputs_always);
        numbers.gather(values.touched(), table.scope.outputs_of);
        numbers.retain(Some(&self.shown));
        numbers.retain(joined.outputs.as_deref());
        for number in numbers {
            let Some(output) = table.scope.outputs.get(usize::from(number)) else { break };
            joined.write_before(number, &mut writer);
            match output.from {
                From::Value(value) => {
                    let value = values.get(value);
                    if !value.is_missing() {
                        writer.field(output.object, &output.key, |out| write::value(&value, out));
                    }
                }
                From::First(all) => {
                    writer.field(output.object, &output.key, |out| write::value(&values.first(all), out));
                }
                From::Accumulator(accumulator) => {
                    let values =
                        state.gathered.get(usize::from(accumulator)).map_or(&[][..], |gathered| &gathered.values);
                    if !values.is_empty() {
                        writer.field(output.object, &output.key, |out| write::list(values, out));
                    }
                }
                From::Rest => write_kept(kept, output.object, &mut writer),
                From::Builtin(builtin) => {
                    let builtins = Builtins { json, presets, state, times, original, failed };
                    writer.field(output.object, &output.key, |out| builtins.write(builtin, out));
                }
            }
        }
        joined.write_before(NONE, &mut writer);
        writer.end();
    }

    /// Applies rows and processors of the settings; false where the document is dropped. `explained` learns what they
    /// change.
    fn process(&mut self, record: &str, explained: Option<&mut Fields>) -> bool {
        let Settings { rows, processors, .. } = &self.settings;
        let kept = (rows.is_empty() && processors.is_empty()) || {
            let mut document = std::mem::take(&mut self.document).into_string();
            let kept = processors::apply(rows, processors, record, &mut document, explained);
            self.document = Text::from(document);
            kept
        };
        if kept {
            self.document.push('\n');
        } else {
            self.document.clear();
        }
        kept
    }

    /// Writes the document of a failed collection cycle, which the host hands over as `{"error":{..}}`. Its identity
    /// also holds the time, because the same failure may come again.
    fn write_failure(&mut self, json: &str, error: &BTreeMap<String, &RawValue>, received_at: i64) -> Mapped {
        let time = Value::Time(time::from_millis(received_at)).to_json().unwrap_or_default();
        let mut original = Text::default();
        if self.settings.preserve_original_event {
            write::string(json, &mut original);
        }
        let member = |name: &str| {
            let value = error.get(name).map_or(Value::Missing, |raw| Value::from_json(raw.get()));
            Value::from_text(&value.text().unwrap_or_default()).to_json().unwrap_or_default()
        };
        let presets = &self.presets;
        let original = original.into_string();
        self.document = Text::from(processors::document(&[
            ("@timestamp", &time),
            ("agent", &presets.agent),
            ("data_stream.dataset", &presets.dataset),
            ("data_stream.namespace", &presets.namespace),
            ("data_stream.type", "\"logs\""),
            ("ecs.version", &presets.ecs),
            ("error.code", &member("code")),
            ("error.id", &member("id")),
            ("error.message", &member("message")),
            ("event.dataset", &presets.dataset),
            ("event.ingested", &time),
            ("event.kind", "\"pipeline_error\""),
            ("event.module", &presets.module),
            ("event.original", &original),
            ("tags", &presets.tags),
        ]));
        let dropped = !if self.settings.explain { self.explain_failure(json) } else { self.process(json, None) };
        let mut identity = Identity::default();
        identity.add(0, json);
        identity.add(1, &time);
        Mapped { id: identity.finish(), time: received_at, position: 0, dropped, drift: Vec::new() }
    }

    /// The document of the record mapped last, UTF-8 with a line feed; empty where it was dropped or malformed.
    pub fn document(&self) -> &[u8] {
        self.document.as_bytes()
    }

    /// The longest record that the settings allow, in bytes.
    pub fn max_record_size(&self) -> Option<usize> {
        self.settings.max_record_size
    }

    /// Digest of the table.
    pub fn digest(&self) -> &'static str {
        self.table.digest
    }
}

/// The outputs that are written, as a bit set: those that repeat an ECS field only where duplicates are preserved.
fn shown(outputs: &[Output], duplicates: bool) -> Vec<u64> {
    let bits = |outputs: &[Output]| {
        (0..).zip(outputs).filter(|(_, output)| duplicates || !output.duplicate).fold(0, |bits, (at, _)| bits | 1 << at)
    };
    outputs.chunks(64).map(bits).collect()
}

/// Checks that bytes are one JSON value, by what [`Engine::map`] would find wrong with them.
///
/// # Errors
///
/// What is wrong with them.
pub fn check(json: &[u8]) -> Result<(), Malformed> {
    flat::check(text(json)?).map_err(|error| Malformed(format!("is not JSON: {error}")))
}

fn text(json: &[u8]) -> Result<&str, Malformed> {
    let json = std::str::from_utf8(json).map_err(|error| Malformed(format!("is not UTF-8: {error}")))?;
    // Mostly there is no white space around it.
    Ok(if json.starts_with('{') && json.ends_with('}') { json } else { json.trim() })
}

/// The text of bytes that are an object by their beginning.
fn object(record: &[u8]) -> Result<&str, Malformed> {
    let json = text(record)?;
    if json.starts_with('{') { Ok(json) } else { Err(Malformed("is not a JSON object".to_owned())) }
}

/// The members of `error` where the record is `{"error":{..}}` and nothing else.
fn failure(json: &str) -> Option<BTreeMap<String, &RawValue>> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
    let error = members.get("error").filter(|_| members.len() == 1)?;
    serde_json::from_str(error.get()).ok()
}
