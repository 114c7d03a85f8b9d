//! Reads one page: records go out while it arrives.

use std::time::SystemTime;

use bytes::Bytes;
use defenderbeat_records::{Piece, Splitter};
use url::Url;

use super::poll::{Poller, Stop};
use super::window::SECOND;
use super::{Error, now, position};
use crate::http::{self, Body};
use crate::source::{Budget, DeadLetter, Delivery, Position};

/// The key under which a page keeps its records.
const RECORDS: &str = "value";
/// The member of a page that says where the feed goes on.
const NEXT_LINK: &str = "@odata.nextLink";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const CUT: &str = "it ends in the middle of the JSON";

/// In which order the records of a chain of pages were.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Order {
    /// The highest position; 0 where there was none.
    pub(super) highest: Position,
    /// The lowest position; 0 where there was none.
    pub(super) lowest: Position,
    /// Whether a record was below one before it.
    pub(super) descends: bool,
}

impl Order {
    /// Takes the next record's position; 0 says nothing.
    pub(super) fn meet(&mut self, position: Position) {
        if position == 0 {
            return;
        }
        self.descends |= position < self.highest;
        self.highest = self.highest.max(position);
        self.lowest = if self.lowest == 0 { position } else { self.lowest.min(position) };
    }

    /// The one position that all records share.
    pub(super) fn instant(&self) -> Option<Position> {
        (self.lowest != 0 && self.lowest == self.highest).then_some(self.highest)
    }
}

/// What came of a page.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Records that were handed on or set aside.
    pub(super) records: usize,
    /// Where the feed goes on.
    pub(super) link: Option<String>,
    /// Why it ended too early.
    pub(super) broken: Option<http::Error>,
}

/// A batch being filled.
#[derive(Debug, Default)]
pub(super) struct Batch {
    payloads: Vec<Bytes>,
    bytes: usize,
}

impl Batch {
    /// Its payloads; it is empty then.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        std::mem::take(self).payloads
    }

    /// Whether another record of this length would be too much.
    fn is_full(&self, next: usize, budget: Budget) -> bool {
        !self.payloads.is_empty() && (self.bytes + next > budget.bytes || self.payloads.len() >= budget.records)
    }
}

impl Poller {
    /// Reads a page, and returns when all of it is mapped. An answer that breaks off is no error yet: what came before
    /// counts.
    pub(super) async fn page(&mut self, url: &Url) -> Result<Page, Stop> {
        let mut batch = Batch::default();
        let page = self.read(url, &mut batch, false).await?;
        if !batch.payloads.is_empty() {
            self.deliver(&mut batch).await?;
        }
        self.all_mapped().await?;
        Ok(page)
    }

    /// Reads a page into a batch, which is handed on whenever it is full, unless all of it is to be kept.
    pub(super) async fn read(&mut self, url: &Url, batch: &mut Batch, keep: bool) -> Result<Page, Stop> {
        let mut body = self.service.get_within(self.tries(), url, &self.headers).await?;
        if let Some(date) = body.date() {
            self.ahead = now().saturating_sub(position(date) + SECOND);
        }
        let mut splitter = Splitter::new(&[RECORDS]).with_max_record_size(self.max_record_size).with_member(NEXT_LINK);
        let (mut page, mut oversized) = (Page::default(), None);
        let mut budget = self.budget;
        if let Some(owner) = &self.ask.owner {
            budget.bytes = budget.bytes.min(owner.room(self.max_record_size, budget.records));
        }
        // Where the page's own JSON begins.
        let mut begin = None;
        let mut ended = false;
        while !ended && page.broken.is_none() {
            match body.chunk().await {
                Ok(Some(chunk)) => {
                    if begin.is_none() {
                        begin = begin_of_json(&body, &chunk)?;
                    }
                    splitter.push(&chunk);
                }
                Ok(None) => {
                    splitter.finish();
                    ended = true;
                }
                Err(error) => page.broken = Some(error),
            }
            while let Some(piece) = splitter.piece() {
                match piece {
                    Piece::Record { offset, .. } | Piece::Oversized { offset, .. } if Some(offset) == begin => {
                        return Err(unexpected(&body, "JSON without records", "; check url").into());
                    }
                    // What turns out wrong only at the end has been cut off.
                    Piece::Malformed { .. } if ended => page.broken = Some(cut_off(&body, CUT)),
                    // What is no record must not take those along that share its payload.
                    Piece::Malformed { bytes, .. } if self.ask.owner.is_some() => {
                        page.records += 1;
                        self.deliver_alone(Bytes::copy_from_slice(bytes)).await?;
                    }
                    Piece::Record { bytes, .. } | Piece::Malformed { bytes, .. } => {
                        page.records += 1;
                        if !keep && batch.is_full(bytes.len(), budget) {
                            self.deliver(batch).await?;
                        }
                        batch.bytes += bytes.len();
                        batch.payloads.push(copy(bytes));
                    }
                    // Without what belongs to it, it may fit.
                    Piece::Oversized { .. } if self.ask.expand.is_some() && !self.pace.is_singly() => {
                        return Err(cut_off(&body, "a record of it is longer than max_record_size").into());
                    }
                    Piece::Oversized { bytes, last, .. } => {
                        let open = || self.dead_letters.open(self.ask.feed.name, unix_millis());
                        let mut letter = oversized.take().map_or_else(open, Ok).map_err(Error::DeadLetter)?;
                        letter.write(bytes).map_err(Error::DeadLetter)?;
                        if last && !ended {
                            page.records += 1;
                            self.keep(letter)?;
                        } else {
                            oversized = Some(letter);
                        }
                    }
                }
            }
        }
        if page.broken.is_none() && (begin.is_none() || oversized.is_some()) {
            page.broken = Some(cut_off(&body, if begin.is_none() { "it is empty" } else { CUT }));
        }
        page.link = splitter.member(NEXT_LINK).map(str::to_owned);
        Ok(page)
    }

