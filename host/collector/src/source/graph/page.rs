//! Reads one page: records go out while it arrives.

use bytes::Bytes;
use url::Url;

use super::poll::{Poller, Stop};
use super::window::SECOND;
use super::{Error, now, position};
use crate::checkpoint::unix_millis;
use crate::http;
use crate::source::records::{Batch, Form, Found, Records};
use crate::source::{DeadLetter, Delivery, Position};

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

impl Poller {
    /// Reads a page, and returns when all of it is mapped. An answer that breaks off is no error yet: what came before
    /// counts.
    pub(super) async fn page(&mut self, url: &Url) -> Result<Page, Stop> {
        let mut batch = Batch::default();
        let page = self.read(url, &mut batch, false).await?;
        if !batch.is_empty() {
            self.deliver(&mut batch).await?;
        }
        self.all_mapped().await?;
        Ok(page)
    }

    /// Reads a page into a batch, which is handed on whenever it is full, unless all of it is to be kept.
    pub(super) async fn read(&mut self, url: &Url, batch: &mut Batch, keep: bool) -> Result<Page, Stop> {
        let body = self.service.get_within(self.tries(), url, &self.headers).await?;
        if let Some(date) = body.date() {
            self.ahead = now().saturating_sub(position(date) + SECOND);
        }
        let letters = self.dead_letters.clone();
        let mut records = Records::new(body, Form::Page, self.ask.feed.name, self.max_record_size, letters);
        // Without what belongs to it, it may fit.
        records.refuse_oversized(self.ask.expand.is_some() && !self.pace.is_singly());
        let mut budget = self.budget;
        if let Some(owner) = &self.ask.owner {
            budget.bytes = budget.bytes.min(owner.room(self.max_record_size, budget.records));
        }
        let mut page = Page::default();
        while let Some(found) = records.next().await? {
            page.records += 1;
            match found {
                // What is no record must not take those along that share its payload.
                Found::Malformed(bytes) if self.ask.owner.is_some() => self.deliver_alone(bytes).await?,
                Found::Record(bytes) | Found::Malformed(bytes) => {
                    if !keep && batch.is_full(bytes.len(), budget) {
                        self.deliver(batch).await?;
                    }
                    batch.add(bytes);
                }
                Found::Oversized(letter) => self.keep(letter)?,
            }
        }
        page.broken = records.broken();
        page.link = records.next_link().map(str::to_owned);
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
        let (sequence, received_at, sent_since) = (self.sequence, unix_millis(), self.sent_since);
        let (origins, step) = (Vec::new(), None);
        let delivery = Delivery { sequence, feed, received_at, payloads, origins, step, sent_since };
        self.deliveries.send(delivery).await.map_err(|_| Stop::Gone)?;
        if is_large { self.all_mapped().await } else { Ok(()) }
    }

    /// Hands one record on that did not come from Graph.
    pub(super) async fn deliver_record(&mut self, record: Bytes) -> Result<(), Stop> {
        let mut batch = Batch::default();
        batch.add(record);
        self.deliver(&mut batch).await
    }

    pub(super) async fn all_mapped(&mut self) -> Result<(), Stop> {
        let sequence = self.sequence;
        let mut mapped = self.shared.mapped.subscribe();
        let waited = mapped.wait_for(|mapped| *mapped >= sequence).await;
        waited.map(|_| ()).map_err(|_| Stop::Gone)
    }
}
