//! Looks whether an input can be collected: fetches a page and maps it, and keeps nothing.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use defenderbeat_runtime::{Batch, Component, Lookup, Part, Pipeline, Transform as _};

use crate::config::{Agent, Input, Source as InputSource};
use crate::run::{InputCause, feed, setup};
use crate::source::defender::Defender;
use crate::source::event_hubs;
use crate::source::graph::Graph;
use crate::source::{Budget, DeadLetter, DeadLetters, Delivery, Source, Start, Step};

/// Deliveries that may come before the first record: a sync begins with some that have none.
const EMPTY: usize = 16;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probed {
    /// Records of a first batch, at most 1 MiB or 256 of them.
    Records {
        /// Records read.
        records: u64,
        /// Documents made of them.
        documents: usize,
        /// Records that could not be mapped.
        rejected: u64,
    },
    /// Event hubs; no message was received.
    EventHubs(Vec<event_hubs::Found>),
}

/// Fetches the first page of an input, as if it had never run, and maps a first batch of it. Saves nothing. Must be called
/// within a tokio runtime.
///
/// # Errors
///
/// Why it cannot be collected: a missing permission is named.
pub async fn probe(input: &Input, component: &Component, lookup: Arc<dyn Lookup>) -> Result<Probed, InputCause> {
    let start = Start {
        cursor: None,
        sent_since: None,
        owner: String::new(),
        once: true,
        budget: Budget::default(),
        max_record_size: input.max_record_size,
        dead_letters: Arc::new(Nowhere),
        metrics: Arc::default(),
    };
    let nobody = Agent { id: String::new(), name: String::new(), version: String::new(), ephemeral_id: String::new() };
    let open = |sync_start| {
        let setup = setup(input, &nobody, component, lookup.clone());
        let settings = input.component_settings(&nobody, false, sync_start);
        Pipeline::open(component, if sync_start.is_some() { setup.with_settings(settings) } else { setup })
    };
    match &input.source {
        InputSource::Graph(settings) => {
            let mut settings = settings.clone();
            settings.retry.max_attempts = 1;
            first(Graph::open(feed(input.kind), &settings, start)?, open).await
        }
        InputSource::Defender(settings) => {
            let mut settings = settings.clone();
            settings.retry.max_attempts = 1;
            first(Defender::open(&settings, start)?, open).await
        }
        InputSource::EventHubs(settings) => Ok(Probed::EventHubs(event_hubs::probe(settings).await?)),
    }
}

/// Maps the first records that a source gives.
async fn first<S: Source>(
    source: S,
    open: impl Fn(Option<i64>) -> defenderbeat_runtime::Result<Pipeline>,
) -> Result<Probed, InputCause>
where
    InputCause: From<S::Error>,
{
    let mut sync_start = None;
    for _ in 0..EMPTY {
        let Some(delivery) = source.next().await? else { break };
        let Delivery { sequence, feed, received_at, payloads, step, .. } = delivery;
        if let Some(Step::Begin(start)) = step {
            sync_start = Some(start);
        }
        // A cycle that failed says so in a record; the source says it next.
        if !payloads.is_empty() && !payloads.iter().all(is_failure) {
            let batch = Batch { feed: feed.to_owned(), received_at, payloads };
            let mut documents = 0;
            let mut sink = |part: Part| {
                documents += part.documents.len();
                Ok(())
            };
            let receipt = open(sync_start)?.push(&batch, &mut sink)?;
            let (records, rejected) = receipt.tallies.iter().fold((0_u64, 0_u64), |(records, rejected), tally| {
                (records + u64::from(tally.records), rejected + u64::from(tally.rejected))
            });
            return Ok(Probed::Records { records, documents, rejected });
        }
        source.mapped(sequence, &[]);
        source.settled(sequence);
        source.saved(sequence);
    }
    Ok(Probed::Records { records: 0, documents: 0, rejected: 0 })
}

fn is_failure(payload: &Bytes) -> bool {
    payload.starts_with(b"{\"error\":")
}

/// Records that are too long are forgotten.
#[derive(Debug)]
struct Nowhere;

impl DeadLetters for Nowhere {
    fn open(&self, _: &str, _: i64) -> io::Result<Box<dyn DeadLetter>> {
        Ok(Box::new(Forgotten))
    }
}

struct Forgotten;

impl DeadLetter for Forgotten {
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn id(&self) -> u128 {
        0
    }

    fn keep(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}
