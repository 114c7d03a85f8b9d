//! What became of a batch.

use std::borrow::Cow;

/// The fate of every record of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// One a payload, in order; finishing gives one with no records.
    pub tallies: Vec<Tally>,
    /// Bytes that gave no document, in the order in which they were met.
    pub rejects: Vec<Reject>,
    /// Names that the mapping tables do not know, ascending.
    pub drift: Vec<Drift>,
    /// Facts found in the batch, to be learned by every instance.
    pub facts: Vec<u8>,
}

/// What became of the records of one payload: `records = mapped + held + dropped + rejected`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records found in the payload.
    pub records: u32,
    /// Records that left as documents.
    pub mapped: u32,
    /// Records kept as input of a join.
    pub held: u32,
    /// Records that a rule leaves out.
    pub dropped: u32,
    /// Records that could not become documents.
    pub rejected: u32,
    /// Documents written.
    pub documents: u32,
    /// The highest position of all records.
    pub position: u64,
}

/// Bytes of a payload that gave no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Index of the payload in the batch.
    pub payload: u32,
    /// Where the bytes begin in the payload.
    pub offset: u64,
    /// How many they are.
    pub length: u64,
    /// Their [`hash`]: the same bytes have the same id.
    pub id: u128,
    /// The kind of fault.
    pub code: Code,
    /// Where in the record, as a JSONPath; empty where it is the whole.
    pub path: String,
    /// The fault, for a person.
    pub message: Cow<'static, str>,
}

/// Why bytes could not become a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Not a JSON object, or broken JSON.
    Malformed,
    /// Longer than the record size limit.
    Oversized,
}

/// A name that the mapping tables do not know, and how often it was met. Names that begin with `unmatched ` count what a
/// join did not find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The name, with its path where it is nested.
    pub name: String,
    /// How often the batch held it.
    pub count: u32,
}

/// The identity of bytes that have no identity of their own: XXH3-128 with seed 0, frozen.
#[must_use]
pub fn hash(bytes: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(bytes)
}
