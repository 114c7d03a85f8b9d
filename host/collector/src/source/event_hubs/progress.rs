//! How far each partition is settled, and what of that is still to be saved.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use azure_messaging_eventhubs::models::Checkpoint;
use azure_messaging_eventhubs::{CheckpointStore, StartLocation, StartPosition};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// Messages of a partition that are read past the last one that is saved, at most. So many may have been delivered without
/// anybody knowing when a process ends, and are looked up when the partition is read again.
pub(super) const WINDOW: i64 = 20_000;

/// A saved cursor that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "the saved cursor cannot be used: {0}; remove the input's checkpoint to start again from processor_start_position"
)]
pub struct CursorError(String);

/// A message in its partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Event Hubs' own, opaque.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) offset: Option<String>,
    /// Counts the messages of the partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sequence_number: Option<i64>,
}

impl Place {
    /// Where reading goes on after it.
    pub(super) fn start(&self) -> StartPosition {
        let location = match (&self.offset, self.sequence_number) {
            (Some(offset), _) => StartLocation::Offset(offset.clone()),
            (None, Some(number)) => StartLocation::SequenceNumber(number),
            (None, None) => StartLocation::Earliest,
        };
        StartPosition { location, inclusive: false }
    }
}

/// An event hub as one consumer group sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hub {
    pub(super) namespace: String,
    pub(super) eventhub: String,
    pub(super) group: String,
}

impl Hub {
    /// As names of checkpoints begin.
    pub(super) fn key(&self) -> String {
        format!("{}/{}/{}", self.namespace, self.eventhub, self.group)
    }

    /// The checkpoint of a partition.
    pub(super) fn checkpoint(&self, partition: &str, place: &Place) -> Checkpoint {
        Checkpoint {
            fully_qualified_namespace: self.namespace.clone(),
            event_hub_name: self.eventhub.clone(),
            consumer_group: self.group.clone(),
            partition_id: partition.to_owned(),
            offset: place.offset.clone(),
            sequence_number: place.sequence_number,
        }
    }
}

impl fmt::Display for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event hub {} of {}, consumer group {}", self.eventhub, self.namespace, self.group)
    }
}

/// The hold on a partition, from taking it until it is lost or given up. What is settled later is not saved: somebody
/// else may have read on.
pub(super) struct Hold {
    pub(super) hub: Arc<Hub>,
    pub(super) partition: Arc<str>,
    /// Where its checkpoint is kept besides the cursor.
    pub(super) store: Option<Arc<dyn CheckpointStore>>,
    released: watch::Sender<bool>,
    /// The sequence number up to which everything is saved.
    saved: watch::Sender<Option<i64>>,
}

impl Hold {
    /// A hold on a partition that was read up to a place.
    pub(super) fn new(
        hub: Arc<Hub>,
        partition: &str,
        store: Option<Arc<dyn CheckpointStore>>,
        place: &Place,
    ) -> Arc<Self> {
        let (released, saved) = (watch::Sender::new(false), watch::Sender::new(place.sequence_number));
        Arc::new(Self { hub, partition: partition.into(), store, released, saved })
    }

    /// Notes that everything up to a place is saved.
    pub(super) fn note_saved(&self, place: &Place) {
        self.saved.send_if_modified(|saved| {
            let newer = place.sequence_number > *saved;
            if newer {
                *saved = place.sequence_number;
            }
            newer
        });
    }

    /// Waits until a message is at most [`WINDOW`] messages past what is saved, or all is saved that was read before it: where
    /// messages have expired there is a gap. What is saved of a partition that nothing is known of ends before its first
    /// message.
    pub(super) async fn within_window(&self, sequence_number: i64, read: Option<i64>) {
        self.saved.send_if_modified(|saved| saved.replace(saved.unwrap_or(sequence_number - 1)).is_none());
        let is_saved = |saved: i64| read.is_none_or(|read| read <= saved);
        let within =
            |saved: &Option<i64>| saved.is_some_and(|saved| sequence_number - saved <= WINDOW || is_saved(saved));
        // The sender lives as long as `self`.
        let _ = self.saved.subscribe().wait_for(within).await;
    }

    pub(super) fn release(&self) {
        self.released.send_replace(true);
    }

    pub(super) fn is_released(&self) -> bool {
        *self.released.borrow()
    }

    /// Waits for the end of it.
    pub(super) async fn released(&self) {
        let mut released = self.released.subscribe();
        // The sender lives as long as `self`.
        let _ = released.wait_for(|released| *released).await;
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").field("hub", &self.hub).field("partition", &self.partition).finish_non_exhaustive()
    }
}

/// The last place in each of some partitions.
pub(super) type Reached = Vec<(Arc<Hold>, Place)>;

/// Places by hub and partition.
type Places = BTreeMap<String, BTreeMap<String, Place>>;

/// The saved form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    version: u32,
    hubs: Places,
}

const VERSION: u32 = 1;

/// Progress of all partitions.
#[derive(Debug, Default)]
pub(super) struct Progress {
    settled: Places,
    /// By delivery: the last place of each partition in it.
    pending: VecDeque<(u64, Reached)>,
    /// What a store has not been told.
    unsaved: BTreeMap<(String, Arc<str>), (Arc<Hold>, Place)>,
    /// What is saved with the cursor that was given last.
    saving: Reached,
}

impl Progress {
    /// Goes on from a saved cursor, or begins.
    pub(super) fn load(cursor: Option<&str>) -> Result<Self, CursorError> {
        let Some(cursor) = cursor else { return Ok(Self::default()) };
        let saved: Saved = serde_json::from_str(cursor).map_err(|error| CursorError(error.to_string()))?;
        if saved.version != VERSION {
            return Err(CursorError(format!("it has version {}, this program knows {VERSION}", saved.version)));
        }
        Ok(Self { settled: saved.hubs, ..Self::default() })
    }

