//! From workers to the output, and back to the sources what is settled.
//!
//! One thread owns the output and takes what the workers of all inputs have mapped, in order. A document ends in one of
//! three ways: delivered, there already, or in the dead-letter file. Only then, and once output and dead-letter file are on
//! disk, the source is told, and its cursor is saved. What the output does not take for the time being waits here; the
//! channel behind it fills, workers and sources wait, and memory stays as it is.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use defenderbeat_runtime::{Document, Part};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};

use crate::checkpoint::{CheckpointError, Checkpoints};
use crate::dead_letter::{Content, DeadLetterFile, Letter, timestamp};
use crate::http::{Retry, RetrySettings};
use crate::metrics::Metrics;
use crate::output::{Documents, Fate, Output, OutputError, Refusal, Sent};
use crate::source::Origin;

/// What is settled at least this often, so that little is read again after a crash.
const SETTLE_EVERY: Duration = Duration::from_secs(1);
/// What is settled at least after so many bytes.
const SETTLE_BYTES: usize = 8 << 20;

/// What a worker hands over.
pub enum Event {
    /// Documents of a delivery that is being mapped.
    Documents(Arc<dyn Session>, Part),
    /// A delivery is mapped; all its documents came before.
    Mapped {
        /// Whose.
        session: Arc<dyn Session>,
        /// Which.
        sequence: u64,
        /// What could not be mapped.
        rejects: Vec<Reject>,
    },
    /// A session ends: asks to settle what came before, and to say whether its cursor is saved.
    Settle(Arc<dyn Session>, oneshot::Sender<Result<(), CheckpointError>>),
}

/// A record that could not be mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The feed it came from.
    pub feed: String,
    /// When it was received, milliseconds since 1970-01-01T00:00:00Z.
    pub received_at: i64,
    /// Where it comes from, where the source says so.
    pub origin: Option<Origin>,
    /// Hash of its bytes.
    pub id: u128,
    /// The kind of fault.
    pub code: &'static str,
    /// Where in the record, as a JSONPath.
    pub path: String,
    /// The cause.
    pub message: String,
    /// The record.
    pub bytes: Bytes,
}

/// A run of one input's source, from a checkpoint on.
pub trait Session: Send + Sync {
    /// The input's id.
    fn input(&self) -> &str;
    /// Names of the data streams by route.
    fn streams(&self) -> Arc<[String]>;
    /// The input's counts.
    fn metrics(&self) -> &Metrics;
    /// Takes all deliveries up to this one as settled, and saves the cursor.
    ///
    /// # Errors
    ///
    /// It cannot be saved.
    fn settle(&self, sequence: u64, checkpoints: &dyn Checkpoints) -> Result<(), CheckpointError>;
}

/// Why delivery ended.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// The output will take nothing more.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A cursor must not be saved.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// What was written to the dead-letter file may be lost, so that nothing after it may be settled.
    #[error(
        "syncing the dead-letter file to disk: {0}; records that were not settled are read again after the next start"
    )]
    DeadLetters(#[source] io::Error),
    /// The output broke its own contract: a defect of this program.
    #[error("the output gave {fates} fates for {documents} documents; please report this")]
    Fates {
        /// Fates given.
        fates: usize,
        /// Documents sent.
        documents: usize,
    },
}

/// The stage itself.
pub struct Deliver<O> {
    output: O,
    letters: DeadLetterFile,
    checkpoints: Arc<dyn Checkpoints>,
    retry: RetrySettings,
    /// Deliveries that are mapped and not settled: the last of each session.
    waiting: Vec<(Arc<dyn Session>, u64)>,
    bytes: usize,
    since: Instant,
}

impl<O: Output> Deliver<O> {
    /// Prepares delivery to an output.
    pub fn new(output: O, letters: DeadLetterFile, checkpoints: Arc<dyn Checkpoints>) -> Self {
        // Without end: the operator mends the output, and nothing is given up meanwhile.
        let retry = RetrySettings { max_attempts: u32::MAX, ..output.retry() };
        Self { output, letters, checkpoints, retry, waiting: Vec::new(), bytes: 0, since: Instant::now() }
    }