    /// Keeps a record that is too long, unless it was kept before. It counts as kept only once it is.
    fn keep(&self, letter: Box<dyn DeadLetter>) -> Result<(), Error> {
        let id = letter.id();
        if !self.shared.state().progress.knows(id) {
            letter.keep().map_err(Error::DeadLetter)?;
            self.shared.state().progress.admit(self.sequence, id, 0);
        }
        Ok(())
    }

    /// Hands a batch on, an empty one too.
    pub(super) async fn deliver(&mut self, batch: &mut Batch) -> Result<(), Stop> {
        let payloads = batch.take();
        match &mut self.ask.owner {
            Some(owner) => {
                let (feed, payload) = (owner.feed, owner.join(&payloads));
                self.deliver_to(feed, vec![payload]).await
            }
            None => self.deliver_to(self.ask.feed.name, payloads).await,
        }
    }

    /// Hands on by itself what came among that which belongs to a record.
    async fn deliver_alone(&mut self, bytes: Bytes) -> Result<(), Stop> {
        let feed = self.ask.owner.as_ref().map_or(self.ask.feed.name, |owner| owner.alone);
        self.deliver_to(feed, vec![bytes]).await
    }

    /// Hands payloads of a feed on. What is over the budget is mapped before anything else is read, so that large records do
    /// not queue up.
    pub(super) async fn deliver_to(&mut self, feed: &'static str, payloads: Vec<Bytes>) -> Result<(), Stop> {
        let is_large = payloads.iter().map(Bytes::len).sum::<usize>() > self.budget.bytes;
        self.sequence += 1;
        let origins = Vec::new();
        let delivery = Delivery { sequence: self.sequence, feed, received_at: unix_millis(), payloads, origins };
        self.deliveries.send(delivery).await.map_err(|_| Stop::Gone)?;
        if is_large { self.all_mapped().await } else { Ok(()) }
    }

    /// Hands one record on that did not come from Graph.
    pub(super) async fn deliver_record(&mut self, record: Bytes) -> Result<(), Stop> {
        self.deliver(&mut Batch { bytes: record.len(), payloads: vec![record] }).await
    }

    pub(super) async fn all_mapped(&mut self) -> Result<(), Stop> {
        let sequence = self.sequence;
        let mut mapped = self.shared.mapped.subscribe();
        let waited = mapped.wait_for(|mapped| *mapped >= sequence).await;
        waited.map(|_| ()).map_err(|_| Stop::Gone)
    }
}

/// A copy whose room is a power of two: the heap finds that of an earlier one for it, where exact sizes, each a little
/// different, leave holes.
fn copy(bytes: &[u8]) -> Bytes {
    let mut room = Vec::with_capacity(bytes.len().next_power_of_two());
    room.extend_from_slice(bytes);
    Bytes::from(room)
}

/// Finds where the JSON begins. Refuses what is no object before it is taken for records: mostly the page of a proxy.
fn begin_of_json(body: &Body, chunk: &[u8]) -> Result<Option<u64>, http::Error> {
    let white = |byte: &u8| byte.is_ascii_whitespace() || BYTE_ORDER_MARK.contains(byte);
    let Some(at) = chunk.iter().position(|byte| !white(byte)) else { return Ok(None) };
    match chunk.get(at) {
        Some(b'{') => Ok(Some(body.received() - (chunk.len() - at) as u64)),
        Some(b'<') => {
            let advice = "; a proxy or a login page seems to be in between: check url and proxy_url";
            Err(unexpected(body, "a web page", advice))
        }
        _ => Err(unexpected(body, "something else", "; check url and proxy_url")),
    }
}

fn unexpected(body: &Body, found: &str, advice: &'static str) -> http::Error {
    let kind = body.content_type();
    let found = if kind.is_empty() { found.to_owned() } else { format!("{found} ({kind})") };
    http::Error::Content { host: body.host(), found, advice }
}

fn cut_off(body: &Body, message: &str) -> http::Error {
    http::Error::Body { host: body.host(), received: body.received(), message: message.to_owned() }
}

fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