    /// How far a partition is settled as this process knows.
    pub(super) fn place(&self, hub: &Hub, partition: &str) -> Option<Place> {
        self.settled.get(&hub.key())?.get(partition).cloned()
    }

    /// Notes what a delivery holds; deliveries come in order.
    pub(super) fn deliver(&mut self, sequence: u64, places: Reached) {
        self.pending.push_back((sequence, places));
    }

    /// Takes the deliveries up to `sequence` as settled and gives the cursor that may be saved now.
    pub(super) fn settle(&mut self, sequence: u64) -> String {
        while let Some((_, places)) = self.pending.pop_front_if(|(pending, _)| *pending <= sequence) {
            for (hold, place) in places {
                if hold.is_released() {
                    continue;
                }
                let key = hold.hub.key();
                self.settled.entry(key.clone()).or_default().insert(hold.partition.to_string(), place.clone());
                if hold.store.is_some() {
                    self.unsaved.insert((key, hold.partition.clone()), (hold, place));
                } else {
                    self.saving.push((hold, place));
                }
            }
        }
        let saved = Saved { version: VERSION, hubs: self.settled.clone() };
        serde_json::to_string(&saved).unwrap_or_default()
    }

    /// Notes that the cursor that was given last is saved.
    pub(super) fn saved(&mut self) {
        self.saving.drain(..).for_each(|(hold, place)| hold.note_saved(&place));
    }

    /// What is to be told to stores; it counts as told.
    pub(super) fn take_unsaved(&mut self) -> Reached {
        std::mem::take(&mut self.unsaved).into_values().filter(|(hold, _)| !hold.is_released()).collect()
    }

    /// Takes back what could not be told, unless there is something newer.
    pub(super) fn put_back(&mut self, hold: Arc<Hold>, place: Place) {
        self.unsaved.entry((hold.hub.key(), hold.partition.clone())).or_insert((hold, place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub() -> Arc<Hub> {
        Arc::new(Hub { namespace: "n".into(), eventhub: "h".into(), group: "$Default".into() })
    }

    fn at(number: i64) -> Place {
        Place { offset: Some(format!("{}", number * 100)), sequence_number: Some(number) }
    }

    #[test]
    fn a_cursor_holds_what_is_settled_and_no_more() {
        let hold = Hold::new(hub(), "0", None, &Place::default());
        let mut progress = Progress::load(None).unwrap();
        progress.deliver(1, vec![(hold.clone(), at(5))]);
        progress.deliver(2, vec![(hold.clone(), at(9))]);
        let cursor = progress.settle(1);
        let again = Progress::load(Some(&cursor)).unwrap();
        assert_eq!(again.place(&hub(), "0"), Some(at(5)));
        assert_eq!(again.place(&hub(), "1"), None);
        let again = Progress::load(Some(&progress.settle(2))).unwrap();
        assert_eq!(again.place(&hub(), "0"), Some(at(9)));
    }

    #[test]
    fn what_is_settled_after_a_partition_is_lost_is_not_saved() {
        let hold = Hold::new(hub(), "0", None, &Place::default());
        let mut progress = Progress::load(None).unwrap();
        progress.deliver(1, vec![(hold.clone(), at(5))]);
        progress.deliver(2, vec![(hold.clone(), at(9))]);
        progress.settle(1);
        hold.release();
        let again = Progress::load(Some(&progress.settle(2))).unwrap();
        assert_eq!(again.place(&hub(), "0"), Some(at(5)));
    }

    #[test]
    fn reading_goes_on_after_the_message() {
        assert_eq!(at(5).start().location, StartLocation::Offset("500".into()));
        let number = Place { offset: None, sequence_number: Some(5) };
        assert_eq!(number.start(), StartPosition { location: StartLocation::SequenceNumber(5), inclusive: false });
        assert_eq!(Place::default().start().location, StartLocation::Earliest);
    }

    #[test]
    fn a_cursor_of_another_kind_is_refused() {
        assert!(Progress::load(Some(r#"{"version":2,"hubs":{}}"#)).unwrap_err().to_string().contains("version 2"));
        assert!(Progress::load(Some(r#"{"version":1,"boundary":1}"#)).is_err());
    }

    #[tokio::test]
    async fn no_more_than_the_window_is_read_past_what_is_saved() {
        let hold = Hold::new(hub(), "0", None, &Place::default());
        let mut progress = Progress::load(None).unwrap();
        // The first message of a partition that nothing is known of.
        hold.within_window(100, None).await;
        hold.within_window(99 + WINDOW, Some(100)).await;
        let beyond = hold.clone();
        let waiting = tokio::spawn(async move { beyond.within_window(100 + WINDOW, Some(101)).await });
        progress.deliver(1, vec![(hold.clone(), at(100))]);
        progress.settle(1);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "settled is not saved");
        progress.saved();
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn a_gap_of_expired_messages_is_passed_once_what_was_read_before_is_saved() {
        let hold = Hold::new(hub(), "0", None, &at(100));
        hold.within_window(1_000_000, Some(100)).await;
        let mut progress = Progress::load(None).unwrap();
        let behind = hold.clone();
        let waiting = tokio::spawn(async move { behind.within_window(1_000_001, Some(1_000_000)).await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        progress.deliver(1, vec![(hold.clone(), at(1_000_000))]);
        progress.settle(1);
        progress.saved();
        waiting.await.unwrap();
    }
}
