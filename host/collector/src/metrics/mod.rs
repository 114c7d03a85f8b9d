//! What has been done so far, how fast, and what fails.
//!
//! Each group of metrics is one struct, made from a table together with the [`Definition`]s that `/metrics`, `docs/metrics.md`
//! and the dashboard's test follow from: a value without a definition cannot be written. The [`Registry`] of a process has all
//! groups. Counting is an atomic addition; nothing is allocated and nobody waits for a reader.

mod calls;
mod health;
mod measure;
mod process;
mod rate;
mod reference;
mod registry;
mod stats;
mod text;

use std::fmt;
use std::sync::{Mutex, PoisonError};

pub use calls::{Call, Calls};
pub use health::Health;
pub use measure::{Counter, Definition, Gauge, Kind, Moment, Names, OTHER, Reading, Since, Spent};
pub use reference::reference;
pub use registry::{InputMetrics, Registry, definitions};

use crate::dead_letter::timestamp;
use measure::{measures, own_label};
use rate::Rate;

measures! {
    /// Counts of one input since the process began, and how it is.
    Metrics, "defenderbeat_input_", &["input", "type"];

    /// Records read: mapped, held for a join, dropped or rejected.
    records: Counter = "records_total", "records";
    /// Payloads mapped: records, or messages of Event Hubs, which hold many.
    payloads: Counter = "payloads_total", "payloads";
    /// Bytes of payloads mapped.
    bytes: Counter = "bytes_total", "bytes";
    /// Documents that the component made.
    documents: Counter = "documents_total", "documents";
    /// Records that a rule left out, such as the processor drop_event.
    dropped: Counter = "dropped_total", "records";
    /// Records that could not become documents. They are dead letters.
    rejected: Counter = "rejected_total", "records";
    /// Documents that were read again and had left before; they are not sent.
    repeated: Counter = "repeated_total", "documents";
    /// Times that a join found nothing to go with a record, such as a finding without its machine.
    unmatched: Counter = "unmatched_total", "records";
    /// Names met in records that this version does not know, by name: the first 100, all others together as (other).
    /// What they hold is kept under `unmapped`.
    drift: Names ["name"] = "drift_total", "names";
    /// Bytes of facts found in records, for later ones.
    facts: Counter = "fact_bytes_total", "bytes";
    /// Full readings that came to their end.
    syncs: Counter = "syncs_total", "syncs";
    /// Documents delivered.
    delivered: Counter = "delivered_total", "documents";
    /// Documents that the output had already.
    duplicates: Counter = "duplicates_total", "documents";
    /// Documents that the output keeps where failures are kept.
    failure_store: Counter = "failure_store_total", "documents";
    /// Documents sent once more, each time counted.
    retried: Counter = "retried_total", "documents";
    /// Lines written to the dead-letter file.
    dead_letters: Counter = "dead_letters_total", "letters";
    /// Checkpoints saved.
    checkpoints: Counter = "checkpoints_total", "checkpoints";
    /// Cycles that failed, connections to partitions that broke, and times that the input had to be started again.
    failures: Counter = "failures_total", "failures";
    /// Requests that were answered 429: the service was asked too often.
    throttled: Counter = "throttled_total", "requests";
    /// Time spent waiting after a 429, before the request was made again.
    throttled_time: Spent = "throttled_seconds_total", "seconds";
    /// Time that the component was at work, over all workers, lookups included and waiting for the output not.
    component_time: Spent = "component_seconds_total", "seconds";
    /// Calls that ended in a trap: the component failed, or met a limit. Each costs an instance; the record at fault is
    /// searched for and rejected.
    traps: Counter = "traps_total", "traps";
    /// What the component has executed, in wasmtime's units of fuel, mostly one an instruction: work that does not depend on the
    /// machine. Counted with `run --fuel` only, else 0.
    fuel: Counter = "fuel_total", "fuel";
    /// Memory of the components' instances that are there.
    memory: Gauge = "memory_bytes", "bytes";
    /// Threads that map.
    workers: Gauge = "workers", "threads";
    /// Bytes of documents that were handed to the delivery and are not settled.
    in_flight: Gauge = "in_flight_bytes", "bytes";
    /// Records a second, over the last minute.
    rate: Reading = "records_per_second", "records";
    /// How far reading is behind. Polled: the age of the time up to which all was read, so up to an interval where all is
    /// well. Event Hubs: how long ago the last message read was enqueued, the largest of all partitions, and 0 where there is
    /// none behind it. Without a value while the input does not run.
    lag: Reading = "lag_seconds", "seconds";
    /// Messages in the partitions that are held and not yet read. Event Hubs only, asked for every 30 seconds.
    lag_messages: Reading = "lag_messages", "messages";
    /// How long ago the checkpoint was saved that the input would go on from after a crash. It is saved when there is something new
    /// to save: with nothing new it grows.
    checkpoint: Since = "checkpoint_age_seconds", "seconds";
    /// When a cycle last ended well, or a message was last read.
    success: Moment = "last_success_timestamp_seconds", "seconds";
    /// 1 while this process leads the input, 0 while another does or nobody. Without a value where the input is not one that
    /// several processes are coordinated for.
    leads: Reading = "leads", "processes";
    /// Times that this process was elected to lead the input.
    elections: Counter = "elections_total", "elections";

    also {
        /// What fails.
        pub health: Health,
        /// What workers are at.
        pub calls: Calls,
        pub(crate) rate_of_records: Rate,
        last_sync: Mutex<Option<SyncEnd>>,
    }
}

