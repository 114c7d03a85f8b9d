//! Documents that go nowhere, for measuring.

use std::sync::Mutex;

use xxhash_rust::xxh3::Xxh3;

use super::{Documents, LINES, Limits, Output, OutputError, Sent, lock};

/// Counts documents and hashes their bytes, so that two runs can be compared.
#[derive(Default)]
pub struct Discard(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    documents: u64,
    bytes: u64,
    hash: Xxh3,
}

impl Output for Discard {
    fn limits(&self) -> Limits {
        LINES
    }

    async fn send(&self, documents: &[Documents]) -> Result<Sent, OutputError> {
        let mut counts = lock(&self.0);
        for Documents { part, .. } in documents {
            counts.documents += part.documents.len() as u64;
            counts.bytes += part.ndjson.len() as u64;
            counts.hash.update(&part.ndjson);
        }
        Ok(Sent::delivered(documents))
    }

    async fn flush(&self) -> Result<(), OutputError> {
        Ok(())
    }

    fn summary(&self) -> Option<String> {
        let counts = lock(&self.0);
        let Counts { documents, bytes, hash } = &*counts;
        Some(format!("discarded {documents} documents of {bytes} bytes together, xxh3-64 {:016x}", hash.digest()))
    }
}
