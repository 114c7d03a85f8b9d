//! What a component makes of a case.

use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use defenderbeat_runtime::{Batch, Component, Document, Lookup, Part, Pipeline, Receipt, Setup, SinkError, Transform};

/// When every record of a golden case was received: 2025-01-01T00:00:00Z.
pub(super) const RECEIVED_AT: i64 = 1_735_689_600_000;

/// The settings and the data of the host that a case brings along.
#[derive(Clone)]
pub(super) struct Surroundings {
    /// Settings of the component, JSON text.
    pub(super) settings: String,
    /// The only answers to the component's questions.
    pub(super) lookup: Arc<dyn Lookup>,
}

/// Payloads of one feed.
pub(super) struct Push {
    /// The feed; none: the component's first.
    pub(super) feed: Option<String>,
    pub(super) payloads: Vec<Bytes>,
}

/// Documents and receipts of all pushes, and of finishing where the case does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Documents, one a line.
    pub(super) ndjson: Vec<u8>,
    /// One entry a document.
    pub(super) documents: Vec<Document>,
    /// One a push, then that of finishing.
    pub(super) receipts: Vec<Receipt>,
}

impl Outcome {
    /// The documents as lines of text.
    pub(super) fn lines(&self) -> Result<Vec<&str>> {
        let text = std::str::from_utf8(&self.ndjson).context("a document is not UTF-8")?;
        Ok(text.lines().collect())
    }
}

/// Pushes everything into a pipeline of its own, which learns the facts of each push before the next.
pub(super) fn make(
    component: &Component,
    surroundings: &Surroundings,
    pushes: &[Push],
    finish: bool,
) -> Result<Outcome> {
    let Surroundings { settings, lookup } = surroundings.clone();
    let mut pipeline = Pipeline::open(component, Setup::new(settings).with_lookup(lookup))?;
    let first = component.descriptor().feeds.first().context("the component has no feed")?.name.clone();
    let mut outcome = Outcome::default();
    for push in pushes {
        let batch = Batch {
            feed: push.feed.clone().unwrap_or_else(|| first.clone()),
            received_at: RECEIVED_AT,
            payloads: push.payloads.clone(),
        };
        let receipt = pipeline.push(&batch, &mut gather(&mut outcome))?;
        pipeline.learn(&receipt.facts)?;
        outcome.receipts.push(receipt);
    }
    if finish {
        let receipt = pipeline.finish(&mut gather(&mut outcome))?;
        outcome.receipts.push(receipt);
    }
    Ok(outcome)
}

fn gather(outcome: &mut Outcome) -> impl FnMut(Part) -> Result<(), SinkError> {
    |part| {
        outcome.ndjson.extend_from_slice(&part.ndjson);
        outcome.documents.extend_from_slice(&part.documents);
        Ok(())
    }
}
