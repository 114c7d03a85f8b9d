//! The workers of an input: plain threads, each with an instance of the component, that map deliveries side by side.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use async_trait::async_trait;
use defenderbeat_runtime::{Batch, Part, Receipt, SinkError, Transform, Usage};
use tokio::sync::mpsc;

use crate::checkpoint::{CheckpointError, Checkpoints, Generation};
use crate::deliver::{Event, Reject, Selection, Session};
use crate::mapper::Mapper;
use crate::metrics::{Call, Metrics};
use crate::monitor::Taps;
use crate::output::Documents;
use crate::source::{Delivery, Origin, Position, Source, Trapped};
use crate::sync::{Syncs, is_unmatched};
use crate::turns::Turns;

/// Unknown names that are logged; more are only counted.
const DRIFT_NAMES: usize = 1000;

/// A run of a source, as its workers and delivery see it.
pub(crate) struct Run<S> {
    pub(crate) input: String,
    pub(crate) streams: Arc<[String]>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) source: S,
    generation: tokio::sync::Mutex<Generation>,
    /// Unknown names that were logged.
    known: Mutex<BTreeSet<String>>,
    turns: Turns<Mapped>,
    taps: Option<Arc<Taps>>,
}

/// What is to be told of a delivery that is mapped.
struct Mapped {
    positions: Vec<Position>,
    rejects: Vec<Reject>,
    trapped: Option<Trapped>,
}

impl<S: Source> Run<S> {
    /// A run with so many workers.
    pub(crate) fn new(
        input: String,
        streams: Arc<[String]>,
        metrics: Arc<Metrics>,
        source: S,
        generation: Generation,
        workers: usize,
    ) -> Self {
        let generation = tokio::sync::Mutex::new(generation);
        let (known, turns) = (Mutex::default(), Turns::new(workers));
        Self { input, streams, metrics, source, generation, known, turns, taps: None }
    }

    /// Shows samples of what passes.
    pub(crate) fn tapped(self, taps: Option<Arc<Taps>>) -> Self {
        Self { taps, ..self }
    }
}

#[async_trait]
impl<S: Source> Session for Run<S> {
    fn input(&self) -> &str {
        &self.input
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    async fn settle(&self, sequence: u64, checkpoints: &dyn Checkpoints) -> Result<(), CheckpointError> {
        let cursor = self.source.settled(sequence);
        let mut generation = self.generation.lock().await;
        *generation = checkpoints.commit(&self.input, *generation, &cursor).await?;
        self.source.saved(sequence);
        Ok(())
    }
}

/// Why a worker ended early. Nothing of the delivery it was at is settled.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The component failed on a delivery as a whole.
    #[error("mapping: {0}")]
    Mapping(#[source] defenderbeat_runtime::Error),
    /// Delivery has ended, and says why.
    #[error("delivery has ended")]
    Gone,
    /// A thread cannot be started, or ended in a way that it must not.
    #[error("{0}")]
    Thread(String),
}

/// The workers of a session: threads that each own an instance of the component and take deliveries in turn.
pub(crate) struct Crew {
    ended: mpsc::UnboundedReceiver<Result<(), WorkerError>>,
    working: usize,
}

impl Crew {
    /// Starts a thread for each mapper. They end when there are no more deliveries.
    ///
    /// # Errors
    ///
    /// A thread cannot be started.
    pub(crate) fn start<S: Source, T: Transform + 'static>(
        mappers: Vec<Mapper<T>>,
        run: &Arc<Run<S>>,
        deliveries: mpsc::Receiver<Delivery>,
        events: &mpsc::Sender<Event>,
    ) -> Result<Self, WorkerError> {
        let (tell, ended) = mpsc::unbounded_channel();
        let deliveries = Arc::new(Mutex::new(deliveries));
        let working = mappers.len();
        for (mut mapper, number) in mappers.into_iter().zip(1..) {
            let (run, deliveries, events, tell) = (run.clone(), deliveries.clone(), events.clone(), tell.clone());
            let name = format!("worker {number} {}", run.input);
            let failed = format!("starting thread {name}");
            let spawned = thread::Builder::new().name(name).spawn(move || {
                let defect = "a worker ended in a way that it must not; please report this with the log";
                let mut leave = Leave { turns: &run.turns, tell, worked: Err(WorkerError::Thread(defect.to_owned())) };
                leave.worked = work(&mut mapper, &run, &deliveries, &events);
            });
            spawned.map_err(|error| WorkerError::Thread(format!("{failed}: {error}")))?;
        }
        Ok(Self { ended, working })
    }

