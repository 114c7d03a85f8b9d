//! What is known of a record as a whole while it is read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::arena::Arena;
use crate::args::{Lookup, Results};
use crate::set::Gathered;
use crate::table::{Accumulator, Lift, Node, Scope, Table};
use crate::text::Text;
use crate::trace::{Trace, place};
use crate::value::Value;
use crate::values::Values;
use crate::write;

/// What is gathered beside the values of scopes.
pub(crate) struct Record<'t, 'r> {
    pub(crate) table: &'static Table,
    pub(crate) gathered: Vec<Gathered<'r>>,
    /// Names of unmapped values, and their raw text.
    pub(crate) unmapped: Vec<(Cow<'static, str>, Cow<'r, str>)>,
    /// Messages of field errors.
    pub(crate) errors: Vec<String>,
    /// Whether a function called the record a failure.
    pub(crate) failed: bool,
    /// Names that the table does not know.
    pub(crate) drift: Vec<String>,
    pub(crate) lookup: &'t dyn Lookup,
    pub(crate) arena: &'r Arena,
    /// Whether duplicates are written.
    pub(crate) duplicates: bool,
    /// Indexes of the lists that are being read.
    pub(crate) trail: Vec<usize>,
    /// The sum of the hashes of the members that identity is made of.
    pub(crate) members: Option<u128>,
    /// How many values above are kept whole: what no row names in them is neither unmapped nor unknown.
    pub(crate) whole: usize,
    /// Room for the results of a function.
    pub(crate) results: Results<'r>,
    /// Room for the values of items.
    pub(crate) spare: Vec<Values<'r>>,
    /// Notes for an explanation, where one is wanted.
    pub(crate) trace: Option<Box<Trace>>,
}

/// What is allocated once and used for one record after the other.
#[derive(Debug, Default)]
pub(crate) struct Room {
    values: Values<'static>,
    gathered: Vec<Gathered<'static>>,
    results: Results<'static>,
    spare: Vec<Values<'static>>,
}

impl<'t, 'r> Record<'t, 'r> {
    /// Begins a record: what is known of it, and the values of its scope.
    pub(crate) fn begin(
        table: &'static Table,
        lookup: &'t dyn Lookup,
        arena: &'r Arena,
        duplicates: bool,
        room: Room,
    ) -> (Self, Values<'r>) {
        let Room { mut values, mut gathered, results, spare } = room;
        values.reset(&table.scope);
        gathered.resize_with(table.accumulators.len(), Gathered::default);
        let record = Self {
            table,
            gathered,
            unmapped: Vec::new(),
            errors: Vec::new(),
            failed: false,
            drift: Vec::new(),
            lookup,
            arena,
            duplicates,
            trail: Vec::new(),
            members: None,
            whole: 0,
            results,
            spare,
            trace: None,
        };
        (record, values)
    }

    /// Ends a record: the room it took, for the next one.
    pub(crate) fn end(self, values: Values<'r>) -> Room {
        Room {
            values: values.recycle(),
            gathered: self.gathered.into_iter().map(Gathered::recycle).collect(),
            results: self.results.recycle(),
            spare: self.spare.into_iter().map(Values::recycle).collect(),
        }
    }

    /// Whether the members of a node are hashed into the record's identity, which then has them, even none.
    pub(crate) fn begin_identity(&mut self, node: &'static Node) -> bool {
        let wanted = self.table.scope.nodes.get(usize::from(self.table.identity_members));
        let identified = self.whole == 0 && wanted.is_some_and(|wanted| std::ptr::eq(wanted, node));
        if identified {
            self.members.get_or_insert(0);
        }
        identified
    }

    /// Adds the share of a member to the record's identity: members in another order have the same sum.
    pub(crate) fn add_member(&mut self, share: u128) {
        let sum = self.members.get_or_insert(0);
        *sum = sum.wrapping_add(share);
    }

    pub(crate) fn lift(&mut self, lift: Lift, kind: u64, value: Value<'r>) {
        if lift.kinds != 0 && lift.kinds & kind == 0 {
            return;
        }
        if let Some(trace) = &mut self.trace {
            trace.lift(lift, &value, &self.trail);
        }
        let mode = self.table.accumulators.get(usize::from(lift.accumulator)).copied();
        if let Some(gathered) = self.gathered.get_mut(usize::from(lift.accumulator)) {
            gathered.add(mode.unwrap_or(Accumulator::Set), value);
        }
    }

    /// The path with the indexes of the lists that are being read.
    pub(crate) fn place(&self, path: &str) -> String {
        place(path, &self.trail)
    }

    pub(crate) fn fail(&mut self, path: &'static str, value: Value<'r>, cause: &str) {
        let place = self.place(path);
        let shown = value.to_json().unwrap_or_default();
        let shown: String = shown.chars().take(100).collect();
        self.errors.push(format!("{place}: {shown} {cause}"));
        if let Some(raw) = value.raw() {
            self.keep_unmapped(path, Cow::Borrowed(raw));
        }
    }

    /// Keeps a raw value that no field takes, under its source path without the marks of lists.
    pub(crate) fn keep_unmapped(&mut self, path: &str, json: Cow<'r, str>) {
        let path = path.strip_prefix(self.table.below).unwrap_or(path);
        self.unmapped.push((Cow::Owned(path.replace("[]", "")), json));
    }

    /// Writes unmapped values by name; several of one name as a list. False, and nothing written, where there is none.
    pub(crate) fn write_unmapped(&self, out: &mut Text) -> bool {
        let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, json) in &self.unmapped {
            names.entry(name).or_default().push(json);
        }
        let start = out.len();
        for (name, values) in names {
            let before = out.len();
            out.push(if before == start { '{' } else { ',' });
            write::string(name, out);
            out.push(':');
            let written = match values.as_slice() {
                [single] => write::json(single, out),
                many => write::list(&many.iter().map(|json| Value::Raw(json)).collect::<Vec<_>>(), out),
            };
            if !written {
                out.truncate(before);
            }
        }
        if out.len() == start {
            return false;
        }
        out.push('}');
        true
    }

    /// Forgets the keys that a deployment adds to every record, where all of them are there and are text.
    pub(crate) fn forget_labels(&mut self) {
        let labels = self.table.labels;
        let is_text = |label: &&str| self.unmapped.iter().any(|(name, json)| name == label && json.starts_with('"'));
        if !labels.is_empty() && labels.iter().all(is_text) {
            self.unmapped.retain(|(name, _)| !labels.contains(&name.as_ref()));
            self.drift.retain(|name| !labels.contains(&name.as_str()));
        }
    }

    pub(crate) fn take_values(&mut self, scope: &'static Scope) -> Values<'r> {
        let mut values = self.spare.pop().unwrap_or_default();
        values.reset(scope);
        values
    }
}
