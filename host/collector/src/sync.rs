//! Syncs as a worker sees them: deliveries that share a start, from one that begins it to one that ends it.
//!
//! A trap costs all that the component held, so it ends the attempt. The batch is tried record by record then, each alone
//! in a new instance. Records that trap alone are rejected, and left out when the source begins the sync again; where none
//! does, the sync has failed. What the source gives until then belongs to the attempt that is over and is let pass unread.

use std::collections::BTreeSet;
use std::time::Instant;

use bytes::Bytes;
use defenderbeat_runtime::{Batch, Code, Drift, Error, Receipt, Reject, Result, Sink, Tally, Transform};
use xxhash_rust::xxh3::xxh3_128;

use crate::mapper::Mapper;
use crate::metrics::{Metrics, SyncEnd};
use crate::source::{Step, Trapped};

/// Records of one batch that are set aside; a component that traps on more of them is broken.
const CULPRITS: usize = 16;

/// What a worker knows of syncs.
#[derive(Default)]
pub(crate) struct Syncs {
    attempt: Option<Attempt>,
    /// Hashes of the records that trapped since the process began.
    culprits: BTreeSet<u128>,
}

/// A sync that was begun.
struct Attempt {
    start: i64,
    began: Instant,
    /// It trapped.
    over: bool,
    records: u64,
    documents: u64,
    unmatched: u64,
}

impl Syncs {
    /// Begins a sync, or gives one up, if a delivery says so; gives its records without those that trapped before.
    pub(crate) fn begin<T: Transform>(
        &mut self,
        mapper: &mut Mapper<T>,
        step: Option<Step>,
        mut payloads: Vec<Bytes>,
        metrics: &Metrics,
    ) -> Result<Vec<Bytes>> {
        match step {
            Some(Step::Begin(start)) => {
                mapper.reopen(Some(start))?;
                let began = Instant::now();
                let (over, records, documents, unmatched) = (false, 0, 0, 0);
                self.attempt = Some(Attempt { start, began, over, records, documents, unmatched });
            }
            Some(Step::GiveUp) => {
                self.attempt = None;
                mapper.reopen(None)?;
            }
            Some(Step::End) | None => {}
        }
        let Some(attempt) = &mut self.attempt else { return Ok(payloads) };
        if attempt.over {
            return Ok(Vec::new());
        }
        if !self.culprits.is_empty() {
            let all = payloads.len();
            payloads.retain(|payload| !self.culprits.contains(&xxh3_128(payload)));
            let left_out = all - payloads.len();
            metrics.records.add(left_out);
            metrics.rejected.add(left_out);
            attempt.records += left_out as u64;
        }
        Ok(payloads)
    }

    /// Maps a batch; within a sync a trap is no error, but ends the attempt.
    pub(crate) fn push<T: Transform>(
        &mut self,
        mapper: &mut Mapper<T>,
        batch: &Batch,
        sink: &mut dyn Sink,
    ) -> Result<(Receipt, Option<Trapped>)> {
        let pushed = mapper.push(batch, sink);
        let Some(attempt) = &mut self.attempt else { return Ok((pushed?, None)) };
        match pushed {
            Ok(receipt) => {
                attempt.count(&receipt);
                Ok((receipt, None))
            }
            Err(Error::Trap { code, message }) => {
                attempt.over = true;
                let receipt = culprits(mapper, attempt.start, batch)?;
                Ok(match receipt.rejects.len() {
                    0 => (receipt, Some(Trapped::Whole(whole(code, message)))),
                    count @ 1..=CULPRITS => {
                        self.culprits.extend(receipt.rejects.iter().map(|reject| reject.id));
                        (receipt, Some(Trapped::Records(count)))
                    }
                    // So many are no culprits.
                    _ => {
                        let all = format!("more than {CULPRITS} records of one batch trap alone: ");
                        (Receipt::default(), Some(Trapped::Whole(all + &whole(code, message))))
                    }
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Ends a sync if a delivery says so.
    pub(crate) fn end<T: Transform>(
        &mut self,
        mapper: &mut Mapper<T>,
        step: Option<Step>,
        input: &str,
        metrics: &Metrics,
        sink: &mut dyn Sink,
    ) -> Result<Option<Trapped>> {
        if step != Some(Step::End) {
            return Ok(None);
        }
        let Some(attempt) = self.attempt.as_mut().filter(|attempt| !attempt.over) else { return Ok(None) };
        match mapper.finish(sink) {
            Ok(receipt) => attempt.count(&receipt),
            Err(Error::Trap { code, message }) => {
                attempt.over = true;
                return Ok(Some(Trapped::Whole(whole(code, message))));
            }
            Err(error) => return Err(error),
        }
        let Attempt { start, began, records, documents, unmatched, .. } = *attempt;
        let ended = SyncEnd { start, records, documents, unmatched, seconds: began.elapsed().as_secs_f64() };
        tracing::info!(input, "sync ended: {ended}");
        metrics.sync_ended(ended);
        self.attempt = None;
        mapper.reopen(None)?;
        Ok(None)
    }
}

impl Attempt {
    fn count(&mut self, receipt: &Receipt) {
        for tally in &receipt.tallies {
            self.records += u64::from(tally.records);
            self.documents += u64::from(tally.documents);
        }
        let unmatched = receipt.drift.iter().filter(|drift| is_unmatched(drift));
        self.unmatched += unmatched.map(|drift| u64::from(drift.count)).sum::<u64>();
    }
}

/// Whether drift is no unknown name, but says that a join found nothing to go with a record.
pub(crate) fn is_unmatched(drift: &Drift) -> bool {
    drift.name.starts_with("unmatched ")
}

/// The records of a batch that trap alone in a new instance, as rejects.
fn culprits<T: Transform>(mapper: &mut Mapper<T>, start: i64, batch: &Batch) -> Result<Receipt> {
    let mut receipt = Receipt { tallies: vec![Tally::default(); batch.payloads.len()], ..Receipt::default() };
    for (at, (payload, tally)) in (0..).zip(batch.payloads.iter().zip(&mut receipt.tallies)) {
        let alone = Batch { payloads: vec![payload.clone()], ..batch.clone() };
        let (code, message) = match mapper.try_alone(start, &alone) {
            Ok(()) => continue,
            Err(Error::Trap { code, message }) => (code, message),
            Err(error) => return Err(error),
        };
        *tally = Tally { records: 1, rejected: 1, ..Tally::default() };
        let (length, path) = (payload.len() as u64, String::new());
        receipt.rejects.push(Reject { payload: at, offset: 0, length, id: xxh3_128(payload), code, path, message });
        if receipt.rejects.len() > CULPRITS {
            break;
        }
    }
    Ok(receipt)
}

/// What a trap says that is no single record's.
fn whole(code: Code, message: String) -> String {
    let advice = if code == Code::Memory { "; the sync takes more memory than that: raise memory_limit" } else { "" };
    Error::Trap { code, message }.to_string() + advice
}

#[cfg(test)]
#[path = "sync_tests.rs"]
mod tests;
