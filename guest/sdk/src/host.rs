//! The three imports of a component, as Rust sees them.

/// What surrounds a guest: where documents leave, the host's own data, and messages for its operator.
pub trait Host {
    /// Takes a part: documents, one a line, and one entry for each of them in the same order.
    fn write(&mut self, ndjson: &[u8], documents: &[Document]);

    /// Answers a question with a JSON fragment, or with none. `kind` is `geo`, `as` or `user-agent`.
    fn find(&mut self, kind: &str, key: &str) -> Option<String> {
        let _ = (kind, key);
        None
    }

    /// Takes a message for a person. Never part of the result.
    fn report(&mut self, level: Level, message: &str) {
        let _ = (level, message);
    }
}

/// What a host needs to deliver one document without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document {
    /// Index of the payload that the document's record came from; 0 when finishing.
    pub payload: u32,
    /// Bytes of the document, its line feed included.
    pub length: u32,
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

/// How much attention a message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// A host that keeps all documents in memory, answers no lookups and drops messages: for tests, benchmarks and fuzzing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// All documents, one a line.
    pub ndjson: Vec<u8>,
    /// One entry a document.
    pub documents: Vec<Document>,
}

impl Host for Memory {
    fn write(&mut self, ndjson: &[u8], documents: &[Document]) {
        self.ndjson.extend_from_slice(ndjson);
        self.documents.extend_from_slice(documents);
    }
}
