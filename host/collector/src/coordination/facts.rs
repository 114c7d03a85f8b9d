//! Facts that several processes share: one blob for each kind of component, into which each puts what it has found since it last did.
//!
//! A blob is replaced only where it has the ETag that was read last, so nobody overwrites what others found, however long he was
//! paused: he reads it first, and puts his own on top. Facts are a cache, so each process goes on with those it has while the
//! storage account does not answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::facts::{self, Facts, LONGEST};
use crate::http;
use crate::storage::{Condition, Container, Written};

/// How often facts are exchanged: so much of them another process does not have after a crash.
const EVERY: Duration = Duration::from_secs(300);
/// How long a request may take, in which all facts may be on their way: tens of MB.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);
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

/// Exchanges facts with other processes.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    facts: Mutex<Vec<Arc<tokio::sync::Mutex<SharedFacts>>>>,
    more: Notify,
}

impl Exchange {
    /// Exchanges these from now on, too.
    pub(super) fn add(&self, facts: SharedFacts) {
        self.facts().push(Arc::new(tokio::sync::Mutex::new(facts)));
        self.more.notify_one();
    }

    fn facts(&self) -> MutexGuard<'_, Vec<Arc<tokio::sync::Mutex<SharedFacts>>>> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Exchanges them now and then.
    pub(super) async fn keep_exchanging(self: Arc<Self>) {
        loop {
            self.exchange().await;
            tokio::select! {
                () = sleep(EVERY) => {}
                () = self.more.notified() => {}
            }
        }
    }

    /// Exchanges them once. What fails is said, and done the next time.
    pub(super) async fn exchange(&self) {
        let all = self.facts().clone();
        for facts in all {
            if let Err(error) = facts.lock().await.exchange().await {
                tracing::warn!(%error, "facts are not exchanged with other processes for now; documents may lack what they have found");
            }
        }
    }
}