    /// Waits between tries as these settings say.
    #[must_use]
    pub fn with_retry(mut self, retry: RetrySettings) -> Self {
        self.retry = retry;
        self
    }

    /// Delivers until there are no more workers; gives the output back.
    ///
    /// # Errors
    ///
    /// Nothing more can be delivered, or nothing more may be settled.
    pub async fn run(mut self, mut events: mpsc::Receiver<Event>) -> Result<O, DeliverError> {
        loop {
            let event = if self.waiting.is_empty() {
                events.recv().await
            } else {
                let due = SETTLE_EVERY.saturating_sub(self.since.elapsed());
                match tokio::time::timeout(due, events.recv()).await {
                    Ok(event) => event,
                    Err(_) => {
                        self.settle().await?;
                        continue;
                    }
                }
            };
            let Some(event) = event else {
                self.settle().await?;
                return Ok(self.output);
            };
            match event {
                Event::Documents(session, part) => self.deliver(&*session, part).await?,
                Event::Mapped { session, sequence, rejects } => {
                    for reject in rejects {
                        self.set_aside(&*session, &reject).await;
                    }
                    match self.waiting.iter_mut().find(|(other, _)| Arc::ptr_eq(other, &session)) {
                        Some((_, last)) => *last = sequence,
                        None => self.waiting.push((session, sequence)),
                    }
                    if self.bytes >= SETTLE_BYTES || self.since.elapsed() >= SETTLE_EVERY {
                        self.settle().await?;
                    }
                }
                Event::Settle(session, done) => {
                    self.settle().await?;
                    // What could not be saved is tried once more; a later session must not meet this one's cursor.
                    let unsaved = self.waiting.iter().position(|(other, _)| Arc::ptr_eq(other, &session));
                    let result = match unsaved.map(|at| self.waiting.swap_remove(at)) {
                        Some((session, sequence)) => session.settle(sequence, &*self.checkpoints),
                        None => Ok(()),
                    };
                    // Whoever asked may have gone.
                    let _ = done.send(result);
                }
            }
        }
    }

    /// Sends documents until each has its fate.
    async fn deliver(&mut self, session: &dyn Session, part: Part) -> Result<(), DeliverError> {
        self.bytes += part.ndjson.len();
        let retry_settings = self.retry.clone();
        let mut retry = Retry::new(&retry_settings);
        let mut documents = Documents { part, streams: session.streams(), sent_since: None };
        loop {
            let since = chrono::Utc::now().timestamp_millis();
            let retry_after = match self.output.send(std::slice::from_ref(&documents)).await {
                Ok(Sent { fates, retry_after }) => {
                    if fates.contains(&Fate::Unknown) {
                        documents.sent_since.get_or_insert(since);
                    }
                    documents.part = self.fates(session, &documents, fates).await?;
                    if documents.part.documents.is_empty() {
                        return Ok(());
                    }
                    session.metrics().retried.add(documents.part.documents.len());
                    retry_after
                }
                Err(error) if error.is_transient() => {
                    tracing::error!(input = session.input(), %error, "not delivered");
                    error.retry_after()
                }
                Err(error) => return Err(error.into()),
            };
            pause(&mut retry, retry_after).await;
        }
    }

    /// Books fates; gives the documents that are to be sent again.
    async fn fates(
        &mut self,
        session: &dyn Session,
        documents: &Documents,
        fates: Vec<Fate>,
    ) -> Result<Part, DeliverError> {
        let count = documents.part.documents.len();
        if fates.len() != count {
            return Err(DeliverError::Fates { fates: fates.len(), documents: count });
        }
        let metrics = session.metrics();
        if fates.iter().all(|fate| *fate == Fate::Delivered) {
            metrics.delivered.add(count);
            return Ok(Part::default());
        }
        let mut again = Selection::default();
        for ((document, bytes), fate) in documents.part.iter().zip(fates) {
            match fate {
                Fate::Delivered => metrics.delivered.add(1_u64),
                Fate::Duplicate => metrics.duplicates.add(1_u64),
                Fate::Retry | Fate::Unknown => again.add(document, &bytes),
                Fate::FailureStore(refusal) | Fate::Refused(refusal) => {
                    self.refuse(session, document, &bytes, &refusal).await
                }
            }
        }
        Ok(again.into_part())
    }

