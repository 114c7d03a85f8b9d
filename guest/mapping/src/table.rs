//! The shape of a compiled pipeline: const data, made by `defenderbeat-tables` and read by the engine.
//!
//! Values of a scope live in one array: *slots*, which the walk fills with raw text, and results of cells. An index is
//! a `u16`, and [`NONE`] stands for no index.

use crate::args::Function;
pub use crate::padded::Padded;
use crate::text::same;
use crate::value::unescape;

/// No index.
pub const NONE: u16 = u16::MAX;

/// More cells than these, or outputs, no scope can have.
pub const SCOPE_SIZE: usize = 1024;

/// All that turns a record of one kind into a document.
#[derive(Debug)]
pub struct Table {
    /// The data stream's dataset, such as `m365_defender.alert`.
    pub dataset: &'static str,
    /// First segment of the dataset: `event.module`.
    pub module: &'static str,
    /// Version of the Elastic Common Schema.
    pub ecs: &'static str,
    /// Digest of the pipeline files, hexadecimal.
    pub digest: &'static str,
    /// The document itself.
    pub scope: Scope,
    /// Values gathered over list items; the first four are [`RELATED`].
    pub accumulators: &'static [Accumulator],
    /// What each feed of a join contributes to a record; the last is that of the records that documents are made of.
    /// Empty where nothing is joined.
    pub sides: &'static [Side],
    /// Value that takes the document's time.
    pub timestamp: u16,
    /// Slots hashed into the document's identity; the first is the record's own id.
    pub identity: &'static [u16],
    /// Slots of the event's time, of which the first that holds one counts; else it is the time of receipt.
    pub time: &'static [u16],
    /// Node whose members are hashed into the identity too, each by itself, so that their order does not matter;
    /// [`NONE`]: none.
    pub identity_members: u16,
    /// What unmapped names leave out of their source path, such as `properties.`.
    pub below: &'static str,
    /// Slot of the time that the source's cursor runs on.
    pub position: u16,
    /// Value that becomes `event.kind`.
    pub kind: u16,
    /// What a field error does to `event.kind`.
    pub on_error: OnError,
    /// Whether a field error keeps `event.original` and adds the tag that says so.
    pub preserve_original_on_error: bool,
    /// Dictionaries of `as: lookup`.
    pub lookups: &'static [Dictionary],
    /// Paths that need the whole of JSONPath, and the slot that each fills.
    pub json_paths: &'static [(&'static str, u16)],
    /// Keys that a deployment adds to every record: left out where all of them are there and are text.
    pub labels: &'static [&'static str],
    /// The rows that the table was compiled from, for those who ask where a field comes from.
    pub rows: &'static [Row],
}

/// A row of a pipeline file.
#[derive(Debug)]
pub struct Row {
    /// The file, by its path below the pipelines' folder.
    pub file: &'static str,
    /// The line in it, from 1.
    pub line: u16,
    /// The conversion or the function that it names; `const`, or `keep` for a list whose items keep unknown keys.
    pub by: &'static str,
    /// What it takes of the record: full source paths, lists as `[]`.
    pub from: &'static [&'static str],
}

/// The accumulators of `related.*`, in the order of their field names.
pub const RELATED: [&str; 4] = ["hash", "hosts", "ip", "user"];

/// What a field error does to `event.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// Nothing.
    Keep,
    /// Adds `pipeline_error`.
    Append,
    /// Puts `pipeline_error` in its place.
    Replace,
}

/// What one feed of a join contributes to a record. Sets are bit sets of indexes.
///
/// A side that is held computes and writes once what depends on it alone; what also depends on others, and all that
/// belongs to no side, is left to the last side.
#[derive(Debug)]
pub struct Side {
    /// Node of the object whose members the side's records have.
    pub node: u16,
    /// Slots of the members that the table names, those of `without` first.
    pub members: &'static [u16],
    /// Slots of members that the joined record does not take over.
    pub without: &'static [u16],
    /// Values that only this side gives.
    pub values: &'static [u64],
    /// Cells that are computed for the side.
    pub cells: &'static [u64],
    /// Outputs that are written for the side.
    pub outputs: &'static [u64],
    /// Values that the last side needs of this one.
    pub inputs: &'static [u16],
}