measures! {
    /// Counts of the output since the process began, and how it is.
    OutputMetrics, "defenderbeat_output_", &["output"];

    /// Sends: a request, or a write.
    sends: Counter = "sends_total", "sends";
    /// Sends of which nothing was taken.
    failures: Counter = "failures_total", "sends";
    /// Documents delivered.
    delivered: Counter = "delivered_total", "documents";
    /// Documents that were there already.
    duplicates: Counter = "duplicates_total", "documents";
    /// Documents that are kept where failures are kept.
    failure_store: Counter = "failure_store_total", "documents";
    /// Documents refused for good. They are dead letters.
    refused: Counter = "refused_total", "documents";
    /// Documents to be sent once more, each time counted.
    retried: Counter = "retried_total", "documents";
    /// Bytes of documents sent, those sent once more included, before compression.
    bytes: Counter = "bytes_total", "bytes";
    /// Time that sends took, over all that were under way side by side.
    send_time: Spent = "send_seconds_total", "seconds";
    /// Sends that the receiver put off, wholly or in part, because it is asked too much: 429.
    throttled: Counter = "throttled_total", "sends";
    /// Time spent waiting after a 429, before the documents were sent again.
    throttled_time: Spent = "throttled_seconds_total", "seconds";
    /// Sends under way.
    sending: Gauge = "sending", "sends";
    /// Bytes of documents that are waiting or under way.
    in_flight: Gauge = "in_flight_bytes", "bytes";
    /// Documents delivered a second, over the last minute.
    rate: Reading = "documents_per_second", "documents";
    /// When something was last delivered.
    success: Moment = "last_success_timestamp_seconds", "seconds";

    also {
        /// What fails.
        pub health: Health,
        pub(crate) rate_of_documents: Rate,
    }
}

/// What came of a sync.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SyncEnd {
    /// When it began, milliseconds since 1970-01-01T00:00:00Z.
    pub start: i64,
    /// Records read.
    pub records: u64,
    /// Documents made of them.
    pub documents: u64,
    /// Times that the join found nothing to go with a record.
    pub unmatched: u64,
    /// How long it took.
    pub seconds: f64,
}

