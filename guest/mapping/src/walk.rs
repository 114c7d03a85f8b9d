//! Reading a record: one parse that walks the trie and keeps raw text.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::args::{Args, Lookup, Results};
use crate::convert::convert;
use crate::identity;
use crate::set::{Gathered, elements};
use crate::table::{Accumulator, From, Kid, Lift, List, NONE, Node, Op, Scope, Shape, Source, Step, Table};
use crate::value::{Value, unescape};
use crate::values::{Numbers, Values};
use crate::write::{self, ObjectWriter};

/// What is known of the record as a whole while it is read.
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
    /// Whether duplicates are written.
    pub(crate) duplicates: bool,
    /// Indexes of the lists that are being read.
    trail: Vec<usize>,
    /// The sum of the hashes of the members that identity is made of.
    pub(crate) members: Option<u128>,
    /// How many values above are kept whole: what no row names in them is neither unmapped nor unknown.
    whole: usize,
    spare: Vec<Values<'r>>,
    numbers: Numbers,
}

/// An unknown key that stays where it is.
pub(crate) struct Kept<'r> {
    object: u16,
    key: String,
    value: &'r str,
}

impl<'t, 'r> Record<'t, 'r> {
    pub(crate) fn new(table: &'static Table, lookup: &'t dyn Lookup, duplicates: bool) -> Self {
        let mut gathered = Vec::new();
        gathered.resize_with(table.accumulators.len(), Gathered::default);
        Self {
            table,
            gathered,
            unmapped: Vec::new(),
            errors: Vec::new(),
            failed: false,
            drift: Vec::new(),
            lookup,
            duplicates,
            trail: Vec::new(),
            members: None,
            whole: 0,
            spare: Vec::new(),
            numbers: Numbers::default(),
        }
    }

    /// Whether the members of a node are hashed into the record's identity.
    fn is_identified(&self, node: &'static Node) -> bool {
        let table = self.table;
        table.scope.nodes.get(usize::from(table.identity_members)).is_some_and(|wanted| std::ptr::eq(wanted, node))
    }

    /// Adds a member to the record's identity: members in another order have the same sum.
    fn add_member(&mut self, key: u128, raw: &str) {
        let sum = self.members.get_or_insert(0);
        *sum = sum.wrapping_add(identity::member(key, raw));
    }

    fn lift(&mut self, lift: Lift, kind: u64, value: &Value<'r>) {
        if lift.kinds != 0 && lift.kinds & kind == 0 {
            return;
        }
        let mode = self.table.accumulators.get(usize::from(lift.accumulator)).copied();
        if let Some(gathered) = self.gathered.get_mut(usize::from(lift.accumulator)) {
            gathered.add(mode.unwrap_or(Accumulator::Set), value);
        }
    }

    /// The path with the indexes of the lists that are being read.
    fn place(&self, path: &str) -> String {
        let mut place = String::with_capacity(path.len() + 8);
        let mut indexes = self.trail.iter();
        let mut parts = path.split("[]");
        place.push_str(parts.next().unwrap_or_default());
        for part in parts {
            match indexes.next() {
                Some(index) => write::push_display(&mut place, format_args!("[{index}]")),
                None => place.push_str("[]"),
            }
            place.push_str(part);
        }
        place
    }

    fn fail(&mut self, path: &'static str, value: &Value<'r>, cause: &str) {
        let place = self.place(path);
        let shown = value.to_json().unwrap_or_default();
        let shown: String = shown.chars().take(100).collect();
        self.errors.push(format!("{place}: {shown} {cause}"));
        if let Some(raw) = value.raw() {
            self.keep_unmapped(path, Cow::Borrowed(raw));
        }
    }

    /// Keeps a raw value that no field takes, under its source path without the marks of lists.
    fn keep_unmapped(&mut self, path: &str, json: Cow<'r, str>) {
        let path = path.strip_prefix(self.table.below).unwrap_or(path);
        self.unmapped.push((Cow::Owned(path.replace("[]", "")), json));
    }

