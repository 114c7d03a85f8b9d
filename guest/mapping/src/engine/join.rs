//! Records that come apart: what a document is made of lies in several records, one of each side of a join.
//!
//! A side that is held is computed and written once, as far as it depends on itself alone ([`Engine::hold`]); for each
//! record of the last side there remains what depends on it, and to put the pieces in order ([`Engine::join`]). The
//! document is that of the whole record, member for member, with two exceptions: `event.original` of a document about an
//! error has the records that it came from as far as they are at fault, or the last side's; and [`Engine::joins`] says
//! whether settings ask for what only a whole record has.

use std::borrow::Cow;

use defenderbeat_records::Outline;

use super::{Engine, Malformed, Mapped, Times, object};
use crate::arena::Arena;
use crate::args::Lookup;
use crate::held::{self, Draft, Run, Runs, Unpack};
use crate::record::Record;
use crate::table::{From, NONE, Side, Table};
use crate::text::Text;
use crate::time;
use crate::value::Value;
use crate::values::{Numbers, Values};
use crate::write::ObjectWriter;

/// A record of a side that was read.
pub struct Reading<'t, 'r> {
    side: &'static Side,
    json: &'r str,
    values: Values<'r>,
    state: Record<'t, 'r>,
}

impl<'r> Reading<'_, 'r> {
    /// The text of a member by its number among those that the table names for the side; none where it is absent or no
    /// scalar.
    pub fn text(&self, member: usize) -> Option<Cow<'r, str>> {
        self.side.members.get(member).and_then(|slot| self.values.get(*slot).text())
    }

    /// Names in the record that the table does not know.
    pub fn drift(&self) -> &[String] {
        &self.state.drift
    }
}

/// For each side and output, how many outputs before it belong to others: between two that are written in one piece
/// there is none.
pub(super) struct Sides(Vec<Vec<u16>>);

impl Sides {
    pub(super) fn new(table: &'static Table, duplicates: bool) -> Self {
        let others = |side: &Side| {
            let mut count = 0;
            let outputs = (0_u16..).zip(table.scope.outputs).map(|(number, output)| {
                let before = count;
                count += u16::from(!has(side.outputs, number) && (duplicates || !output.duplicate));
                before
            });
            outputs.collect()
        };
        Self(table.sides.iter().map(others).collect())
    }
}

/// What is written between the outputs that are computed.
#[derive(Default)]
pub(super) struct Joined<'h> {
    /// Outputs that are computed, as a bit set; none: all.
    pub(super) outputs: Option<Cow<'static, [u64]>>,
    held: Vec<Runs<'h>>,
}

impl Joined<'_> {
    /// Writes what comes before output `number`.
    #[inline]
    pub(super) fn write_before(&mut self, number: u16, writer: &mut ObjectWriter<'_>) {
        if !self.held.is_empty() {
            self.write_held(number, writer);
        }
    }

    fn write_held(&mut self, number: u16, writer: &mut ObjectWriter<'_>) {
        while let Some(first) = self.held.iter_mut().min_by_key(|runs| runs.next).filter(|runs| runs.next < number) {
            first.write(writer);
        }
    }
}

impl Engine {
    /// Whether the settings let documents be made of records that come apart. A site's rows, processors,
    /// `event.original` and explanations need whole records.
    pub fn joins(&self) -> bool {
        let settings = &self.settings;
        let as_read = settings.rows.is_empty() && settings.processors.is_empty();
        as_read && !settings.preserve_original_event && !settings.explain
    }

    /// Reads a record of a side, by its number in the table; `outline` lists its members, where somebody has listed them.
    /// What is made of it is kept in `arena`.
    ///
    /// # Errors
    ///
    /// Bytes that are no JSON object.
    pub fn read_side<'t, 'r>(
        &mut self,
        side: usize,
        record: &'r [u8],
        outline: Option<&Outline>,
        lookup: &'t dyn Lookup,
        arena: &'r Arena,
    ) -> Result<Reading<'t, 'r>, Malformed> {
        let json = object(record)?;
        let side = self.table.sides.get(side).ok_or_else(|| Malformed("belongs to no side of a join".to_owned()))?;
        // Only items of lists keep unknown members.
        let unlisted = Outline::default();
        let outline = outline.unwrap_or(&unlisted);
        let (mut state, values) = self.read(side.node, json, outline, &mut Vec::new(), lookup, arena)?;
        state.forget_labels();
        Ok(Reading { side, json, values, state })
    }

    /// What is to be held of a record: text that [`join`](Self::join) takes.
    pub fn hold(&mut self, reading: Reading<'_, '_>) -> String {
        let Reading { side, json, mut values, mut state } = reading;
        side.without.iter().for_each(|slot| values.set(*slot, Value::Missing));
        let given: Vec<u16> = values.touched().iter().chain(values.empty()).copied().collect();
        state.compute_some(&self.table.scope, &mut values, Some(side.cells));
        let mut draft = Draft { runs: self.runs(side, &values, &state), ..Draft::default() };
        draft.inputs.extend(side.inputs.iter().filter_map(|value| Some((*value, values.get(*value).to_json()?))));
        // Members that the table counts to the last side, or to none, overlay those of the last, even if they are empty.
        let is_foreign =
            |value: &u16| !has(side.values, *value) && !side.without.contains(value) && self.is_of_last(*value);
        for value in given.into_iter().filter(is_foreign) {
            draft.inputs.push((value, values.get(value).to_json().unwrap_or_else(|| "null".to_owned())));
        }
        if !state.errors.is_empty() {
            draft.errors = std::mem::take(&mut state.errors);
            draft.original = json.to_owned();
        }
        let held = held::pack(&draft, state.unmapped.iter().map(|(name, json)| (&**name, &**json)));
        self.room = state.end(values);
        held
    }

