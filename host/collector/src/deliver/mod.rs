//! From workers to the output, and back to the sources what is settled.
//!
//! What the workers of all inputs have mapped is gathered into sends, of which an output takes one or several side by side
//! (`lane`). A send goes out as soon as a lane is free, however little there is; what comes while all are busy waits
//! (`queue`) until there is enough for the next send, and then nothing more is taken: the channel behind it fills, workers and
//! sources wait, and memory stays as it is. Documents that the output does not take for the time being leave their lane to others while they
//! wait; no more than a fixed number of bytes is taken beyond the oldest of them.
//!
//! A document ends in one of three ways: delivered, there already, or in the dead-letter file (`letters`). Once that is so of all
//! documents of a delivery and of those before it (`tickets`), and output and dead-letter file are on disk, the source is
//! told, and its cursor is saved.

mod lane;
mod letters;
mod queue;
mod tickets;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use crate::checkpoint::{CheckpointError, Checkpoints};
use crate::dead_letter::DeadLetterFile;
use crate::http::{Retry, RetrySettings};
use crate::metrics::{Metrics, OutputMetrics};
use crate::output::{Documents, Limits, Output, OutputError};
use crate::source::Origin;
use lane::{Booked, Lane};
use letters::Letters;
use queue::Queue;
pub(crate) use queue::Selection;
use tickets::Tickets;

/// What is settled at least this often, so that little is read again after a crash; where saving takes longer, as long after it.
const SETTLE_EVERY: Duration = Duration::from_secs(1);
/// How long saving what is settled may take where delivery is told to end: whoever tells it so waits not much longer.
const SAVE: Duration = Duration::from_secs(4);
/// What is settled at least after so many bytes.
const SETTLE_BYTES: usize = 8 << 20;
/// Sends of each lane that may be delivered while an older one is tried again and again.
const AHEAD: u64 = 8;

/// What a worker hands over.
pub enum Event {
    /// Documents of a delivery that is being mapped.
    Documents(Arc<dyn Session>, Documents),
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
#[async_trait]
pub trait Session: Send + Sync {
    /// The input's id.
    fn input(&self) -> &str;
    /// The input's counts.
    fn metrics(&self) -> &Metrics;
    /// Takes all deliveries up to this one as settled, and saves the cursor.
    ///
    /// # Errors
    ///
    /// It cannot be saved, or is another process's to save.
    async fn settle(&self, sequence: u64, checkpoints: &dyn Checkpoints) -> Result<(), CheckpointError>;
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
    /// A send ended in a way that it must not: a defect of this program.
    #[error("a send ended in a way that it must not: {0}; please report this")]
    Lane(#[source] JoinError),
}

/// How delivery ended.
pub struct Delivered {
    /// Documents that were neither delivered nor set aside when it was told to end, by input.
    pub left: BTreeMap<String, usize>,
}

/// The stage itself.
pub struct Deliver<O> {
    output: Arc<O>,
    metrics: Arc<OutputMetrics>,
    limits: Limits,
    letters: Letters,
    checkpoints: Arc<dyn Checkpoints>,
    queue: Queue,
    tickets: Tickets,
    lanes: JoinSet<Result<(), DeliverError>>,
    /// A permit for each send that may be under way.
    free: Arc<Semaphore>,
    /// From the lanes: what is settled.
    booked: (mpsc::UnboundedSender<Booked>, mpsc::UnboundedReceiver<Booked>),
    /// Taken since cursors were saved.
    bytes: usize,
    /// When they are saved next.
    due: Instant,
}

impl<O: Output> Deliver<O> {
    /// Prepares delivery to an output.
    pub fn new(output: O, letters: DeadLetterFile, checkpoints: Arc<dyn Checkpoints>) -> Self {
        // Without end: the operator mends the output, and nothing is given up meanwhile.
        let retry = RetrySettings { max_attempts: u32::MAX, ..output.retry() };
        let limits = output.limits();
        Self {
            free: Arc::new(Semaphore::new(limits.lanes.max(1))),
            limits,
            output: Arc::new(output),
            letters: Letters { file: letters, retry },
            metrics: Arc::default(),
            checkpoints,
            queue: Queue::default(),
            tickets: Tickets::default(),
            lanes: JoinSet::new(),
            booked: mpsc::unbounded_channel(),
            bytes: 0,
            due: Instant::now() + SETTLE_EVERY,
        }
    }

    /// Counts in metrics that somebody reads.
    #[must_use]
    pub fn counting(self, metrics: Arc<OutputMetrics>) -> Self {
        Self { metrics, ..self }
    }