    /// Computes the cells of a scope whose slots are filled, in the order of their rows.
    pub(crate) fn compute(&mut self, scope: &'static Scope, values: &mut Values<'r>) {
        self.compute_some(scope, values, None);
    }

    /// As [`compute`](Self::compute), but only cells of a bit set, where there is one.
    pub(crate) fn compute_some(&mut self, scope: &'static Scope, values: &mut Values<'r>, only: Option<&[u64]>) {
        let mut kinds = Kinds::default();
        let mut numbers = std::mem::take(&mut self.numbers);
        numbers.gather(values.touched(), scope.cells_of, scope.cells_always);
        numbers.retain(only);
        while let Some(cell) = numbers.pop().and_then(|number| scope.cells.get(usize::from(number))) {
            if cell.kinds != 0 && cell.kinds & kinds.of(scope, values) == 0 {
                continue;
            }
            match &cell.step {
                Step::Const(json) => values.set(cell.value, Value::Raw(json)),
                Step::Convert(source, op) => {
                    let taken;
                    let value = match source {
                        Source::Value(value) => values.get(*value),
                        Source::First(all) => values.first(all),
                        Source::Accumulator(at) => {
                            taken = self
                                .gathered
                                .get(usize::from(*at))
                                .map_or(Value::Missing, |all| Value::List(all.values.clone()));
                            &taken
                        }
                    };
                    if value.is_missing() {
                        continue;
                    }
                    if cell.value == NONE {
                        for lift in cell.lifts {
                            let value = value.clone();
                            self.lift(*lift, kinds.of_lift(*lift, scope, values), &value);
                        }
                        continue;
                    }
                    if let Op::Ask(question) = op {
                        let answer = ask(self.lookup, question, value);
                        values.set(cell.value, answer);
                        continue;
                    }
                    let mut failures = Vec::new();
                    let result = convert(*op, value, self.table.lookups, &mut |value, cause| {
                        failures.push((value.clone(), cause))
                    });
                    for (value, cause) in failures {
                        self.fail(cell.path, &value, cause);
                    }
                    for lift in cell.lifts {
                        self.lift(*lift, kinds.of_lift(*lift, scope, values), &result);
                    }
                    values.set(cell.value, result);
                }
                Step::Call { function, from, results, lifts } => {
                    let mut given = Results::default();
                    let args = Args { sources: from, values, gathered: &self.gathered, lookup: self.lookup };
                    (function.0)(&args, &mut given);
                    for (value, cause) in given.failures {
                        self.fail(cell.path, &value, cause);
                    }
                    for cause in given.errors {
                        let place = self.place(cell.path);
                        self.errors.push(if place.is_empty() { cause } else { format!("{place}: {cause}") });
                    }
                    self.failed |= given.failed;
                    given.values.truncate(usize::from(*results));
                    for (result, lift) in *lifts {
                        if let Some(value) = given.values.get(usize::from(*result)) {
                            self.lift(*lift, kinds.of_lift(*lift, scope, values), value);
                        }
                    }
                    for (index, value) in (cell.value..).zip(given.values) {
                        values.set(index, value);
                    }
                }
            }
        }
        self.numbers = numbers;
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

    /// Writes an item of a list.
    fn write_item(&mut self, scope: &'static Scope, values: &Values<'r>, kept: &[Kept<'r>], out: &mut String) -> bool {
        let mut writer = ObjectWriter::new(out, scope.objects);
        self.numbers.gather(values.touched(), scope.outputs_of, scope.outputs_always);
        while let Some(output) = self.numbers.pop().and_then(|number| scope.outputs.get(usize::from(number))) {
            if output.duplicate && !self.duplicates {
                continue;
            }
            match output.from {
                From::Value(value) => {
                    let value = values.get(value);
                    if !value.is_missing() {
                        writer.field(output.object, output.key, |out| write::value(value, out));
                    }
                }
                From::First(all) => {
                    writer.field(output.object, output.key, |out| write::value(values.first(all), out));
                }
                From::Rest => write_kept(kept, output.object, &mut writer),
                From::Accumulator(_) | From::Builtin(_) => {}
            }
        }
        writer.end()
    }

    fn take_values(&mut self, scope: &'static Scope) -> Values<'r> {
        let mut values = self.spare.pop().unwrap_or_default();
        values.reset(scope);
        values
    }
}

/// Leaves the last of several members with the same key: JSON with a key that comes twice is refused by Elasticsearch.
pub(crate) fn forget_repeats(kept: &mut Vec<Kept<'_>>) {
    let last: BTreeMap<(u16, &str), usize> =
        kept.iter().enumerate().map(|(at, member)| ((member.object, member.key.as_str()), at)).collect();
    if last.len() < kept.len() {
        let last: BTreeSet<usize> = last.into_values().collect();
        let mut at = 0..;
        kept.retain(|_| at.next().is_some_and(|at| last.contains(&at)));
    }
}

/// Writes the unknown keys that an object keeps, in the record's order.
pub(crate) fn write_kept(kept: &[Kept<'_>], object: u16, writer: &mut ObjectWriter<'_>) {
    for member in kept.iter().filter(|member| member.object == object) {
        writer.field(object, &member.key, |out| write::json(member.value, out));
    }
}

/// The bits of the kinds of an object, found when the first row asks for them.
#[derive(Default)]
struct Kinds(Option<u64>);

impl Kinds {
    /// The kinds where a lift distinguishes any; it may come before the row that tells them.
    fn of_lift(&mut self, lift: Lift, scope: &Scope, values: &Values<'_>) -> u64 {
        if lift.kinds == 0 { 0 } else { self.of(scope, values) }
    }

    fn of(&mut self, scope: &Scope, values: &Values<'_>) -> u64 {
        *self.0.get_or_insert_with(|| {
            let bit = |value: &Value<'_>| {
                let text = value.string()?;
                let name = text.rsplit('.').next().unwrap_or_default();
                scope.kinds.iter().position(|kind| *kind == name).map(|bit| 1 << bit)
            };
            match values.get(scope.kind) {
                Value::List(all) => all.iter().filter_map(bit).sum(),
                one => bit(one).unwrap_or(0),
            }
        })
    }
}

/// What the host knows of a value, or of the first of several that it knows.
fn ask<'r>(lookup: &dyn Lookup, question: &str, value: &Value<'r>) -> Value<'r> {
    let one = |value: &Value<'r>| lookup.find(question, &value.string()?);
    let answer = match value {
        Value::List(all) => all.iter().find_map(one),
        Value::Raw(json) if json.starts_with('[') => {
            elements(json).into_iter().find_map(|element| one(&Value::from_json(element)))
        }
        value => one(value),
    };
    let mut json = String::new();
    match answer {
        Some(answer) if write::json(&answer, &mut json) => Value::Json(json),
        _ => Value::Missing,
    }
}

/// Reads an object of a scope. `'w` is the time of reading.
pub(crate) struct ScopeReader<'w, 't, 'r> {
    pub(crate) scope: &'static Scope,
    pub(crate) values: &'w mut Values<'r>,
    pub(crate) kept: &'w mut Vec<Kept<'r>>,
    pub(crate) record: &'w mut Record<'t, 'r>,
}