/// One object of the source: the record, or an item of one of its lists.
#[derive(Debug)]
pub struct Scope {
    /// Source trie; the first node is the object itself.
    pub nodes: &'static [Node],
    /// How many values the scope has, slots and results of cells.
    pub values: u16,
    /// What is computed, in the order of the rows.
    pub cells: &'static [Cell],
    /// Cells that read each value, by its index.
    pub cells_of: &'static [&'static [u16]],
    /// Of these cells those that are called even where the value is empty: functions, and what reads their results.
    pub calls_of: &'static [&'static [u16]],
    /// Cells that are computed whatever the record has: constants, and what reads accumulators.
    pub cells_always: &'static [u16],
    /// Objects of the output; the first is the root.
    pub objects: &'static [Object],
    /// What is written, in the order of writing.
    pub outputs: &'static [Output],
    /// Outputs of each value, by its index.
    pub outputs_of: &'static [&'static [u16]],
    /// Outputs that are no values.
    pub outputs_always: &'static [u16],
    /// Lists below this scope.
    pub lists: &'static [List],
    /// Value that tells kinds: the last dotted segment of its text, or of each text of a list.
    pub kind: u16,
    /// Kinds that rows distinguish; the index is the bit in [`Lift::kinds`].
    pub kinds: &'static [&'static str],
    /// For each kind the cells that are computed for it, as a bit set; last the set of those that are computed for all.
    pub cells_of_kind: &'static [&'static [u64]],
    /// Hash table of the kinds; see [`Node::index`].
    pub kinds_index: &'static [u16],
}

impl Scope {
    /// The number of a kind.
    pub(crate) fn kind_number(&self, kind: &str) -> Option<u16> {
        find(self.kinds_index, kind, |number| self.kinds.get(usize::from(number)).copied())
    }
}

/// An object of the source.
#[derive(Debug)]
pub struct Node {
    /// Full source path, lists as `[]`: `evidence[].fileDetails`. Empty for the record.
    pub path: &'static str,
    /// Known keys.
    pub kids: &'static [Kid],
    /// Hash table of the kids: [`hash_key`], then the next free place. Empty places hold [`NONE`]; the length is a
    /// power of two.
    pub index: &'static [u16],
    /// Output object that keeps unknown keys under their raw names; [`NONE`]: they are unmapped.
    pub keep: u16,
}

/// A known key of an object.
#[derive(Debug)]
pub struct Kid {
    /// The key, unescaped.
    pub key: &'static str,
    /// What the key adds to an identity that is made of members: [`crate::member_key`].
    pub hash: u128,
    /// What the member adds where it is null: [`crate::null_member`].
    pub null: u128,
    /// Slot that keeps the raw value.
    pub slot: u16,
    /// Value that is true where the member is there and not null, even when it is empty.
    pub presence: u16,
    /// Node of an object below.
    pub node: u16,
    /// List below, as an index into [`Scope::lists`].
    pub list: u16,
    /// What the slot may hold, because of the types of the fields that it is copied to.
    pub shape: Shape,
}

/// What a field can hold, whatever the number of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Anything.
    Any,
    /// Scalars.
    Single,
    /// Objects.
    Object,
}