    /// Waits until all have ended, or one has failed; then it may be called again. May be dropped and called again.
    ///
    /// # Errors
    ///
    /// Why one failed.
    pub(crate) async fn ended(&mut self) -> Result<(), WorkerError> {
        while self.working > 0 {
            match self.ended.recv().await {
                Some(ended) => {
                    self.working -= 1;
                    ended?;
                }
                // Each has told.
                None => self.working = 0,
            }
        }
        Ok(())
    }
}

/// Tells how a worker has ended, however that was: the others must not wait for it.
struct Leave<'a> {
    turns: &'a Turns<Mapped>,
    tell: mpsc::UnboundedSender<Result<(), WorkerError>>,
    worked: Result<(), WorkerError>,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if self.worked.is_err() {
            self.turns.give_up();
        }
        // Nobody waits any more where the process is about to end.
        let _ = self.tell.send(std::mem::replace(&mut self.worked, Ok(())));
    }
}

/// Maps deliveries until there are no more, or another worker has failed.
fn work<S: Source, T: Transform>(
    mapper: &mut Mapper<T>,
    run: &Arc<Run<S>>,
    deliveries: &Mutex<mpsc::Receiver<Delivery>>,
    events: &mpsc::Sender<Event>,
) -> Result<(), WorkerError> {
    // The lock is held while waiting, so deliveries are taken in order; it is given back before one is mapped.
    let take = || deliveries.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
    let mut syncs = Syncs::default();
    let mut used = Used::new(&run.metrics);
    used.note(mapper.usage());
    while !run.turns.is_given_up()
        && let Some(delivery) = take()
    {
        let mapped = map(mapper, &mut syncs, run, delivery, events);
        used.note(mapper.usage());
        mapped?;
    }
    Ok(())
}

/// Adds what a worker's component uses to that of the others.
struct Used<'a> {
    metrics: &'a Metrics,
    before: Usage,
}

impl<'a> Used<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.workers.add(1);
        Self { metrics, before: Usage::default() }
    }
}

impl Used<'_> {
    fn note(&mut self, now: Usage) {
        let Usage { memory, traps, fuel } = std::mem::replace(&mut self.before, now);
        self.metrics.memory.add(now.memory);
        self.metrics.memory.sub(memory);
        self.metrics.traps.add(now.traps.saturating_sub(traps));
        self.metrics.fuel.add(now.fuel.saturating_sub(fuel));
    }
}

impl Drop for Used<'_> {
    fn drop(&mut self) {
        self.note(Usage { memory: 0, ..self.before });
        self.metrics.workers.sub(1);
    }
}