impl<'r> ScopeReader<'_, '_, 'r> {
    /// Reads JSON text as the object of a node; an error is a syntax error.
    pub(crate) fn read(&mut self, node: u16, json: &'r str) -> Result<(), serde_json::Error> {
        let Some(node) = self.scope.nodes.get(usize::from(node)) else { return Ok(()) };
        let mut parser = serde_json::Deserializer::from_str(json);
        ObjectSeed { reader: self, node }.deserialize(&mut parser)?;
        parser.end()
    }

    /// Reads JSON text whose objects and lists cannot all be walked (where an object is expected there is a number
    /// beyond double precision or text with half a surrogate pair): members below the top level are unmapped.
    pub(crate) fn read_flat(&mut self, node: u16, json: &'r str) -> Result<(), serde_json::Error> {
        let Some(node) = self.scope.nodes.get(usize::from(node)) else { return Ok(()) };
        let members: BTreeMap<Key<'r>, &'r RawValue> = serde_json::from_str(json)?;
        for (Key(key), value) in members {
            match node.kid(&key) {
                Some(kid) if kid.node == NONE && kid.list == NONE => self.fill(node, kid, value.get()),
                Some(_) => {
                    let name = join(node.path, &key);
                    self.record.errors.push(format!("{name}: holds a number or an escape that cannot be read"));
                    self.record.keep_unmapped(&name, Cow::Borrowed(value.get()));
                }
                None => self.unknown(node, &key, value.get()),
            }
        }
        Ok(())
    }

