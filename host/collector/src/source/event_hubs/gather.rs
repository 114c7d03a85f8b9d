//! Gathers messages of all partitions into deliveries.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::error::Error;
use super::progress::Reached;
use super::reader::{Item, Message};
use super::settings::EventHubSettings;
use crate::source::{Budget, Delivery, Origin};

/// A delivery, and the place of its last message in each partition.
type Gathered = (Delivery, Reached);

/// The receiving end of all readers.
#[derive(Debug)]
pub(super) struct Gather {
    items: mpsc::Receiver<Item>,
    budget: Budget,
    wait: Duration,
    sequence: u64,
    batch: Batch,
    /// Did not fit into the last delivery.
    over: Option<Message>,
    failed: Option<Error>,
    unfinished: Option<Unfinished>,
}

#[derive(Debug, Default)]
struct Batch {
    messages: Vec<Message>,
    places: Reached,
    bytes: usize,
    /// When it is to leave.
    due: Option<Instant>,
}

/// What there is still to read with `once`.
#[derive(Debug)]
struct Unfinished {
    /// Hubs of which nothing is known yet.
    hubs: usize,
    partitions: BTreeSet<(Arc<str>, Arc<str>)>,
}

impl Gather {
    /// `once`: the number of hubs to finish.
    pub(super) fn new(
        items: mpsc::Receiver<Item>,
        settings: &EventHubSettings,
        budget: Budget,
        once: Option<usize>,
    ) -> Self {
        Self {
            items,
            budget: Budget { records: budget.records.min(settings.partition_receive_count), ..budget },
            wait: settings.partition_receive_timeout,
            sequence: 0,
            batch: Batch::default(),
            over: None,
            failed: None,
            unfinished: once.map(|hubs| Unfinished { hubs, partitions: BTreeSet::new() }),
        }
    }

    /// Takes nothing more.
    pub(super) fn close(&mut self) {
        self.items.close();
        // Whoever waits to hand something over is told.
        while self.items.try_recv().is_ok() {}
    }

    /// The next delivery; none when everything is finished. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Result<Option<Gathered>, Error> {
        if let Some(message) = self.over.take() {
            self.add(message);
        }
        loop {
            if self.is_full() || (!self.batch.is_empty() && (self.failed.is_some() || self.is_finished())) {
                return Ok(Some(self.leave()));
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            if self.is_finished() {
                return Ok(None);
            }
            let item = match self.batch.due {
                Some(due) => match timeout_at(due, self.items.recv()).await {
                    Ok(item) => item,
                    Err(_) => return Ok(Some(self.leave())),
                },
                None => self.items.recv().await,
            };
            match item {
                Some(Item::Message(message)) => {
                    if message.hold.is_released() {
                        // Left to whoever has taken the partition.
                    } else if self.batch.messages.is_empty()
                        || self.batch.bytes + message.payload.len() <= self.budget.bytes
                    {
                        self.add(message);
                    } else {
                        self.over = Some(message);
                        return Ok(Some(self.leave()));
                    }
                }
                Some(Item::Begin(hold, place)) => {
                    self.batch.places.push((hold, place));
                    self.batch.due.get_or_insert_with(|| Instant::now() + self.wait);
                }
                Some(Item::Hub { eventhub, partitions }) => {
                    if let Some(unfinished) = &mut self.unfinished {
                        unfinished.hubs = unfinished.hubs.saturating_sub(1);
                        unfinished.partitions.extend(partitions.into_iter().map(|id| (eventhub.clone(), id)));
                    }
                }
                Some(Item::Finished { eventhub, partition }) => {
                    if let Some(unfinished) = &mut self.unfinished {
                        unfinished.partitions.remove(&(eventhub, partition));
                    }
                }
                Some(Item::Failed(error)) => self.failed = Some(error),
                None => self.failed = Some(Error::Stopped),
            }
        }
    }

    fn add(&mut self, message: Message) {
        self.batch.bytes += message.payload.len();
        self.batch.messages.push(message);
        self.batch.due.get_or_insert_with(|| Instant::now() + self.wait);
    }

    fn is_full(&self) -> bool {
        self.batch.bytes >= self.budget.bytes || self.batch.messages.len() >= self.budget.records
    }

    fn is_finished(&self) -> bool {
        self.unfinished.as_ref().is_some_and(|left| left.hubs == 0 && left.partitions.is_empty())
    }

    fn leave(&mut self) -> Gathered {
        let Batch { messages, mut places, .. } = std::mem::take(&mut self.batch);
        self.sequence += 1;
        let mut delivery = Delivery {
            sequence: self.sequence,
            feed: "events",
            received_at: chrono::Utc::now().timestamp_millis(),
            payloads: Vec::with_capacity(messages.len()),
            origins: Vec::with_capacity(messages.len()),
            step: None,
            sent_since: messages.iter().filter_map(|message| message.sent_since).min(),
        };
        for Message { hold, place, payload, .. } in messages {
            delivery.payloads.push(payload);
            delivery.origins.push(Origin {
                eventhub: hold.hub.eventhub.clone(),
                partition: hold.partition.to_string(),
                sequence_number: place.sequence_number,
                offset: place.offset.clone(),
            });
            match places.iter_mut().find(|(other, _)| Arc::ptr_eq(other, &hold)) {
                Some(known) => known.1 = place,
                None => places.push((hold, place)),
            }
        }
        (delivery, places)
    }
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.places.is_empty()
    }
}

#[cfg(test)]
#[path = "gather_tests.rs"]
mod tests;
