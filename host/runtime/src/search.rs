//! The search for the record that trapped: a batch is run in halves until the culprit is alone.

use std::collections::BTreeMap;

use bytes::Bytes;
use defenderbeat_records::{DEFAULT_MAX_RECORD_SIZE, Piece, split};
use xxhash_rust::xxh3::xxh3_128;

use crate::error::{Error, Result};
use crate::host::{Failure, Progress};
use crate::imports::Sink;
use crate::instance::Instance;
use crate::pipeline::Pipeline;
use crate::types::{Batch, Code, Drift, Receipt, Reject, Tally};

/// A batch on its way through.
pub(crate) struct Run<'b> {
    batch: &'b Batch,
    keys: &'b [String],
    tallies: Vec<Tally>,
    rejects: Vec<Reject>,
    drift: BTreeMap<String, u32>,
    facts: Vec<u8>,
    progress: Vec<Progress>,
    traps: usize,
}

/// What is tried together with others or alone.
#[derive(Clone)]
pub(crate) struct Unit {
    /// Index of the payload in the batch.
    origin: usize,
    /// First byte in the payload.
    offset: u64,
    bytes: Bytes,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A payload of the batch.
    Payload,
    /// One record of a payload.
    Record,
    /// What is no record, or too long to tell.
    Rest,
}

impl Pipeline {
    /// Runs units; after a trap each half of them, until the culprit is alone in a new instance. A trap in an instance
    /// that was used before proves nothing against the record: it may come from what others left there.
    pub(crate) fn search(&mut self, run: &mut Run<'_>, units: &[Unit], sink: &mut dyn Sink) -> Result<()> {
        if run.traps > 0 && units.len() == 1 {
            self.retire();
        }
        let new = self.instance.as_ref().is_none_or(Instance::is_new);
        let (code, message) = match self.attempt(run, units, sink) {
            Ok(()) => return Ok(()),
            Err(Failure::Error(error)) => return Err(error),
            Err(Failure::Trap { code, message }) => (code, message),
        };
        run.traps += 1;
        if run.traps > self.setup.limits.traps {
            return Err(Error::Broken { traps: run.traps, message });
        }
        let unit = match units {
            [] => return Err(Error::Trap { code, message }),
            [unit] => unit,
            units => return self.halves(run, units, sink),
        };
        match run.cut(unit).as_deref() {
            Some([record]) if new => run.reject(record, code, message),
            Some(records) => self.halves(run, records, sink)?,
            None if new => run.reject(unit, code, message),
            None => self.search(run, units, sink)?,
        }
        Ok(())
    }

    fn halves(&mut self, run: &mut Run<'_>, units: &[Unit], sink: &mut dyn Sink) -> Result<()> {
        let (left, right) = units.split_at(units.len() / 2);
        for half in [left, right] {
            if !half.is_empty() {
                self.search(run, half, sink)?;
            }
        }
        Ok(())
    }

    /// Runs units once. A failure costs the instance.
    pub(crate) fn attempt(
        &mut self,
        run: &mut Run<'_>,
        units: &[Unit],
        sink: &mut dyn Sink,
    ) -> std::result::Result<(), Failure> {
        let payloads: Vec<Bytes> = units.iter().map(Unit::payload).collect();
        let origins: Vec<usize> = units.iter().map(|unit| unit.origin).collect();
        // A payload that is run again writes its documents again: they are counted from what is done with.
        for origin in &origins {
            if let (Some(progress), Some(tally)) = (run.progress.get_mut(*origin), run.tallies.get(*origin)) {
                progress.produced = tally.documents;
            }
        }
        let Batch { feed, received_at, .. } = run.batch;
        let instance = self.instance().map_err(Failure::Error)?;
        match instance.push(feed, *received_at, &payloads, origins, &mut run.progress, sink) {
            Ok(receipt) => {
                run.take(units, receipt);
                Ok(())
            }
            Err(failure) => {
                self.retire();
                Err(failure)
            }
        }
    }
}

impl Unit {
    /// What the guest gets. A record is put in a list: alone it could be taken for an envelope.
    fn payload(&self) -> Bytes {
        match self.kind {
            Kind::Payload | Kind::Rest => self.bytes.clone(),
            Kind::Record => Bytes::from([b"[", self.bytes.as_ref(), b"]"].concat()),
        }
    }

    fn rejected(&self, code: Code, message: String) -> Reject {
        Reject {
            payload: index(self.origin),
            offset: self.offset,
            length: self.bytes.len() as u64,
            id: xxh3_128(&self.bytes),
            code,
            path: String::new(),
            message,
        }
    }
}

