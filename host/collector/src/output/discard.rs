//! Documents that go nowhere, for measuring.

use xxhash_rust::xxh3::Xxh3;

use super::{Documents, Fate, Output, OutputError};

/// Counts documents and hashes their bytes, so that two runs can be compared.
#[derive(Default)]
pub struct Discard {
    documents: u64,
    bytes: u64,
    hash: Xxh3,
}

impl Output for Discard {
    async fn send(&mut self, documents: &Documents) -> Result<Vec<Fate>, OutputError> {
        let count = documents.part.documents.len();
        self.documents += count as u64;
        self.bytes += documents.part.ndjson.len() as u64;
        self.hash.update(&documents.part.ndjson);
        Ok(vec![Fate::Delivered; count])
    }

    async fn flush(&mut self) -> Result<(), OutputError> {
        Ok(())
    }

    fn summary(&self) -> Option<String> {
        let Self { documents, bytes, hash } = self;
        Some(format!("discarded {documents} documents of {bytes} bytes together, xxh3-64 {:016x}", hash.digest()))
    }
}