    /// Whether no side that is held gives a value.
    fn is_of_last(&self, value: u16) -> bool {
        let held = self.table.sides.split_last().map_or(&[][..], |(_, held)| held);
        !held.iter().any(|side| has(side.values, value))
    }

    /// The outputs of a side that is held.
    fn runs(&self, side: &'static Side, values: &Values<'_>, state: &Record<'_, '_>) -> Vec<Run> {
        let scope = &self.table.scope;
        let others = self.table.sides.iter().position(|one| std::ptr::eq(one, side));
        let others = others.and_then(|number| self.sides.0.get(number)).map_or(&[][..], Vec::as_slice);
        let others = |number: u16| others.get(usize::from(number)).copied().unwrap_or_default();
        let mut numbers = Numbers::new(scope.outputs.len(), scope.outputs_always);
        numbers.gather(values.touched(), scope.outputs_of);
        numbers.retain(Some(side.outputs));
        let mut runs: Vec<(Run, Text)> = Vec::new();
        let mut before = NONE;
        for number in numbers {
            let Some(output) = scope.outputs.get(usize::from(number)) else { break };
            if output.duplicate && !self.settings.preserve_duplicate_custom_fields {
                continue;
            }
            let json = match output.from {
                From::Value(value) => values.get(value).to_json(),
                From::First(all) => values.first(all).to_json(),
                From::Accumulator(at) => {
                    let gathered = state.gathered.get(usize::from(at));
                    gathered.and_then(|all| Value::List(&all.values).to_json())
                }
                From::Builtin(_) | From::Rest => None,
            };
            let Some(json) = json else { continue };
            if before == NONE || others(before) != others(number) {
                let objects = (output.object, output.object);
                runs.push((Run { output: number, objects, ..Run::default() }, Text::default()));
            }
            before = number;
            if let Some((run, text)) = runs.last_mut() {
                ObjectWriter::within(text, scope.objects, run.objects.1).field(output.object, &output.key, |out| {
                    out.push_str(&json);
                    true
                });
                run.objects.1 = output.object;
                run.mark(&json, text.len());
            }
        }
        runs.into_iter().map(|(run, text)| Run { text: text.into_string(), ..run }).collect()
    }

    /// A bit set of the last side, and of those that nothing is held of: what they would give is then the record's own.
    fn bits_without(
        &self,
        held: &[Option<&str>],
        of: fn(&'static Side) -> &'static [u64],
    ) -> Option<Cow<'static, [u64]>> {
        let (last, others) = self.table.sides.split_last()?;
        let mut bits = Cow::Borrowed(of(last));
        for (side, _) in others.iter().zip(held).filter(|(_, held)| held.is_none()) {
            let bits = bits.to_mut();
            bits.resize(bits.len().max(of(side).len()), 0);
            bits.iter_mut().zip(of(side)).for_each(|(word, more)| *word |= more);
        }
        Some(bits)
    }

    /// Maps a record of the last side, or none, with what is held of each of the others, in their order;
    /// [`document`](Self::document) is the result.
    /// The identity is the caller's.
    pub fn join<'t, 'r>(
        &mut self,
        row: Option<Reading<'t, 'r>>,
        held: &[Option<&'r str>],
        received_at: i64,
        lookup: &'t dyn Lookup,
        arena: &'r Arena,
    ) -> Mapped {
        self.document.clear();
        let scope = &self.table.scope;
        let (json, mut values, mut state) = match row {
            Some(Reading { json, values, state, .. }) => (json, values, state),
            None => {
                let duplicates = self.settings.preserve_duplicate_custom_fields;
                let (state, values) =
                    Record::begin(self.table, lookup, arena, duplicates, std::mem::take(&mut self.room));
                ("", values, state)
            }
        };
        let bits = |of: fn(&'static Side) -> &'static [u64]| self.bits_without(held, of);
        let mut joined = Joined { outputs: bits(|side| side.outputs), held: Vec::with_capacity(held.len()) };
        let mut originals = Vec::new();
        let mut errors = Vec::new();
        for held in held.iter().flatten() {
            let mut unpack = Unpack::new(held);
            for _ in 0..unpack.number() {
                values.set(unpack.index(), Value::from_json(unpack.text()));
            }
            for _ in 0..unpack.number() {
                state.unmapped.push((Cow::Owned(unpack.text().to_owned()), Cow::Borrowed(unpack.text())));
            }
            errors.extend((0..unpack.number()).map(|_| unpack.text().to_owned()));
            originals.extend(Some(unpack.text()).filter(|original| !original.is_empty()));
            joined.held.push(Runs::new(unpack));
        }
        state.errors.splice(..0, errors);
        let timestamp = self.default_time(received_at);
        values.set(self.table.timestamp, Value::Time(timestamp));
        state.compute_some(scope, &mut values, bits(|side| side.cells).as_deref());
        self.settle(&mut state, &mut values);
        let original = match originals.as_slice() {
            [] => Cow::Borrowed(json),
            _ => Cow::Owned(
                [json].into_iter().chain(originals).filter(|json| !json.is_empty()).collect::<Vec<_>>().join("\n"),
            ),
        };
        let times = Times { event: timestamp, received: received_at };
        self.write(&original, &values, &[], &mut state, times, joined);
        self.document.push('\n');
        let drift = std::mem::take(&mut state.drift);
        self.room = state.end(values);
        Mapped { id: 0, time: time::to_millis(timestamp), position: 0, dropped: false, drift }
    }
}

/// Whether a bit set has a number.
fn has(bits: &[u64], number: u16) -> bool {
    bits.get(usize::from(number / 64)).is_some_and(|word| word >> (number % 64) & 1 == 1)
}