    /// Fills the slot of a kid, unless the fields that it is copied to cannot hold the value.
    fn fill(&mut self, node: &'static Node, kid: &'static Kid, json: &'r str) {
        let (fits, wanted) = match kid.shape {
            Shape::Any => (true, ""),
            Shape::Single => (!json.starts_with(['{', '[']) || !holds_object(json), "a single value"),
            Shape::Object => (json.starts_with('{') || is_list_of_objects(json), "an object"),
        };
        if kid.presence != NONE && json != "null" {
            self.values.set(kid.presence, Value::Bool(true));
        }
        let value = Value::from_json(json);
        if fits || value.is_missing() {
            self.values.set(kid.slot, value);
        } else {
            self.misfit(&join(node.path, kid.key), Cow::Borrowed(json), wanted);
        }
    }

    fn unknown(&mut self, node: &'static Node, key: &str, value: &'r str) {
        if self.record.whole > 0 {
            return;
        }
        let name = join(node.path, key);
        if node.keep == NONE {
            if !Value::from_json(value).is_missing() {
                self.record.keep_unmapped(&name, Cow::Borrowed(value));
            }
        } else {
            let mut text = String::with_capacity(key.len() + 3);
            write::string(key, &mut text);
            text.push(':');
            let taken = self.scope.outputs.iter().any(|output| output.object == node.keep && output.key == text)
                || self.scope.objects.iter().any(|object| object.open.strip_suffix('{') == Some(text.as_str()));
            if taken {
                self.record.keep_unmapped(&name, Cow::Borrowed(value));
            } else {
                self.kept.push(Kept { object: node.keep, key: text, value });
            }
        }
        self.record.drift.push(name);
    }

    /// A scalar or array where the table has an object or list.
    fn misfit(&mut self, path: &str, value: Cow<'r, str>, wanted: &str) {
        if value == "\"\"" || value == "[]" || self.record.whole > 0 {
            return;
        }
        let place = self.record.place(path);
        self.record.errors.push(format!("{place}: is not {wanted}"));
        self.record.keep_unmapped(path, value);
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Whether JSON text is or holds an object, at any depth.
pub(crate) fn holds_object(json: &str) -> bool {
    let mut rest = json;
    while let Some(at) = memchr::memchr2(b'"', b'{', rest.as_bytes()) {
        let found = rest.get(at..).unwrap_or_default();
        if found.starts_with('{') {
            return true;
        }
        rest = found.get(write::scalar_length(found)..).unwrap_or_default();
    }
    false
}

/// Whether text is an array of objects and nulls.
fn is_list_of_objects(json: &str) -> bool {
    json.starts_with('[') && elements(json).iter().all(|item| item.starts_with('{') || *item == "null")
}

/// A key, unescaped. It is read raw, because serde_json refuses half a surrogate pair, which JSON allows.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key<'r>(Cow<'r, str>);

impl<'de: 'r, 'r> Deserialize<'de> for Key<'r> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let quoted: &'de str = <&RawValue>::deserialize(deserializer)?.get();
        Ok(Self(unescape(quoted.get(1..quoted.len() - 1).unwrap_or_default())))
    }
}