    /// Delivers until there are no more workers, or until `end`; then saves what is settled. Has to be called within a tokio
    /// runtime, on which the sends run.
    ///
    /// # Errors
    ///
    /// Nothing more can be delivered, or nothing more may be settled.
    pub async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
        end: impl Future<Output = ()>,
    ) -> Result<Delivered, DeliverError> {
        let told = tokio::select! {
            delivered = self.deliver(&mut events) => {
                delivered?;
                false
            }
            () = end => true,
        };
        if told {
            // What a send has under way is of unknown outcome; it is read again.
            self.lanes.shutdown().await;
            while let Ok((label, documents)) = self.booked.1.try_recv() {
                self.tickets.book(&label, documents);
            }
            match timeout(SAVE, self.settle()).await {
                Ok(settled) => settled?,
                Err(_) => tracing::error!(within = ?SAVE, "what was settled last is not saved, and is read again"),
            }
        } else {
            self.settle().await?;
        }
        // Workers that wait to hand over something learn that nobody takes it.
        events.close();
        while let Ok(event) = events.try_recv() {
            if let Event::Documents(session, documents) = event {
                self.tickets.give(session, documents.part.documents.len(), documents.part.ndjson.len());
            }
        }
        let own = self.output.summary().map(|own| format!("; {own}")).unwrap_or_default();
        tracing::info!("output: {}{own}", self.metrics);
        Ok(Delivered { left: self.tickets.left() })
    }

    async fn deliver(&mut self, events: &mut mpsc::Receiver<Event>) -> Result<(), DeliverError> {
        let mut more = true;
        loop {
            if self.tickets.has_ending() {
                self.settle().await?;
            }
            if !more && self.tickets.is_empty() {
                return Ok(());
            }
            tokio::select! {
                biased;
                Some((label, documents)) = self.booked.1.recv() => {
                    self.tickets.book(&label, documents);
                    if self.bytes >= SETTLE_BYTES && self.tickets.is_due() {
                        self.settle().await?;
                    }
                }
                Some(ended) = self.lanes.join_next() => ended.map_err(DeliverError::Lane)??,
                () = sleep_until(self.due), if self.tickets.is_due() => self.settle().await?,
                Ok(permit) = self.free.clone().acquire_owned(), if !self.queue.is_empty() => self.send(permit),
                event = events.recv(), if more && self.has_room() => match event {
                    Some(event) => self.take(event).await?,
                    None => more = false,
                },
            }
        }
    }

    fn has_room(&self) -> bool {
        let ahead = (AHEAD * self.limits.lanes.max(1) as u64).saturating_mul(self.limits.bytes as u64);
        !self.queue.is_full(&self.limits) && self.tickets.ahead() < ahead
    }

    async fn take(&mut self, event: Event) -> Result<(), DeliverError> {
        match event {
            Event::Documents(session, documents) => {
                let bytes = documents.part.ndjson.len();
                self.bytes += bytes;
                self.metrics.in_flight.add(bytes);
                let label = self.tickets.give(session, documents.part.documents.len(), bytes);
                self.queue.add(label, documents);
            }
            Event::Mapped { session, sequence, rejects } => {
                for reject in rejects {
                    self.letters.set_aside(&*session, &reject, &self.metrics).await?;
                }
                self.tickets.mapped(&session, sequence);
            }
            Event::Settle(session, ended) => self.tickets.end(&session, ended),
        }
        Ok(())
    }

    /// Begins a send.
    fn send(&mut self, permit: OwnedSemaphorePermit) {
        let parcel = self.queue.next(&self.limits);
        let lane = Lane {
            output: self.output.clone(),
            metrics: self.metrics.clone(),
            letters: self.letters.clone(),
            booked: self.booked.0.clone(),
            free: self.free.clone(),
        };
        self.lanes.spawn(lane.run(parcel, permit));
    }

    /// Settles what is mapped and delivered.
    async fn settle(&mut self) -> Result<(), DeliverError> {
        let began = Instant::now();
        if self.tickets.is_due() || self.tickets.has_ending() {
            self.bytes = 0;
            if self.tickets.is_due() {
                self.output.flush().await?;
                self.letters.file.sync().map_err(DeliverError::DeadLetters)?;
            }
            self.tickets.settle(&*self.checkpoints).await?;
        }
        // Nothing is sent meanwhile, so that is not all there is time for where cursors cannot be saved.
        self.due = Instant::now() + SETTLE_EVERY.max(began.elapsed());
        Ok(())
    }
}

/// Waits before something is tried again; says how long that was.
async fn pause(retry: &mut Retry<'_>, retry_after: Option<Duration>) -> Duration {
    let Some(wait) = retry.failed(retry_after) else { return Duration::ZERO };
    // Others go on meanwhile, however short it is.
    tokio::time::sleep(wait).await;
    wait
}

#[cfg(test)]
mod tests;
