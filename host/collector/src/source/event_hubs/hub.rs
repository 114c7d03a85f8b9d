//! One event hub: finds out its partitions, shares them with other collectors, and has a reader for each that it holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use azure_messaging_eventhubs::models::{Checkpoint, EventHubPartitionProperties, Ownership};
use azure_messaging_eventhubs::{CheckpointStore, ConsumerClient};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Shared;
use super::balance::{View, claims};
use super::connection::{Connector, close};
use super::error::{Error, Fault};
use super::progress::{Hold, Hub, Place};
use super::reader::{Item, Reader, Repeats};
use super::settings::{EventHubSettings, StartAt};
use super::store::{BlobStore, Kept};
use crate::checkpoint::millis;
use crate::http::{Retry, RetrySettings};
use crate::metrics::Metrics;

/// How long an answer about a hub may take.
const ANSWER: Duration = Duration::from_secs(60);
/// How often a hub that did not exist is looked for, because Defender XDR makes one a table when the first record of it
/// comes; and how often new partitions of one that did.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// How long looking for new partitions may keep those that are held from being renewed.
const GLANCE: Duration = Duration::from_secs(10);
/// The largest message, and so what one of them counts for.
const MESSAGE: usize = 1 << 20;
/// Messages ahead of one partition at most, however small they are.
const CREDIT: usize = 300;

/// What all hubs of an input share.
pub(super) struct Common {
    pub(super) connector: Arc<Connector>,
    pub(super) settings: EventHubSettings,
    pub(super) shared: Arc<Shared>,
    pub(super) items: mpsc::Sender<Item>,
    pub(super) stop: watch::Receiver<bool>,
    /// Names this collector in ownership.
    pub(super) owner: String,
    /// Since when messages past the local cursor may have been delivered.
    pub(super) sent_since: Option<i64>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) once: bool,
    /// Hubs of the input.
    pub(super) hubs: usize,
}

/// Hubs that one entry of `eventhub` stands for, of which some may be missing.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) hubs: usize,
    pub(super) missing: AtomicUsize,
}

/// The task of one hub.
pub(super) struct HubTask {
    pub(super) common: Arc<Common>,
    pub(super) entry: Arc<Entry>,
    pub(super) hub: Arc<Hub>,
    pub(super) store: Option<Arc<BlobStore>>,
}

/// A partition as it was at the start.
struct Partition {
    id: Arc<str>,
    /// Its last message, where that was asked for.
    last: Option<Last>,
}

struct Last {
    place: Place,
    empty: bool,
}

impl Last {
    /// Whether everything up to it has been read by somebody who is at `place`.
    fn is_reached(&self, place: &Place) -> bool {
        let by_number = place.sequence_number.zip(self.place.sequence_number).map(|(at, last)| at >= last);
        let offset = |place: &Place| place.offset.as_deref().and_then(|offset| offset.parse::<i64>().ok());
        let by_offset = || place.offset == self.place.offset || offset(place) >= offset(&self.place);
        self.empty || by_number.unwrap_or_else(by_offset)
    }
}