struct ObjectSeed<'a, 'w, 't, 'r> {
    reader: &'a mut ScopeReader<'w, 't, 'r>,
    node: &'static Node,
}

impl<'de: 'r, 'r> DeserializeSeed<'de> for ObjectSeed<'_, '_, '_, 'r> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// What a seed does with anything but what it is for: scalars and arrays are reported and kept raw.
macro_rules! misfits {
    ($wanted:literal) => {
        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str($wanted)
        }
        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }
        fn visit_bool<E>(self, value: bool) -> Result<(), E> {
            self.misfit(Cow::Borrowed(if value { "true" } else { "false" }));
            Ok(())
        }
        fn visit_i64<E>(self, value: i64) -> Result<(), E> {
            self.misfit(Cow::Owned(value.to_string()));
            Ok(())
        }
        fn visit_u64<E>(self, value: u64) -> Result<(), E> {
            self.misfit(Cow::Owned(value.to_string()));
            Ok(())
        }
        fn visit_f64<E>(self, value: f64) -> Result<(), E> {
            self.misfit(Cow::Owned(value.to_string()));
            Ok(())
        }
        fn visit_str<E>(self, value: &str) -> Result<(), E> {
            let mut json = String::with_capacity(value.len() + 2);
            write::string(value, &mut json);
            self.misfit(Cow::Owned(json));
            Ok(())
        }
    };
}

impl<'r> ObjectSeed<'_, '_, '_, 'r> {
    fn misfit(self, value: Cow<'r, str>) {
        self.reader.misfit(self.node.path, value, "an object");
    }
}

impl<'de: 'r, 'r> Visitor<'de> for ObjectSeed<'_, '_, '_, 'r> {
    type Value = ();

    misfits!("an object");

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<&RawValue>()? {
            items.push(item.get());
        }
        self.misfit(Cow::Owned(format!("[{}]", items.join(","))));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let ObjectSeed { reader, node } = self;
        let identified = reader.record.whole == 0 && reader.record.is_identified(node);
        if identified {
            reader.record.members.get_or_insert(0);
        }
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            let Some(kid) = node.kid(&key) else {
                let raw = map.next_value::<&RawValue>()?.get();
                if identified {
                    reader.record.add_member(identity::member_key(&key), raw);
                }
                reader.unknown(node, &key, raw);
                continue;
            };
            let below = reader.scope.nodes.get(usize::from(kid.node));
            let list = reader.scope.lists.get(usize::from(kid.list));
            if kid.slot != NONE {
                let raw: &'de str = map.next_value::<&RawValue>()?.get();
                if identified {
                    reader.record.add_member(kid.hash, raw);
                }
                reader.fill(node, kid, raw);
                if below.is_none() && list.is_none() {
                    continue;
                }
                // A value that is kept whole and also looked into is read a second time; its syntax is known good.
                reader.record.whole += 1;
                let mut again = serde_json::Deserializer::from_str(raw);
                if let Some(node) = below {
                    ObjectSeed { reader, node }.deserialize(&mut again).unwrap_or_default();
                } else if let Some(list) = list {
                    ListSeed { reader, list }.deserialize(&mut again).unwrap_or_default();
                }
                reader.record.whole -= 1;
            } else if let Some(node) = below {
                map.next_value_seed(ObjectSeed { reader: &mut *reader, node })?;
            } else if let Some(list) = list {
                map.next_value_seed(ListSeed { reader: &mut *reader, list })?;
            } else {
                map.next_value::<&RawValue>()?;
            }
        }
        Ok(())
    }
}

struct ListSeed<'a, 'w, 't, 'r> {
    reader: &'a mut ScopeReader<'w, 't, 'r>,
    list: &'static List,
}

impl<'r> ListSeed<'_, '_, '_, 'r> {
    fn misfit(self, value: Cow<'r, str>) {
        self.reader.misfit(self.list.path, value, "a list of objects");
    }
}

