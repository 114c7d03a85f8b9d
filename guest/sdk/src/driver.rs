//! From a batch to parts and a receipt.

use std::borrow::Cow;

use defenderbeat_records::{Outline, Piece, Split, split};

use crate::documents::{Buffers, Documents};
use crate::guest::{Fate, Guest, Record, SettingsError};
use crate::host::Host;
use crate::receipt::{Code, Receipt, Reject, Tally, hash};

/// Payloads of one feed.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, P> {
    /// Index into [`Descriptor::feeds`](crate::Descriptor::feeds).
    pub feed: usize,
    /// When the host received the payloads, milliseconds since 1970-01-01T00:00:00Z.
    pub received_at: i64,
    /// Each complete: one record, or an envelope of many, in any accepted form.
    pub payloads: &'a [P],
}

/// A guest that is open, and what it needs between pushes.
pub struct Driver<G> {
    guest: G,
    buffers: Buffers,
    received_at: i64,
}

impl<G: Guest> Driver<G> {
    /// Opens a guest. `settings` is a JSON object.
    pub fn open(settings: &str) -> Result<Self, SettingsError> {
        Ok(Self { guest: G::open(settings)?, buffers: Buffers::default(), received_at: 0 })
    }

    /// Maps a batch. All documents have left through `host` when this returns, and every record has one fate in the
    /// receipt.
    pub fn push<P: AsRef<[u8]>>(&mut self, batch: &Batch<'_, P>, host: &mut dyn Host) -> Receipt {
        self.received_at = batch.received_at;
        let keys = G::DESCRIPTOR.feeds.get(batch.feed).map_or(&[][..], |feed| feed.keys);
        let max = self.guest.max_record_size();
        let mut out = Documents::new(host, &mut self.buffers);
        let mut tallies = Vec::with_capacity(batch.payloads.len());
        let mut rejects = Vec::new();
        for (payload, index) in batch.payloads.iter().zip(0u32..) {
            let bytes = payload.as_ref();
            let mut tally = Tally::default();
            let mut reject = |offset: u64, length: u64, bytes: &[u8], code, path, message| {
                rejects.push(Reject { payload: index, offset, length, id: hash(bytes), code, path, message });
            };
            out.begin(index);
            let mut pieces = Pieces::new(bytes, keys, max);
            while let Some(piece) = pieces.next() {
                tally.records += 1;
                match piece {
                    Piece::Record { offset, bytes } => {
                        let outline = pieces.outline();
                        let record = Record { feed: batch.feed, bytes, outline, received_at: batch.received_at };
                        let outcome = self.guest.map(&record, &mut out);
                        out.discard();
                        tally.position = tally.position.max(outcome.position);
                        match outcome.fate {
                            Fate::Mapped => tally.mapped += 1,
                            Fate::Held => tally.held += 1,
                            Fate::Dropped => tally.dropped += 1,
                            Fate::Rejected { code, path, message } => {
                                tally.rejected += 1;
                                reject(offset, bytes.len() as u64, bytes, code, path, Cow::Owned(message));
                            }
                        }
                    }
                    Piece::Malformed { offset, bytes, reason } => {
                        tally.rejected += 1;
                        let reason = Cow::Borrowed(reason);
                        reject(offset, bytes.len() as u64, bytes, Code::Malformed, String::new(), reason);
                    }
                    Piece::Oversized { offset, bytes, .. } => {
                        tally.rejected += 1;
                        let length = bytes.len() as u64;
                        let message = Cow::Owned(format!("{length} bytes are over max_record_size, which is {max}"));
                        reject(offset, length, bytes, Code::Oversized, String::new(), message);
                    }
                }
            }
            tally.documents = out.count();
            tallies.push(tally);
        }
        let (drift, facts) = out.end();
        Receipt { tallies, rejects, drift, facts }
    }

    /// Ends a sync or the stream: what was held leaves as documents.
    pub fn finish(&mut self, host: &mut dyn Host) -> Receipt {
        let mut out = Documents::new(host, &mut self.buffers);
        self.guest.finish(self.received_at, &mut out);
        let tally = Tally { documents: out.count(), ..Tally::default() };
        let (drift, facts) = out.end();
        Receipt { tallies: vec![tally], rejects: Vec::new(), drift, facts }
    }

    /// Takes facts, in the order in which receipts gave them.
    pub fn learn(&mut self, facts: &[u8]) {
        self.guest.learn(facts);
    }

    /// All that was learned, compact: it replaces the log of facts so far.
    #[must_use]
    pub fn facts(&self) -> Vec<u8> {
        self.guest.facts()
    }
}

/// The records of a payload; all of it where its feed has no keys.
struct Pieces<'a> {
    whole: Option<Piece<'a>>,
    parts: Option<Split<'a, &'a str>>,
}

impl<'a> Pieces<'a> {
    fn new(payload: &'a [u8], keys: &'a [&'a str], max: usize) -> Self {
        let whole = keys.is_empty().then_some(match payload.len() <= max {
            true => Piece::Record { offset: 0, bytes: payload },
            false => Piece::Oversized { offset: 0, bytes: payload, last: true },
        });
        let parts = whole.is_none().then(|| split(payload, keys, max));
        Self { whole, parts }
    }

    fn next(&mut self) -> Option<Piece<'a>> {
        match &mut self.parts {
            Some(parts) => parts.next(),
            None => self.whole.take(),
        }
    }

    /// Where the members of the last record are.
    fn outline(&self) -> Option<&Outline> {
        self.parts.as_ref().map(Split::outline)
    }
}