impl HubTask {
    /// Reads until told to stop.
    pub(super) async fn run(self) {
        let mut stop = self.common.stop.clone();
        let partitions = tokio::select! {
            partitions = self.find() => partitions,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let Some(partitions) = partitions else { return };
        tracing::info!(hub = %self.hub, partitions = partitions.len(), shared = self.store.is_some(), "event hub found");
        let mut sharing = Sharing {
            task: self,
            partitions,
            holds: BTreeMap::new(),
            readers: JoinSet::new(),
            read_before: BTreeMap::new(),
            began: chrono::Utc::now().timestamp_millis(),
        };
        sharing.run(&mut stop).await;
    }

    /// Its partitions; none where it is not there or cannot be read, which is said.
    async fn find(&self) -> Option<Vec<Partition>> {
        let Common { settings, once, items, metrics, .. } = &*self.common;
        let patient = RetrySettings { max_attempts: u32::MAX, ..settings.retry.clone() };
        let mut retry = Retry::new(if *once { &settings.retry } else { &patient });
        let mut missing = false;
        let mut failures = 0;
        loop {
            let error = match self.ask().await {
                Ok(partitions) => {
                    metrics.health.works(&self.hub.eventhub);
                    if *once {
                        let ids = partitions.iter().map(|partition| partition.id.clone()).collect();
                        let _ = items.send(Item::Hub { eventhub: self.name(), partitions: ids }).await;
                    }
                    return Some(partitions);
                }
                Err(error) => error,
            };
            // Only a name that was made from `*` may be of a hub that does not exist.
            if error.fault() == Fault::Missing && self.entry.name.contains('*') {
                // It may have been out of reach before.
                metrics.health.works(&self.hub.eventhub);
                if !std::mem::replace(&mut missing, true) {
                    self.report_missing().await;
                }
                if *once {
                    let _ = items.send(Item::Hub { eventhub: self.name(), partitions: Vec::new() }).await;
                    return None;
                }
                sleep(LOOK_AGAIN).await;
                continue;
            }
            failures += 1;
            let may_pass = error.may_pass(failures, settings.retry.max_attempts);
            let wait = if may_pass { retry.failed(None) } else { None };
            let Some(wait) = wait else {
                let _ = items.send(Item::Failed(error)).await;
                return None;
            };
            metrics.aspect_failed(&self.hub.eventhub, &error);
            tracing::warn!(hub = %self.hub, %error, ?wait, "the event hub cannot be reached yet");
            sleep(wait).await;
        }
    }

    async fn report_missing(&self) {
        let eventhub = &self.hub.eventhub;
        tracing::info!(eventhub, "there is no such event hub (yet): it is left out");
        if self.entry.missing.fetch_add(1, Ordering::Relaxed) + 1 == self.entry.hubs {
            let error = Error::NoHub(self.entry.name.clone(), self.hub.namespace.clone());
            if self.common.once {
                let _ = self.common.items.send(Item::Failed(error)).await;
            } else {
                tracing::warn!("{error}");
            }
        }
    }

    fn name(&self) -> Arc<str> {
        self.hub.eventhub.as_str().into()
    }

    async fn ask(&self) -> Result<Vec<Partition>, Error> {
        let client = self.common.connector.open(&self.hub.eventhub).await?;
        let doing = || format!("asking for the partitions of {}", self.hub);
        let asked = match timeout(ANSWER, self.partitions(&client)).await {
            Ok(asked) => asked.map_err(|error| Error::of(doing(), &error)),
            Err(_) => Err(Error::timeout(doing(), ANSWER.as_secs())),
        };
        close(client).await;
        asked
    }

    async fn partitions(&self, client: &ConsumerClient) -> azure_messaging_eventhubs::Result<Vec<Partition>> {
        // `latest` is fixed at the start: a connection that breaks before the first message must not skip it.
        let latest = self.common.settings.processor_start_position == StartAt::Latest;
        let mut partitions = Vec::new();
        for id in client.get_eventhub_properties().await?.partition_ids {
            let last = if self.common.once || latest {
                Some(client.get_partition_properties(&id).await?.into())
            } else {
                None
            };
            partitions.push(Partition { id: id.as_str().into(), last });
        }
        Ok(partitions)
    }
}

impl From<EventHubPartitionProperties> for Last {
    fn from(properties: EventHubPartitionProperties) -> Self {
        let place = Place {
            offset: Some(properties.last_enqueued_offset).filter(|offset| !offset.is_empty()),
            sequence_number: Some(properties.last_enqueued_sequence_number),
        };
        Self { place, empty: properties.is_empty }
    }
}

/// The partitions of a hub, and those of them that are held.
struct Sharing {
    task: HubTask,
    partitions: Vec<Partition>,
    holds: BTreeMap<Arc<str>, Arc<Hold>>,
    readers: JoinSet<()>,
    /// Partitions that somebody has read before, and since when, milliseconds since 1970-01-01T00:00:00Z; 0 where that is not
    /// known.
    read_before: BTreeMap<String, i64>,
    began: i64,
}

impl Sharing {
    async fn run(&mut self, stop: &mut watch::Receiver<bool>) {
        let interval = self.task.common.settings.processor_update_interval;
        let mut asked = Instant::now();
        let sharing = format!("sharing {}", self.task.hub.eventhub);
        loop {
            let next = Instant::now() + interval;
            if asked.elapsed() > LOOK_AGAIN && !self.task.common.once {
                asked = Instant::now();
                tokio::select! {
                    () = self.grow() => {}
                    _ = stop.wait_for(|stop| *stop) => break,
                }
            }
            let shared = tokio::select! {
                shared = self.share() => shared,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let metrics = &self.task.common.metrics;
            match &shared {
                Ok(()) => metrics.health.works(&sharing),
                Err(error) => metrics.aspect_failed(&sharing, error),
            }
            if let Err(error) = shared {
                let hub = &self.task.hub;
                tracing::warn!(%hub, %error, "partitions cannot be shared out for now; those held are read on");
            }
            tokio::select! {
                () = sleep_until(next) => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
            // Those that have ended are taken off the list.
            while self.readers.try_join_next().is_some() {}
        }
        while self.readers.join_next().await.is_some() {}
    }

    /// Adds partitions that the hub was given since. Whatever is in them came after the start.
    async fn grow(&mut self) {
        match timeout(GLANCE, self.task.ask()).await {
            Ok(Ok(found)) => {
                for partition in added(&self.partitions, found) {
                    tracing::info!(hub = %self.task.hub, partition = %partition.id, "the event hub has a new partition");
                    self.partitions.push(partition);
                }
            }
            Ok(Err(error)) => tracing::debug!(hub = %self.task.hub, %error, "looking for new partitions failed"),
            Err(_) => tracing::debug!(hub = %self.task.hub, "looking for new partitions took too long"),
        }
    }

    /// Renews what is held, takes what is due, lets go what was taken.
    async fn share(&mut self) -> Result<(), azure_core::Error> {
        let held = match self.task.store.clone() {
            Some(store) => self.claim(&store).await?,
            None => self.partitions.iter().map(|partition| partition.id.to_string()).collect(),
        };
        let hub = self.task.hub.clone();
        self.holds.retain(|partition, hold| {
            if !held.iter().any(|held| **held == **partition) {
                tracing::info!(%hub, %partition, "partition is held by another collector now");
                hold.release();
            }
            !hold.is_released()
        });
        let new: Vec<usize> = (0..self.partitions.len())
            .filter(|at| {
                let id = self.partitions.get(*at).map(|partition| &partition.id);
                id.is_some_and(|id| !self.holds.contains_key(id) && held.iter().any(|held| **held == **id))
            })
            .collect();
        let unread = self.task.common.once && self.holds.len() + new.len() < self.partitions.len();
        let checkpoints = match &self.task.store {
            Some(store) if !new.is_empty() || unread => store.kept(&hub.namespace, &hub.eventhub, &hub.group).await?,
            _ => Vec::new(),
        };
        if unread {
            self.report_read_by_others(&checkpoints).await;
        }
        for at in new {
            self.hold(at, &checkpoints).await?;
        }
        Ok(())
    }

    async fn claim(&mut self, store: &BlobStore) -> Result<Vec<String>, azure_core::Error> {
        let Common { settings, owner, .. } = &*self.task.common;
        let hub = &self.task.hub;
        let ownerships = store.list_ownerships(&hub.namespace, &hub.eventhub, &hub.group).await?;
        for Ownership { partition_id, .. } in &ownerships {
            if !self.holds.contains_key(partition_id.as_str()) {
                self.read_before.entry(partition_id.clone()).or_insert(0);
            }
        }
        let partitions: Vec<String> = self.partitions.iter().map(|partition| partition.id.to_string()).collect();
        let view = View {
            hub,
            partitions: &partitions,
            ownerships: &ownerships,
            us: owner,
            now: SystemTime::now(),
            expiration: settings.processor_ownership_expiration,
        };
        let claims = claims(&view, settings.processor_load_balancing_strategy, &mut fastrand::Rng::new());
        let claimed = store.claim_ownership(&claims).await?;
        Ok(claimed.into_iter().map(|ownership| ownership.partition_id).collect())
    }

    /// With `once`: what others have read up to the end of the start is finished.
    async fn report_read_by_others(&self, checkpoints: &[Kept]) {
        for partition in self.partitions.iter().filter(|partition| !self.holds.contains_key(&partition.id)) {
            let Some(last) = &partition.last else { continue };
            let read = find(checkpoints, &partition.id).map(|kept| place(&kept.checkpoint));
            if last.is_reached(&read.unwrap_or_default()) {
                self.report_finished(&partition.id).await;
            }
        }
    }

    async fn report_finished(&self, partition: &Arc<str>) {
        let item = Item::Finished { eventhub: self.task.name(), partition: partition.clone() };
        // Where the source has ended nobody needs to know.
        let _ = self.task.common.items.send(item).await;
    }

    /// Begins to read a partition.
    async fn hold(&mut self, at: usize, checkpoints: &[Kept]) -> Result<(), azure_core::Error> {
        let Some(partition) = self.partitions.get(at) else { return Ok(()) };
        let HubTask { common, hub, store, .. } = &self.task;
        let id = partition.id.clone();
        let stored = find(checkpoints, &id);
        let (place, from, save) = match stored {
            Some(kept) => (place(&kept.checkpoint), "its checkpoint", false),
            None => self.place(partition).await?,
        };
        let dynamic = store.clone().map(|store| store as Arc<dyn CheckpointStore>);
        let hold = Hold::new(hub.clone(), &id, dynamic, &place);
        let read_before = self.read_before.get(&*id).copied();
        let since = match stored {
            // Where the time is not known it may have been at any.
            Some(kept) => Some(kept.saved_at.map_or(0, millis)),
            // Checkpoints may have been kept below `path.data` before there was a container.
            None if store.is_some() => read_before.or(common.sent_since),
            None => common.sent_since.or(read_before),
        };
        tracing::info!(%hub, partition = %id, from, offset = place.offset, sequence_number = place.sequence_number, "partition is read");
        let last = partition.last.as_ref().filter(|_| common.once);
        let unread = last.filter(|last| !last.is_reached(&place));
        if last.is_some() && unread.is_none() {
            self.report_finished(&id).await;
        }
        let share = common.settings.prefetch / (common.hubs * self.partitions.len() * MESSAGE).max(1);
        let reader = Reader {
            connector: common.connector.clone(),
            hold: hold.clone(),
            items: common.items.clone(),
            place,
            repeats: since.map(|since| Repeats { since, last: None }),
            save,
            credit: u32::try_from(share.clamp(1, CREDIT)).unwrap_or(1),
            last: unread.and_then(|last| last.place.sequence_number),
            retry: common.settings.retry.clone(),
            metrics: common.metrics.clone(),
            shared: common.shared.clone(),
            once: common.once,
            stop: common.stop.clone(),
        };
        self.readers.spawn(reader.run());
        self.read_before.entry(id.to_string()).or_insert(self.began);
        self.holds.insert(id, hold);
        Ok(())
    }

    /// Where a partition begins that has no checkpoint in the store, and whether that is to be saved at once.
    async fn place(&self, partition: &Partition) -> Result<(Place, &'static str, bool), azure_core::Error> {
        let HubTask { common, hub, store, entry } = &self.task;
        if let Some(place) = common.shared.progress().place(hub, &partition.id) {
            return Ok((place, "path.data", store.is_some()));
        }
        // The older form does not say of which hub it is.
        let alone = entry.hubs == 1;
        if let Some(store) = store.as_ref().filter(|_| common.settings.migrate_checkpoint && alone) {
            let legacy = store.legacy(&partition.id).await;
            let legacy = legacy.map_err(|error| {
                let message = error.to_string();
                azure_core::Error::with_error(azure_core::error::ErrorKind::Other, error, message)
            })?;
            if let Some(place) = legacy {
                return Ok((place, "filebeat's older checkpoint", true));
            }
        }
        Ok(match (common.settings.processor_start_position, &partition.last) {
            (StartAt::Latest, Some(last)) => (last.place.clone(), "processor_start_position: latest", true),
            _ => (Place::default(), "processor_start_position: earliest", false),
        })
    }
}

/// Partitions that are new, to be read from their beginning.
fn added(known: &[Partition], found: Vec<Partition>) -> Vec<Partition> {
    let found = found.into_iter().filter(|found| !known.iter().any(|known| known.id == found.id));
    found.map(|Partition { id, .. }| Partition { id, last: None }).collect()
}

fn find<'a>(checkpoints: &'a [Kept], partition: &str) -> Option<&'a Kept> {
    checkpoints.iter().find(|kept| kept.checkpoint.partition_id == partition)
}

fn place(checkpoint: &Checkpoint) -> Place {
    Place { offset: checkpoint.offset.clone(), sequence_number: checkpoint.sequence_number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_partition_is_read_from_its_beginning_whatever_the_start() {
        let last = || Some(Last { place: Place::default(), empty: false });
        let partition = |id: &str| Partition { id: id.into(), last: last() };
        let added = added(&[partition("0"), partition("1")], vec![partition("0"), partition("2"), partition("1")]);
        assert_eq!(added.len(), 1);
        assert!(&*added[0].id == "2" && added[0].last.is_none());
    }

    #[test]
    fn a_partition_is_read_up_to_the_end_of_the_start() {
        let place =
            |offset: Option<&str>, sequence_number| Place { offset: offset.map(str::to_owned), sequence_number };
        let last = Last { place: place(Some("1200"), Some(9)), empty: false };
        for (at, reached) in [
            (place(Some("1200"), Some(9)), true),
            (place(None, Some(10)), true),
            (place(Some("1100"), Some(8)), false),
            (place(Some("1200"), None), true),
            (place(Some("900"), None), false),
            (Place::default(), false),
        ] {
            assert_eq!(last.is_reached(&at), reached, "{at:?}");
        }
        assert!(Last { empty: true, ..last }.is_reached(&Place::default()), "what is empty is read");
    }
}