impl Metrics {
    /// The aspect of an input that reads.
    const READING: &'static str = "reading";
    /// The aspect that maps and delivers, and that opens the source.
    const RUNNING: &'static str = "running";
    /// The aspect that saves cursors.
    const CHECKPOINT: &'static str = "checkpoint";

    /// Notes that a sync came to its end.
    pub fn sync_ended(&self, ended: SyncEnd) {
        self.syncs.add(1_u64);
        *self.last_sync.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
    }

    /// What came of the last sync that came to its end.
    pub fn last_sync(&self) -> Option<SyncEnd> {
        *self.last_sync.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a cycle ended well.
    pub(crate) fn cycle_ended(&self) {
        self.success.now();
        self.health.works(Self::READING);
    }

    /// Notes that a cycle failed.
    pub(crate) fn cycle_failed(&self, reason: &impl fmt::Display) {
        self.aspect_failed(Self::READING, reason);
    }

    /// Notes that something is read of an aspect.
    pub(crate) fn aspect_works(&self, aspect: &str) {
        self.success.now();
        self.health.works(aspect);
    }

    /// Notes that an aspect cannot be read for now.
    pub(crate) fn aspect_failed(&self, aspect: &str, reason: &impl fmt::Display) {
        self.failures.add(1_u64);
        self.health.failed(aspect, reason);
    }

    /// Notes that the input failed and is started again.
    pub(crate) fn run_failed(&self, reason: &impl fmt::Display) {
        self.aspect_failed(Self::RUNNING, reason);
        // Partitions may be another collector's when it runs again.
        self.health.forget_all_but(Self::RUNNING);
    }

    /// Notes that the input runs.
    pub(crate) fn runs(&self) {
        self.health.works(Self::RUNNING);
    }

    /// Notes that a checkpoint is saved.
    pub(crate) fn saved(&self) {
        self.checkpoints.add(1_u64);
        self.checkpoint.0.now();
        self.health.works(Self::RUNNING);
        self.health.works(Self::CHECKPOINT);
    }

    /// Notes that a checkpoint cannot be saved for now.
    pub(crate) fn not_saved(&self, reason: &impl fmt::Display) {
        self.aspect_failed(Self::CHECKPOINT, reason);
    }
}

impl fmt::Display for SyncEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, records, documents, unmatched, seconds } = self;
        let start = timestamp(*start);
        write!(
            formatter,
            "begun at {start}, {records} records, {documents} documents, {unmatched} unmatched, {seconds:.1} seconds"
        )
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, payloads, delivered, .. } = self;
        write!(formatter, "{} records, ", records.get())?;
        if payloads.get() != records.get() {
            write!(formatter, "of {} messages ({} bytes), ", payloads.get(), self.bytes.get())?;
        }
        write!(formatter, "{} documents delivered", delivered.get())?;
        let further = [
            ("repeated", &self.repeated),
            ("dropped", &self.dropped),
            ("rejected", &self.rejected),
            ("unmatched", &self.unmatched),
            ("there already", &self.duplicates),
            ("in the failure store", &self.failure_store),
            ("sent again", &self.retried),
            ("dead letters", &self.dead_letters),
            ("bytes of facts", &self.facts),
        ];
        write_further(formatter, &further)
    }
}

impl fmt::Display for OutputMetrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} documents delivered", self.delivered.get())?;
        let further = [
            ("there already", &self.duplicates),
            ("in the failure store", &self.failure_store),
            ("refused", &self.refused),
            ("sent again", &self.retried),
        ];
        write_further(formatter, &further)
    }
}

/// Writes those of which there are some.
fn write_further(formatter: &mut fmt::Formatter<'_>, counters: &[(&str, &Counter)]) -> fmt::Result {
    let mut some = counters.iter().filter(|(_, counter)| counter.get() > 0);
    some.try_for_each(|(name, counter)| write!(formatter, ", {} {name}", counter.get()))
}

#[cfg(test)]
mod tests;