/// A list of objects.
#[derive(Debug)]
pub struct List {
    /// What an item is.
    pub scope: &'static Scope,
    /// Value that takes the finished list; [`NONE`]: the items only feed accumulators.
    pub value: u16,
    /// Full source path, such as `evidence`.
    pub path: &'static str,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A value of the same scope.
    Value(u16),
    /// The first of several values that is there.
    First(&'static [u16]),
    /// An accumulator, complete when the record has been read.
    Accumulator(u16),
}

/// One computation.
#[derive(Debug)]
pub struct Cell {
    /// Source path, for messages.
    pub path: &'static str,
    /// What is computed.
    pub step: Step,
    /// First value that takes a result.
    pub value: u16,
    /// Bits of the kinds that it is computed for; 0: all.
    pub kinds: u64,
    /// Accumulators that the result is added to.
    pub lifts: &'static [Lift],
}

/// What a cell computes.
#[derive(Debug)]
pub enum Step {
    /// Converts one value.
    Convert(Source, Op),
    /// Calls a function; its results follow each other.
    Call {
        /// The function.
        function: Function,
        /// Its arguments.
        from: &'static [Source],
        /// How many results it has.
        results: u16,
        /// Accumulators of each result: pairs of result and accumulator.
        lifts: &'static [(u16, Lift)],
    },
    /// JSON text.
    Const(&'static str),
}

/// Adds a value to an accumulator.
#[derive(Clone, Copy, Debug)]
pub struct Lift {
    /// Which one.
    pub accumulator: u16,
    /// The row that says so, as an index into [`Table::rows`].
    pub row: u16,
    /// Bits of the kinds that count; 0: all.
    pub kinds: u64,
}

/// Gathers values over list items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accumulator {
    /// Without repeats, in the order of first appearance.
    Set,
    /// Without repeats, sorted.
    Sorted,
    /// All of them.
    All,
}

/// The closed set of conversions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// The raw JSON value, empties pruned.
    Copy,
    /// Numbers and booleans to text.
    Keyword,
    /// Text in lower case.
    Lowercase,
    /// Text in upper case.
    Uppercase,
    /// A whole number of 64 bits, or its text.
    Long,
    /// A number, or its text.
    Double,
    /// A boolean, or its text in any case.
    Boolean,
    /// As boolean, 0 and 1 too.
    Truth,
    /// ISO 8601 to UTC milliseconds.
    Date,
    /// An IPv4 or IPv6 literal, not rewritten.
    Ip,
    /// A MAC address: upper case, pairs joined by `-`.
    Mac,
    /// JSON text, parsed; what is no JSON text stays text.
    Json,
    /// JSON text of an object or of a list of objects, parsed.
    JsonObject,
    /// JSON text without an object in it, parsed.
    JsonScalars,
    /// A single value as a list of one.
    List,
    /// An object as it is; anything else is nothing, and no error.
    Object,
    /// An object of URL parts.
    Url,
    /// A value of a dictionary; what is not in it is nothing.
    Lookup(u16),
    /// What the host knows of it, by the kind of the question; of several values the first that it knows. Nothing, and
    /// no error, where it knows none.
    Ask(&'static str),
}

/// Values by key, for `as: lookup`.
#[derive(Debug)]
pub struct Dictionary {
    /// Whether keys are compared without case; they are in lower case then.
    pub ignore_case: bool,
    /// Keys, sorted, and JSON text.
    pub entries: &'static [(&'static str, &'static str)],
}

/// An object of the output.
#[derive(Debug)]
pub struct Object {
    /// Objects from the first below the root to this one.
    pub chain: &'static [u16],
    /// What opens the chain from each of its objects on: `"a":{"b":{` and `"b":{`.
    pub opens: &'static [Opening],
}

/// What opens objects.
pub type Opening = Padded<64>;

/// The key of a field, as it is written: `"key":`.
pub type Key = Padded<32>;

impl Object {
    /// Its own key, as JSON; empty for the root.
    pub(crate) fn key(&self) -> &'static str {
        self.opens.last().and_then(|open| open.text().strip_suffix(":{")).unwrap_or_default()
    }
}

