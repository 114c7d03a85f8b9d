//! Where a guest writes its documents, and how they become parts.

use std::collections::BTreeMap;

use crate::host::{Document, Host, Level};
use crate::receipt::Drift;

/// Bytes of a part, at most, unless one document alone is longer: such a document is a part of its own.
///
/// Large enough that the crossing to the host costs nothing beside the mapping, small enough that a guest stays small
/// however long a record's documents are together.
pub const PART_SIZE: usize = 256 << 10;

/// What a guest says about a document that it has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Index into [`Descriptor::routes`](crate::Descriptor::routes).
    pub route: u32,
    /// The document's identity.
    pub id: u128,
    /// The document's `@timestamp`, milliseconds since 1970-01-01T00:00:00Z.
    pub time: i64,
    /// Place of the document's record in its source's order, 100 ns ticks since 1970-01-01T00:00:00Z; 0 where there is
    /// none.
    pub position: u64,
}

/// What a driver keeps of parts between pushes: buffers, so that they are allocated once.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    ndjson: Vec<u8>,
    documents: Vec<Document>,
}

/// Where a guest writes the documents of a record, and all else it has to say about it.
pub struct Documents<'a> {
    host: &'a mut dyn Host,
    buffers: &'a mut Buffers,
    /// Bytes of the buffer that are committed; what follows is the document being written.
    committed: usize,
    payload: u32,
    count: u32,
    drift: BTreeMap<String, u32>,
    facts: Vec<u8>,
}

impl<'a> Documents<'a> {
    pub(crate) fn new(host: &'a mut dyn Host, buffers: &'a mut Buffers) -> Self {
        buffers.ndjson.clear();
        buffers.documents.clear();
        Self { host, buffers, committed: 0, payload: 0, count: 0, drift: BTreeMap::new(), facts: Vec::new() }
    }

    /// The buffer to append one document to, its line feed included. Bytes that it already holds belong to documents
    /// committed before and must stay.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffers.ndjson
    }

    /// Ends the document appended since the last commit.
    pub fn commit(&mut self, meta: Meta) {
        let Buffers { ndjson, documents } = &mut *self.buffers;
        if ndjson.len() > PART_SIZE && self.committed > 0 {
            let (part, _) = ndjson.split_at(self.committed.min(ndjson.len()));
            self.host.write(part, documents);
            ndjson.drain(..self.committed.min(ndjson.len()));
            documents.clear();
            self.committed = 0;
        }
        let length = ndjson.len().saturating_sub(self.committed);
        documents.push(Document {
            payload: self.payload,
            length: u32::try_from(length).unwrap_or(u32::MAX),
            route: meta.route,
            id: meta.id,
            time: meta.time,
            position: meta.position,
        });
        self.count = self.count.saturating_add(1);
        self.committed = ndjson.len();
        if ndjson.len() >= PART_SIZE {
            self.flush();
        }
    }

    /// Forgets what was appended since the last commit.
    pub fn discard(&mut self) {
        self.buffers.ndjson.truncate(self.committed);
    }

    /// Counts a name that the mapping tables do not know.
    pub fn drift(&mut self, name: &str, count: u32) {
        match self.drift.get_mut(name) {
            Some(total) => *total = total.saturating_add(count),
            None => {
                self.drift.insert(name.to_owned(), count);
            }
        }
    }

    /// Appends facts to the receipt. They take effect through [`Guest::learn`](crate::Guest::learn) only.
    pub fn facts(&mut self, facts: &[u8]) {
        self.facts.extend_from_slice(facts);
    }

    /// Asks the host's own data for a JSON fragment. `kind` is `geo`, `as` or `user-agent`.
    pub fn lookup(&mut self, kind: &str, key: &str) -> Option<String> {
        self.host.find(kind, key)
    }

    /// Tells the operator of the host something. Never part of the result.
    pub fn report(&mut self, level: Level, message: &str) {
        self.host.report(level, message);
    }

    /// Documents that follow belong to this payload; the count of documents starts again.
    pub(crate) fn begin(&mut self, payload: u32) {
        self.payload = payload;
        self.count = 0;
    }

    /// Documents committed since `begin`.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Writes what is left and gives drift, ascending by name, and facts.
    pub(crate) fn end(mut self) -> (Vec<Drift>, Vec<u8>) {
        self.discard();
        self.flush();
        let drift = self.drift.into_iter().map(|(name, count)| Drift { name, count }).collect();
        (drift, self.facts)
    }

    fn flush(&mut self) {
        let Buffers { ndjson, documents } = &mut *self.buffers;
        if !documents.is_empty() {
            self.host.write(ndjson, documents);
        }
        ndjson.clear();
        documents.clear();
        self.committed = 0;
        // One long document must not hold its memory for the rest of the instance's life.
        ndjson.shrink_to(2 * PART_SIZE);
    }
}
