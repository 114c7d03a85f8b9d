//! Where records come from.

use std::future::Future;
use std::sync::Arc;
use std::{fmt, io};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::metrics::Metrics;

pub mod defender;
pub mod event_hubs;
pub mod graph;
mod records;

/// A place in a source's order: 100 ns ticks since 1970-01-01T00:00:00Z.
pub type Position = u64;

/// Gives records and remembers how far they have come.
///
/// One task calls [`next`](Self::next); the workers that map what it gave, several of them side by side where an input has
/// several, call [`fresh`](Self::fresh) for each document and reject. Then [`mapped`](Self::mapped) is called, delivery by
/// delivery in the order of `next`, and once all of a delivery is settled, [`settled`](Self::settled), in the same order,
/// gives the cursor to save.
pub trait Source: Send + Sync + 'static {
    /// Why it cannot go on.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The next records; none when there will be no more. May be dropped and called again. It may wait for
    /// [`mapped`](Self::mapped) of what it gave before, so mapping has to go on meanwhile.
    fn next(&self) -> impl Future<Output = Result<Option<Delivery>, Self::Error>> + Send;

    /// Whether a document or reject of a delivery is new; asked once for each, in order within the delivery, before it
    /// leaves. One that is not new has left before, or is about to.
    fn fresh(&self, sequence: u64, id: u128, position: Position) -> bool;

    /// Takes the positions of a delivery's payloads, in order, once all of them are mapped.
    fn mapped(&self, sequence: u64, positions: &[Position]);

    /// Takes all deliveries up to this one as settled; gives the cursor to be saved, JSON text.
    fn settled(&self, sequence: u64) -> String;

    /// Learns that the cursor of this delivery, or of a later one, is saved: it survives a power failure.
    fn saved(&self, _sequence: u64) {}

    /// Learns that the sync that a delivery belongs to cannot go on. Called before [`mapped`](Self::mapped) of it; what the
    /// source gave since is let pass unread, until it begins a sync anew or gives this one up.
    fn trapped(&self, _sequence: u64, _trapped: Trapped) {}

    /// How far it is behind, as far as it knows.
    fn lag(&self) -> Lag {
        Lag::default()
    }

    /// Ends what it has under way and saves what is settled wherever else that is kept. Called once, after the last
    /// [`settled`](Self::settled).
    fn close(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// How far a source is behind what there is to read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lag {
    /// In time.
    pub seconds: Option<f64>,
    /// In messages of Event Hubs.
    pub messages: Option<u64>,
}

/// What a delivery means for a sync: for feeds whose records build on each other, or that share its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One begins before the delivery's records, with its start in milliseconds since 1970-01-01T00:00:00Z: the component is
    /// opened anew, and what it held is gone. A source gives it without records and waits until it is
    /// [`saved`](Source::saved), so that a sync has one start however often it is begun.
    Begin(i64),
    /// It ends behind the delivery's records; what was held leaves as documents of this delivery.
    End,
    /// It ends before the delivery's records, and what was held is forgotten.
    GiveUp,
}

/// Why a sync cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trapped {
    /// These many records make the component trap. They are set aside, and left out when the sync is begun again.
    Records(usize),
    /// No single record does. The same records would do it again; the text says what was tried.
    Whole(String),
}

/// Records to be mapped, or envelopes of them. Without any it only carries the cursor forward.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// 1, 2, 3 .. without a gap: the order in which deliveries are settled.
    pub sequence: u64,
    /// The feed's name in the component.
    pub feed: &'static str,
    /// When the records were received, milliseconds since 1970-01-01T00:00:00Z.
    pub received_at: i64,
    /// One record, or an envelope of many, each.
    pub payloads: Vec<Bytes>,
    /// Where each payload comes from, in the same order; empty where a record itself says enough.
    pub origins: Vec<Origin>,
    /// What it means for a sync, if anything. An input with syncs has one worker.
    pub step: Option<Step>,
    /// Since when documents of its records may have been delivered without this session knowing, milliseconds since
    /// 1970-01-01T00:00:00Z: by an earlier run or another collector, or by an attempt that is repeated. None where they were
    /// not.
    pub sent_since: Option<i64>,
}

/// Where a payload comes from, for whoever reads the dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The event hub.
    pub eventhub: String,
    /// The partition of it.
    pub partition: String,
    /// The message's number in the partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence_number: Option<i64>,
    /// Its place in the partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<String>,
}

/// What a source needs besides its options.
#[derive(Debug)]
pub struct Start {
    /// The cursor that was saved last.
    pub cursor: Option<String>,
    /// Since when records past the cursor may have been delivered, milliseconds since 1970-01-01T00:00:00Z: the time it was
    /// saved; without a cursor the first start of this installation. None where nothing was ever delivered.
    pub sent_since: Option<i64>,
    /// Names this input of this installation to others; the same after a restart.
    pub owner: String,
    /// End after one cycle.
    pub once: bool,
    /// Bounds of a delivery.
    pub budget: Budget,
    /// Longest record that is handed on.
    pub max_record_size: usize,
    /// Where longer ones go.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// What is to be counted while reading, and where failures are told.
    pub metrics: Arc<Metrics>,
}

/// How much a delivery may hold: whichever is reached first.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Bytes of records. A longer record is a delivery by itself.
    pub bytes: usize,
    /// Records.
    pub records: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes: 1 << 20, records: 256 }
    }
}

/// Where records go that are too long to be mapped.
pub trait DeadLetters: fmt::Debug + Send + Sync {
    /// Begins with one of them, received at a time in milliseconds since 1970-01-01T00:00:00Z.
    fn open(&self, feed: &str, received_at: i64) -> io::Result<Box<dyn DeadLetter>>;
}

/// A record on its way there. Dropped before it is kept, it leaves no trace.
pub trait DeadLetter: Send {
    /// Takes its next bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Hash of its bytes so far, XXH3-128: its identity once all of them are written.
    fn id(&self) -> u128;
    /// Keeps it; once this returns it is synced to disk.
    fn keep(self: Box<Self>) -> io::Result<()>;
}