/// A field of the output.
#[derive(Debug)]
pub struct Output {
    /// Object that holds it.
    pub object: u16,
    /// Its name.
    pub key: Key,
    /// Its value.
    pub from: From,
    /// Whether it is left out unless duplicates are preserved.
    pub duplicate: bool,
    /// The row of each value of `from`, as an index into [`Table::rows`]; none where the engine gives it, and where
    /// [`Lift`]s say it.
    pub rows: &'static [u16],
}

/// Where an output's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// A value of the scope.
    Value(u16),
    /// The first of several values that is there.
    First(&'static [u16]),
    /// An accumulator.
    Accumulator(u16),
    /// What the engine supplies.
    Builtin(Builtin),
    /// The unknown keys that the output's object keeps.
    Rest,
}

/// Fields that every document has, whatever its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// `@timestamp`
    Timestamp,
    /// `agent`
    Agent,
    /// `data_stream.dataset`
    Dataset,
    /// `data_stream.namespace`
    Namespace,
    /// `data_stream.type`
    Type,
    /// `ecs.version`
    EcsVersion,
    /// `error.message`
    ErrorMessage,
    /// `event.dataset`
    EventDataset,
    /// `event.ingested`
    Ingested,
    /// `event.module`
    Module,
    /// `event.original`
    Original,
    /// `tags`
    Tags,
    /// `<dataset>.unmapped`
    Unmapped,
}

impl Builtin {
    /// The fields of every document, by path; `unmapped` lies below the dataset.
    pub const ALL: [(&'static str, Builtin); 13] = [
        ("@timestamp", Builtin::Timestamp),
        ("agent", Builtin::Agent),
        ("data_stream.dataset", Builtin::Dataset),
        ("data_stream.namespace", Builtin::Namespace),
        ("data_stream.type", Builtin::Type),
        ("ecs.version", Builtin::EcsVersion),
        ("error.message", Builtin::ErrorMessage),
        ("event.dataset", Builtin::EventDataset),
        ("event.ingested", Builtin::Ingested),
        ("event.module", Builtin::Module),
        ("event.original", Builtin::Original),
        ("tags", Builtin::Tags),
        (".unmapped", Builtin::Unmapped),
    ];
}

impl Node {
    /// The kid of a key.
    #[inline(always)]
    pub(crate) fn kid(&self, key: &str) -> Option<&'static Kid> {
        let number = find(self.index, key, |number| self.kids.get(usize::from(number)).map(|kid| kid.key))?;
        self.kids.get(usize::from(number))
    }

    /// The kid of a key that is written with escapes.
    #[cold]
    #[inline(never)]
    pub(crate) fn kid_escaped(&self, key: &str) -> Option<&'static Kid> {
        self.kid(&unescape(key))
    }
}

/// The number of a key in a hash table; `at` gives the key of a number.
#[inline]
fn find(index: &[u16], key: &str, at: impl Fn(u16) -> Option<&'static str>) -> Option<u16> {
    let mask = index.len().wrapping_sub(1);
    let mut place = hash_key(key) & mask;
    loop {
        let number = *index.get(place)?;
        if same(at(number)?, key) {
            return Some(number);
        }
        place = (place + 1) & mask;
    }
}

/// The hash of a key in [`Node::index`]: its length and its first and last eight bytes, mixed. Keys that differ in the
/// middle only are told apart by the comparison that follows. It is not meant to withstand chosen keys: the table holds
/// the keys of the pipeline alone, and at least half of it is empty.
pub fn hash_key(key: &str) -> usize {
    let bytes = key.as_bytes();
    let word = |part: Option<&[u8; 8]>| part.map_or(0, |part| u64::from_le_bytes(*part));
    let mut first = word(bytes.first_chunk());
    let last = word(bytes.last_chunk());
    if bytes.len() < 8 {
        first = bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    }
    let length = u64::try_from(bytes.len()).unwrap_or_default();
    let mixed = (first ^ last.rotate_left(29) ^ length.rotate_left(53)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    usize::try_from(mixed >> 40).unwrap_or_default()
}
