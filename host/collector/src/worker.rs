//! The worker of an input: a plain thread that owns a pipeline and maps delivery after delivery.

use std::collections::BTreeSet;
use std::sync::Arc;

use defenderbeat_runtime::{Batch, Part, Receipt, SinkError, Transform};
use tokio::sync::mpsc;

use crate::checkpoint::{CheckpointError, Checkpoints, Generation};
use crate::deliver::{Event, Reject, Selection, Session};
use crate::metrics::Metrics;
use crate::source::{Delivery, Origin, Source};

/// Unknown names that are logged; more are only counted.
const DRIFT_NAMES: usize = 1000;

/// A run of a source, as delivery sees it.
pub(crate) struct Run<S> {
    pub(crate) input: String,
    pub(crate) streams: Arc<[String]>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) source: S,
    generation: std::sync::Mutex<Generation>,
}

impl<S: Source> Run<S> {
    pub(crate) fn new(
        input: String,
        streams: Arc<[String]>,
        metrics: Arc<Metrics>,
        source: S,
        generation: Generation,
    ) -> Self {
        Self { input, streams, metrics, source, generation: std::sync::Mutex::new(generation) }
    }
}

impl<S: Source> Session for Run<S> {
    fn input(&self) -> &str {
        &self.input
    }

    fn streams(&self) -> Arc<[String]> {
        self.streams.clone()
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    fn settle(&self, sequence: u64, checkpoints: &dyn Checkpoints) -> Result<(), CheckpointError> {
        let cursor = self.source.settled(sequence);
        let mut generation = self.generation.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *generation = checkpoints.commit(&self.input, *generation, &cursor)?;
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
}

/// Maps deliveries until there are no more.
pub(crate) fn work<S: Source>(
    mut pipeline: impl Transform,
    run: &Arc<Run<S>>,
    mut deliveries: mpsc::Receiver<Delivery>,
    events: &mpsc::Sender<Event>,
) -> Result<(), WorkerError> {
    let mut known = BTreeSet::new();
    while let Some(delivery) = deliveries.blocking_recv() {
        map(&mut pipeline, run, delivery, events, &mut known)?;
    }
    Ok(())
}

fn map<S: Source>(
    pipeline: &mut impl Transform,
    run: &Arc<Run<S>>,
    delivery: Delivery,
    events: &mpsc::Sender<Event>,
    known: &mut BTreeSet<String>,
) -> Result<(), WorkerError> {
    let Delivery { sequence, feed, received_at, payloads, origins } = delivery;
    let session: Arc<dyn Session> = run.clone();
    let batch = Batch { feed: feed.to_owned(), received_at, payloads };
    let receipt = if batch.payloads.is_empty() {
        Receipt::default()
    } else {
        let mut sink = |part: Part| -> Result<(), SinkError> {
            let part = fresh(run, sequence, part);
            if part.documents.is_empty() {
                return Ok(());
            }
            events.blocking_send(Event::Documents(session.clone(), part)).map_err(|_| WorkerError::Gone.into())
        };
        pipeline.push(&batch, &mut sink).map_err(|error| match error {
            defenderbeat_runtime::Error::Sink(_) => WorkerError::Gone,
            error => WorkerError::Mapping(error),
        })?
    };
    count(run, &batch, &receipt, known);
    let rejects = rejects(run, sequence, &batch, &origins, &receipt);
    let positions: Vec<u64> = receipt.tallies.iter().map(|tally| tally.position).collect();
    run.source.mapped(sequence, &positions);
    events.blocking_send(Event::Mapped { session, sequence, rejects }).map_err(|_| WorkerError::Gone)
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

fn count<S: Source>(run: &Run<S>, batch: &Batch, receipt: &Receipt, known: &mut BTreeSet<String>) {
    let metrics = &run.metrics;
    metrics.payloads.add(batch.payloads.len());
    metrics.bytes.add(batch.payloads.iter().map(bytes::Bytes::len).sum::<usize>());
    for tally in &receipt.tallies {
        metrics.records.add(tally.records);
        metrics.dropped.add(tally.dropped);
        metrics.rejected.add(tally.rejected);
    }
    for drift in &receipt.drift {
        metrics.drift.add(drift.count);
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
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use defenderbeat_runtime::Code;

    use super::*;
    use crate::source::Position;

    struct Nothing;

    impl Source for Nothing {
        type Error = Infallible;

        async fn next(&self) -> Result<Option<Delivery>, Infallible> {
            Ok(None)
        }

        fn fresh(&self, _: u64, _: u128, _: Position) -> bool {
            true
        }

        fn mapped(&self, _: u64, _: &[Position]) {}

        fn settled(&self, _: u64) -> String {
            String::new()
        }
    }

    #[test]
    fn a_reject_says_where_its_payload_came_from() {
        let origins = [4, 5].map(|number| Origin {
            eventhub: "events".to_owned(),
            partition: "0".to_owned(),
            sequence_number: Some(number),
            offset: None,
        });
        let run = Run::new("events".into(), Arc::new([]), Arc::default(), Nothing, 0);
        let payloads = vec![Bytes::from_static(b"{}"), Bytes::from_static(b"nonsense")];
        let batch = Batch { feed: "events".to_owned(), received_at: 0, payloads };
        let reject = defenderbeat_runtime::Reject {
            payload: 1,
            offset: 0,
            length: 8,
            id: 7,
            code: Code::Malformed,
            path: String::new(),
            message: "is not JSON".to_owned(),
        };
        let receipt = Receipt { rejects: vec![reject], ..Receipt::default() };
        let rejects = rejects(&run, 1, &batch, &origins, &receipt);
        let [reject] = rejects.as_slice() else { panic!("{rejects:?}") };
        assert_eq!((reject.origin.as_ref(), &*reject.bytes), (origins.last(), &b"nonsense"[..]));
    }
}