fn map<S: Source, T: Transform>(
    mapper: &mut Mapper<T>,
    syncs: &mut Syncs,
    run: &Arc<Run<S>>,
    delivery: Delivery,
    events: &mpsc::Sender<Event>,
) -> Result<(), WorkerError> {
    let Delivery { sequence, feed, received_at, payloads, origins, step, sent_since } = delivery;
    let session: Arc<dyn Session> = run.clone();
    let call = Call::begin(&run.metrics);
    let payloads = syncs.begin(mapper, step, payloads, &run.metrics).map_err(WorkerError::Mapping)?;
    let batch = Batch { feed: feed.to_owned(), received_at, payloads };
    let mut sink = |part: Part| -> Result<(), SinkError> {
        run.metrics.documents.add(part.documents.len());
        let part = fresh(run, sequence, part);
        if part.documents.is_empty() {
            return Ok(());
        }
        let documents = Documents { part, streams: run.streams.clone(), sent_since };
        if let Some(taps) = &run.taps {
            taps.documents(&run.input, &documents);
        }
        let event = Event::Documents(session.clone(), documents);
        call.outside(|| events.blocking_send(event)).map_err(|_| WorkerError::Gone.into())
    };
    let failed = |error| match error {
        defenderbeat_runtime::Error::Sink(_) => WorkerError::Gone,
        error => WorkerError::Mapping(error),
    };
    let (receipt, mut trapped) = if batch.payloads.is_empty() {
        (Receipt::default(), None)
    } else {
        syncs.push(mapper, &batch, &mut sink).map_err(failed)?
    };
    count(run, &batch, &receipt);
    let rejects = rejects(run, sequence, &batch, &origins, &receipt);
    if let Some(taps) = &run.taps {
        rejects.iter().for_each(|reject| taps.reject(&run.input, reject));
    }
    let positions = receipt.tallies.iter().map(|tally| tally.position).collect();
    if trapped.is_none() {
        trapped = syncs.end(mapper, step, &run.input, &run.metrics, &mut sink).map_err(failed)?;
    }
    drop(call);
    // All documents of it have left before, whoever tells.
    run.turns.end(sequence, Mapped { positions, rejects, trapped }, |sequence, mapped| {
        let Mapped { positions, rejects, trapped } = mapped;
        if let Some(trapped) = trapped {
            run.source.trapped(sequence, trapped);
        }
        run.source.mapped(sequence, &positions);
        let mapped = Event::Mapped { session: session.clone(), sequence, rejects };
        events.blocking_send(mapped).map_err(|_| WorkerError::Gone)
    })
}

/// The documents of a part that have not left before.
fn fresh<S: Source>(run: &Run<S>, sequence: u64, part: Part) -> Part {
    let fresh: Vec<bool> =
        part.documents.iter().map(|document| run.source.fresh(sequence, document.id, document.position)).collect();
    let repeated = fresh.iter().filter(|fresh| !**fresh).count();
    if repeated == 0 {
        return part;
    }
    run.metrics.repeated.add(repeated);
    let mut selection = Selection::default();
    for ((document, bytes), fresh) in part.iter().zip(fresh) {
        if fresh {
            selection.add(document, &bytes);
        }
    }
    selection.into_part()
}

fn rejects<S: Source>(
    run: &Run<S>,
    sequence: u64,
    batch: &Batch,
    origins: &[Origin],
    receipt: &Receipt,
) -> Vec<Reject> {
    let mut rejects = Vec::new();
    for reject in &receipt.rejects {
        if !run.source.fresh(sequence, reject.id, 0) {
            continue;
        }
        let at = usize::try_from(reject.payload).unwrap_or(usize::MAX);
        let payload = batch.payloads.get(at);
        let begin = usize::try_from(reject.offset).unwrap_or(usize::MAX);
        let end = begin.saturating_add(usize::try_from(reject.length).unwrap_or(usize::MAX));
        let bytes = payload.filter(|payload| end <= payload.len()).map(|payload| payload.slice(begin..end));
        rejects.push(Reject {
            feed: batch.feed.clone(),
            received_at: batch.received_at,
            origin: origins.get(at).cloned(),
            id: reject.id,
            code: reject.code.as_str(),
            path: reject.path.clone(),
            message: reject.message.clone(),
            bytes: bytes.unwrap_or_default(),
        });
    }
    rejects
}

fn count<S: Source>(run: &Run<S>, batch: &Batch, receipt: &Receipt) {
    let metrics = &run.metrics;
    let mut known = run.known.lock().unwrap_or_else(PoisonError::into_inner);
    metrics.payloads.add(batch.payloads.len());
    metrics.bytes.add(batch.payloads.iter().map(bytes::Bytes::len).sum::<usize>());
    for tally in &receipt.tallies {
        metrics.records.add(tally.records);
        metrics.dropped.add(tally.dropped);
        metrics.rejected.add(tally.rejected);
    }
    metrics.facts.add(receipt.facts.len());
    for drift in &receipt.drift {
        if is_unmatched(drift) {
            metrics.unmatched.add(drift.count);
            continue;
        }
        metrics.drift.add(&drift.name, drift.count);
        if known.len() < DRIFT_NAMES && known.insert(drift.name.clone()) {
            tracing::info!(
                input = run.input,
                name = drift.name,
                "records have a property that this version does not know; it is kept under `unmapped`"
            );
        }
    }
}

#[cfg(test)]
#[path = "worker_tests.rs"]
pub(crate) mod tests;
