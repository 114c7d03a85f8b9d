//! Hands on the records of an answer while it arrives, and those of a second one that were not in the first.

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::Error;
use super::cycle::{Collector, Stop};
use crate::http;
use crate::source::records::{Batch, Chunks, Found, Records};

/// The first records of an answer: how many, and what they hash to.
#[derive(Clone, Default)]
pub(super) struct Prefix {
    pub(super) records: u64,
    hash: Xxh3,
}

impl Prefix {
    fn add(&mut self, record: u128) {
        self.records += 1;
        self.hash.update(&record.to_le_bytes());
    }

    pub(super) fn digest(&self) -> u64 {
        self.hash.digest()
    }
}

/// How reading an answer ended.
pub(super) enum Read {
    /// All of it was handed on; with what it says behind its records.
    Whole(Option<String>),
    /// It broke off.
    Broken(http::Error),
    /// It does not begin with what was handed on before, so it is not known which of its records are new.
    Differs,
}

impl Collector {
    /// Hands records on that lie behind those that were handed on before, and notes them there.
    pub(super) async fn read<C: Chunks>(
        &mut self,
        mut records: Records<C>,
        handed_on: &mut Prefix,
        feed: &'static str,
    ) -> Result<Read, Stop> {
        let mut batch = Batch::default();
        let mut read = Prefix::default();
        while let Some(found) = records.next().await? {
            read.add(match &found {
                Found::Record(bytes) | Found::Malformed(bytes) => xxh3_128(bytes),
                Found::Oversized(letter) => letter.id(),
            });
            if read.records < handed_on.records {
                continue;
            }
            if read.records == handed_on.records {
                if read.digest() != handed_on.digest() {
                    return Ok(self.differs(handed_on));
                }
                continue;
            }
            match found {
                Found::Record(bytes) | Found::Malformed(bytes) => {
                    if batch.is_full(bytes.len(), self.budget) {
                        self.give(feed, batch.take(), None).await?;
                    }
                    batch.add(bytes);
                }
                Found::Oversized(letter) => letter.keep().map_err(Error::DeadLetter)?,
            }
        }
        if !batch.is_empty() {
            self.give(feed, batch.take(), None).await?;
        }
        let short = read.records < handed_on.records;
        if !short {
            *handed_on = read;
        }
        Ok(match records.broken() {
            Some(error) => Read::Broken(error),
            None if short => self.differs(handed_on),
            None => Read::Whole(records.next_link().map(str::to_owned)),
        })
    }

    /// All of an answer is handed on again, and documents of it are delivered that were before, since the sync began.
    fn differs(&mut self, handed_on: &mut Prefix) -> Read {
        *handed_on = Prefix::default();
        self.sent_since = self.sent_since.or(self.shared.state().progress.cursor.sync);
        Read::Differs
    }
}
