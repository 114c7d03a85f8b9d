//! The shapes of the contract, as Rust sees them.

use bytes::Bytes;

/// What a component is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The component's name, such as `alert`.
    pub name: String,
    /// The component's own version.
    pub version: String,
    /// Version of the Elastic Common Schema its documents follow.
    pub ecs_version: String,
    /// Digest of the mapping tables, hexadecimal.
    pub tables: String,
    /// Kinds of input.
    pub feeds: Vec<Feed>,
    /// Data streams by dataset, such as `m365_defender.alert`.
    pub routes: Vec<String>,
}

impl Descriptor {
    /// The feed of a name.
    pub fn feed(&self, name: &str) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.name == name)
    }
}

/// A kind of input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The feed's name, unique in the component.
    pub name: String,
    /// Keys under which an envelope keeps its records. Without any a payload is one record, whatever is in it.
    pub keys: Vec<String>,
    /// What the feed keeps between pushes.
    pub state: State,
}

/// What a feed keeps between pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// None: instances are replaced and run side by side at will.
    None,
    /// Facts, which leave in receipts and take effect through [`learn`](crate::Transform::learn) only.
    Facts,
    /// Pushes build on each other until the sync is finished.
    Sync,
}

/// Payloads of one feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The feed's name.
    pub feed: String,
    /// When the payloads were received, milliseconds since 1970-01-01T00:00:00Z.
    pub received_at: i64,
    /// Each complete: one record, or an envelope of many, in any accepted form.
    pub payloads: Vec<Bytes>,
}

/// Documents that left a guest together, verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The documents, one a line, each with its line feed.
    pub ndjson: Bytes,
    /// One entry a document, in the same order. Lengths add up to `ndjson`.
    pub documents: Vec<Document>,
}

impl Part {
    /// Each document with its bytes.
    pub fn iter(&self) -> impl Iterator<Item = (&Document, Bytes)> {
        let mut offset = 0;
        self.documents.iter().map(move |document| {
            let begin = offset;
            offset += document.length as usize;
            (document, self.ndjson.slice(begin..offset))
        })
    }
}

/// What a host needs to deliver one document without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document {
    /// Index of the payload that the document's record came from; 0 when finishing.
    pub payload: u32,
    /// Bytes of the document, its line feed included.
    pub length: u32,
    /// Index into [`Descriptor::routes`].
    pub route: u32,
    /// The document's identity.
    pub id: u128,
    /// The document's `@timestamp`, milliseconds since 1970-01-01T00:00:00Z.
    pub time: i64,
    /// Place in the source's order, 100 ns ticks since 1970-01-01T00:00:00Z; 0 where there is none.
    pub position: u64,
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// One a payload; finishing gives one with no records.
    pub tallies: Vec<Tally>,
    /// Bytes that gave no document.
    pub rejects: Vec<Reject>,
    /// Names that the tables do not know.
    pub drift: Vec<Drift>,
    /// Facts to be handed to [`learn`](crate::Transform::learn) of every instance; opaque.
    pub facts: Vec<u8>,
}

/// What became of the records of one payload: `records` = `mapped` + `held` + `dropped` + `rejected`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records found.
    pub records: u32,
    /// Records that left as documents.
    pub mapped: u32,
    /// Records kept as input of a join.
    pub held: u32,
    /// Records that a rule left out.
    pub dropped: u32,
    /// Records that could not become documents.
    pub rejected: u32,
    /// Documents.
    pub documents: u32,
    /// The highest position of all records.
    pub position: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Tally) {
        let Tally { records, mapped, held, dropped, rejected, documents, .. } = *other;
        self.records = self.records.saturating_add(records);
        self.mapped = self.mapped.saturating_add(mapped);
        self.held = self.held.saturating_add(held);
        self.dropped = self.dropped.saturating_add(dropped);
        self.rejected = self.rejected.saturating_add(rejected);
        self.documents = self.documents.saturating_add(documents);
        self.position = self.position.max(other.position);
    }
}

/// Bytes of a payload that gave no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Index of the payload.
    pub payload: u32,
    /// First byte in the payload.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
    /// XXH3-128 of the bytes: the same bytes have the same id.
    pub id: u128,
    /// Why.
    pub code: Code,
    /// Where in the record, as a JSONPath; empty where it is the whole.
    pub path: String,
    /// The cause, for a person.
    pub message: String,
}

/// Why bytes gave no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// Not a JSON object, or broken JSON.
    Malformed,
    /// Longer than the record size limit.
    Oversized,
    /// The guest panicked or did something that WebAssembly forbids.
    Trap,
    /// Mapping it took longer than the deadline.
    Deadline,
    /// Mapping it took more memory than allowed.
    Memory,
    /// Mapping it took more stack than allowed.
    Stack,
    /// It became a part that is larger than allowed.
    Part,
}

impl Code {
    /// The word for it in logs and dead letters.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Malformed => "malformed",
            Code::Oversized => "oversized",
            Code::Trap => "trap",
            Code::Deadline => "deadline",
            Code::Memory => "memory",
            Code::Stack => "stack",
            Code::Part => "part",
        }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A name that the tables do not know, and how often it was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The name.
    pub name: String,
    /// How often.
    pub count: u32,
}

/// How much attention a guest's message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warn,
    /// Good to know.
    Info,
    /// For a developer.
    Debug,
}

/// What a pipeline has used so far, and takes now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Linear memory of its instance, in bytes.
    pub memory: usize,
    /// Calls of all its instances that ended in a trap.
    pub traps: u64,
    /// Fuel that all its instances used, where the engine counts it.
    pub fuel: u64,
}

impl Usage {
    /// This and what another has used.
    pub fn with(self, other: Self) -> Self {
        Self {
            memory: self.memory.saturating_add(other.memory),
            traps: self.traps.saturating_add(other.traps),
            fuel: self.fuel.saturating_add(other.fuel),
        }
    }

    /// This and what another has used that is gone: its memory is free.
    pub fn with_gone(self, other: Self) -> Self {
        Self { memory: self.memory, ..self.with(other) }
    }
}