impl<'de: 'r, 'r> DeserializeSeed<'de> for ListSeed<'_, '_, '_, 'r> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de: 'r, 'r> Visitor<'de> for ListSeed<'_, '_, '_, 'r> {
    type Value = ();

    misfits!("a list of objects");

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let ListSeed { reader, list } = self;
        let mut json = String::from("[");
        reader.record.trail.push(0);
        while seq.next_element_seed(ItemSeed { record: &mut *reader.record, list, out: &mut json })?.is_some() {
            if let Some(index) = reader.record.trail.last_mut() {
                *index += 1;
            }
        }
        reader.record.trail.pop();
        finish_list(reader.values, list, json);
        Ok(())
    }

    /// A single object counts as a list of one.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let ListSeed { reader, list } = self;
        let mut json = String::from("[");
        reader.record.trail.push(0);
        ItemSeed { record: &mut *reader.record, list, out: &mut json }.visit_map(map)?;
        reader.record.trail.pop();
        finish_list(reader.values, list, json);
        Ok(())
    }
}

fn finish_list(values: &mut Values<'_>, list: &'static List, mut json: String) {
    if json.len() > 1 {
        json.push(']');
        values.set(list.value, Value::Json(json));
    }
}

struct ItemSeed<'a, 't, 'r> {
    record: &'a mut Record<'t, 'r>,
    list: &'static List,
    out: &'a mut String,
}

impl<'r> ItemSeed<'_, '_, 'r> {
    fn misfit(self, value: Cow<'r, str>) {
        if self.record.whole > 0 {
            return;
        }
        let place = self.record.place(&format!("{}[]", self.list.path));
        self.record.errors.push(format!("{place}: is not an object"));
        self.record.keep_unmapped(self.list.path, value);
    }
}

impl<'de: 'r, 'r> DeserializeSeed<'de> for ItemSeed<'_, '_, 'r> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de: 'r, 'r> Visitor<'de> for ItemSeed<'_, '_, 'r> {
    type Value = ();

    misfits!("an object");

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<&RawValue>()? {
            items.push(item.get());
        }
        self.misfit(Cow::Owned(format!("[{}]", items.join(","))));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let scope = self.list.scope;
        let Some(node) = scope.nodes.first() else { return serde::de::IgnoredAny.visit_map(map).map(drop) };
        let mut values = self.record.take_values(scope);
        let mut kept = Vec::new();
        let mut reader = ScopeReader { scope, values: &mut values, kept: &mut kept, record: self.record };
        ObjectSeed { reader: &mut reader, node }.visit_map(map)?;
        forget_repeats(&mut kept);
        self.record.compute(scope, &mut values);
        let before = self.out.len();
        if before > 1 {
            self.out.push(',');
        }
        if self.list.value == NONE || !self.record.write_item(scope, &values, &kept, self.out) {
            self.out.truncate(before);
        }
        self.record.spare.push(values);
        Ok(())
    }
}

/// The members of the object that text is, in its order, no key twice.
pub(crate) fn members(json: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    struct Members;

    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(Cow<'de, str>, &'de str)>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members: Vec<(Cow<'de, str>, &'de str)> = Vec::new();
            while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
                members.push((key, map.next_value::<&'de RawValue>()?.get()));
            }
            // Of members with one key the last counts.
            let last: BTreeMap<&str, usize> = members.iter().enumerate().map(|(at, (key, _))| (&**key, at)).collect();
            if last.len() < members.len() {
                let last: BTreeSet<usize> = last.into_values().collect();
                let mut at = 0..;
                members.retain(|_| at.next().is_some_and(|at| last.contains(&at)));
            }
            Ok(members)
        }
    }

    let mut parser = serde_json::Deserializer::from_str(json);
    let members = parser.deserialize_map(Members).ok()?;
    parser.end().ok()?;
    Some(members)
}

/// Checks that text is one JSON value.
pub(crate) fn check(json: &str) -> Result<(), serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(json);
    <&RawValue>::deserialize(&mut parser)?;
    parser.end()
}