impl<'b> Run<'b> {
    /// A run of a batch of a feed whose envelopes have these keys.
    pub(crate) fn new(batch: &'b Batch, keys: &'b [String]) -> Self {
        let payloads = batch.payloads.len();
        Self {
            batch,
            keys,
            tallies: vec![Tally::default(); payloads],
            rejects: Vec::new(),
            drift: BTreeMap::new(),
            facts: Vec::new(),
            progress: vec![Progress::default(); payloads],
            traps: 0,
        }
    }

    /// The batch's payloads.
    pub(crate) fn units(&self) -> Vec<Unit> {
        let unit =
            |(origin, bytes): (usize, &Bytes)| Unit { origin, offset: 0, bytes: bytes.clone(), kind: Kind::Payload };
        self.batch.payloads.iter().enumerate().map(unit).collect()
    }

    /// What a payload consists of, to be tried one by one; none if there is nothing in it, if it is one record as a whole,
    /// or if it is not a payload but came out of one. What is malformed is rejected at once, as the guest would: it needs no trying, and alone it could
    /// be cut in other places.
    fn cut(&mut self, unit: &Unit) -> Option<Vec<Unit>> {
        if unit.kind != Kind::Payload || self.keys.is_empty() {
            return None;
        }
        let mut pieces = split(&unit.bytes, self.keys, DEFAULT_MAX_RECORD_SIZE).peekable();
        pieces.peek()?;
        let part = |offset, bytes, kind| Unit { origin: unit.origin, offset, bytes: unit.bytes.slice_ref(bytes), kind };
        let mut units = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Record { offset, bytes } => units.push(part(offset, bytes, Kind::Record)),
                Piece::Oversized { offset, bytes, .. } => units.push(part(offset, bytes, Kind::Rest)),
                Piece::Malformed { offset, bytes, reason } => {
                    self.set_aside(&part(offset, bytes, Kind::Rest), Code::Malformed, reason.to_owned());
                }
            }
        }
        Some(units)
    }

    /// Takes the receipt of units into that of the batch.
    fn take(&mut self, units: &[Unit], receipt: Receipt) {
        for (unit, tally) in units.iter().zip(&receipt.tallies) {
            if let Some(total) = self.tallies.get_mut(unit.origin) {
                total.add(tally);
            }
        }
        for reject in receipt.rejects {
            self.rejects.extend(units.get(reject.payload as usize).map(|unit| match unit.kind {
                Kind::Payload => Reject { payload: index(unit.origin), ..reject },
                Kind::Rest => Reject { payload: index(unit.origin), offset: unit.offset + reject.offset, ..reject },
                // There is one record in this list.
                Kind::Record => {
                    Reject { id: reject.id, path: reject.path, ..unit.rejected(reject.code, reject.message) }
                }
            }));
        }
        for Drift { name, count } in receipt.drift {
            let total = self.drift.entry(name).or_default();
            *total = total.saturating_add(count);
        }
        self.facts.extend_from_slice(&receipt.facts);
    }

    /// Rejects a record that trapped. Documents of it that were passed on stand.
    fn reject(&mut self, culprit: &Unit, code: Code, message: String) {
        let passed = self.progress.get(culprit.origin).map_or(0, |progress| progress.passed);
        if let Some(tally) = self.tallies.get_mut(culprit.origin) {
            tally.documents = tally.documents.max(passed);
        }
        self.set_aside(culprit, code, message);
    }

    fn set_aside(&mut self, unit: &Unit, code: Code, message: String) {
        if let Some(tally) = self.tallies.get_mut(unit.origin) {
            tally.add(&Tally { records: 1, rejected: 1, ..Tally::default() });
        }
        self.rejects.push(unit.rejected(code, message));
    }

    /// The receipt of the whole batch, in the order in which one run would have given it.
    pub(crate) fn receipt(mut self) -> Result<Receipt> {
        for (payload, (tally, progress)) in self.tallies.iter().zip(&self.progress).enumerate() {
            if tally.documents != progress.passed {
                let Tally { documents, .. } = tally;
                let lie =
                    format!("payload {payload} gave {} documents, and {documents} when run again", progress.passed);
                return Err(Error::Lie(lie));
            }
        }
        self.rejects.sort_by_key(|reject| (reject.payload, reject.offset));
        Ok(Receipt {
            tallies: self.tallies,
            rejects: self.rejects,
            drift: self.drift.into_iter().map(|(name, count)| Drift { name, count }).collect(),
            facts: self.facts,
        })
    }
}

fn index(origin: usize) -> u32 {
    u32::try_from(origin).unwrap_or(u32::MAX)
}
