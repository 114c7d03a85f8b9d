//! Facts that several processes share: one blob for each kind of component, into which each puts what it has found since it last did.
//!
//! A blob is replaced only where it has the ETag that was read last, so nobody overwrites what others found, however long he was
//! paused: he reads it first, and puts his own on top. Facts are a cache, so each process goes on with those it has while the
//! storage account does not answer.

use std::sync::Arc;

use crate::facts::{self, Facts, LONGEST};
use crate::http;
use crate::storage::{Condition, Container, Written};

/// Tries of one exchange: others may be faster.
const TRIES: usize = 3;
/// A first line, and the facts.
const LIMIT: usize = LONGEST + 1024;

/// The facts of one kind.
#[derive(Debug)]
pub(super) struct SharedFacts {
    facts: Arc<Facts>,
    blob: String,
    container: Container,
    /// As they were read or written last.
    etag: Option<String>,
}

impl SharedFacts {
    pub(super) fn new(facts: Arc<Facts>, blob: String, container: Container) -> Self {
        facts.share();
        Self { facts, blob, container, etag: None }
    }

    /// Takes what others have found, and gives them what this process has.
    pub(super) async fn exchange(&mut self) -> Result<(), http::Error> {
        for _ in 0..TRIES {
            if let Some((bytes, etag)) = self.container.read(&self.blob, LIMIT, self.etag.as_deref()).await? {
                self.etag = Some(etag);
                match facts::decode(&bytes) {
                    Ok(facts) => self.facts.merge(facts),
                    Err(reason) => {
                        tracing::warn!(
                            blob = self.blob,
                            reason,
                            "facts of other processes cannot be used and are replaced"
                        );
                    }
                }
            }
            let Some((all, own)) = self.facts.to_share(self.etag.is_none()) else { return Ok(()) };
            let condition = self.etag.as_deref().map_or(Condition::Absent, Condition::Unchanged);
            match self.container.upload(&self.blob, all, condition, None).await? {
                Written::Done { etag, .. } => {
                    self.etag = Some(etag);
                    self.facts.shared(own);
                    return Ok(());
                }
                // It is read anew.
                Written::Refused | Written::Missing => self.etag = None,
            }
        }
        Ok(())
    }
}