    async fn set_aside(&self, session: &dyn Session, reject: &Reject) {
        tracing::warn!(
            input = session.input(),
            code = reject.code,
            path = reject.path,
            message = reject.message,
            bytes = reject.bytes.len(),
            file = %self.letters.path().display(),
            "a record cannot be mapped and goes to the dead letters"
        );
        let letter = Letter {
            timestamp: timestamp(reject.received_at),
            input: session.input(),
            feed: Some(&reject.feed),
            origin: reject.origin.as_ref(),
            code: reject.code,
            path: &reject.path,
            message: &reject.message,
            offset: None,
            id: format!("{:032x}", reject.id),
            content: Content::record(&reject.bytes),
        };
        self.append(session, &letter).await;
    }

    async fn refuse(&self, session: &dyn Session, document: &Document, bytes: &[u8], refusal: &Refusal) {
        let Refusal { code, message } = refusal;
        let id = format!("{:032x}", document.id);
        tracing::warn!(
            input = session.input(),
            id,
            code,
            message,
            "the output refuses a document: it goes to the dead letters"
        );
        let raw = serde_json::from_slice::<&RawValue>(bytes);
        let letter = Letter {
            timestamp: timestamp(chrono::Utc::now().timestamp_millis()),
            input: session.input(),
            feed: None,
            origin: None,
            code,
            path: "",
            message,
            offset: None,
            id,
            content: raw.map_or_else(|_| Content::record(bytes), Content::Document),
        };
        self.append(session, &letter).await;
    }

    /// Writes a letter, however long it takes: what is in it is nowhere else.
    async fn append(&self, session: &dyn Session, letter: &Letter<'_>) {
        let mut retry = Retry::new(&self.retry);
        while let Err(error) = self.letters.append(letter) {
            let file = self.letters.path().display();
            tracing::error!(input = session.input(), %file, %error, "the dead-letter file cannot be written: delivery waits for it");
            pause(&mut retry, None).await;
        }
        session.metrics().dead_letters.add(1_u64);
    }

    /// Settles what is mapped and delivered.
    async fn settle(&mut self) -> Result<(), DeliverError> {
        self.since = Instant::now();
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        self.output.flush().await?;
        self.letters.sync().map_err(DeliverError::DeadLetters)?;
        for (session, sequence) in std::mem::take(&mut self.waiting) {
            match session.settle(sequence, &*self.checkpoints) {
                Ok(()) => session.metrics().checkpoints.add(1_u64),
                Err(error) if error.is_transient() => {
                    // Later cursors say the same and more.
                    tracing::error!(input = session.input(), %error, "the cursor is not saved, but will be with the next one");
                    self.waiting.push((session, sequence));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

async fn pause(retry: &mut Retry<'_>, retry_after: Option<Duration>) {
    if let Some(wait) = retry.failed(retry_after) {
        tokio::time::sleep(wait).await;
    }
}

/// Some documents of a part.
#[derive(Default)]
pub(crate) struct Selection {
    ndjson: Vec<u8>,
    documents: Vec<Document>,
}

impl Selection {
    pub(crate) fn add(&mut self, document: &Document, bytes: &[u8]) {
        self.ndjson.extend_from_slice(bytes);
        self.documents.push(*document);
    }

    pub(crate) fn into_part(self) -> Part {
        Part { ndjson: self.ndjson.into(), documents: self.documents }
    }
}

#[cfg(test)]
#[path = "deliver_tests.rs"]
mod tests;
