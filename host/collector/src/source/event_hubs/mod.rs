//! Reads Azure Event Hubs, to which Defender XDR streams the tables of advanced hunting.
//!
//! For each hub a task shares the partitions with other collectors (`balance`, over the blobs of `store`) or holds all of
//! them; each partition that is held has a reader with a connection of its own. Readers hand messages to the source one
//! by one and wait until it takes them; it gathers deliveries of them, unread. What is settled is saved in the input's
//! cursor and, where there is one, in the storage account.
//!
//! Guarantees:
//! - A checkpoint is saved only of messages whose documents are settled, all of them.
//! - A reader that loses its connection goes on after the last message it handed over: nothing is skipped and nothing is
//!   read twice by one process. After a restart or a take-over, what was not saved is read again.
//! - A partition that somebody else has taken is read no further, and nothing more of it is saved.
//! - No partition is read further past what is saved than a fixed number of messages. So many at most may have been delivered
//!   by whoever read the partition before, and leave with the time since when.
//! - What is ahead of being mapped is bounded in bytes: each partition has a credit of messages of at most 1 MiB, one at
//!   least, one more in the hands of its reader.
//!
//! Connections, receivers and the form of checkpoints are those of Microsoft's azure_messaging_eventhubs. Its event
//! processor is not used, because
//! - it attaches a receiver that broke off where that once began, and not where it stands: it reads everything again, or,
//!   beginning at the latest, misses what came meanwhile;
//! - it ends at the first request to the store that fails, and forgets then which receivers it has;
//! - its owner id is that of the connection, so each restart waits until its own partitions expire;
//! - it cannot tell when everything is read that was there at the start.

mod address;
mod balance;
mod connection;
mod error;
mod gather;
mod hub;
mod identity;
mod lag;
mod probe;
mod progress;
mod reader;
mod settings;
mod store;

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use azure_core::credentials::TokenCredential;
use futures_util::future::join_all;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub use error::{Error, Fault};
pub use probe::{Found, probe};
pub use progress::CursorError;
pub use settings::{AuthType, EventHubSettings, StartAt, Strategy, Transport};

use super::{Delivery, Lag, Position, Source, Start};
use crate::http::{self, Client, Retry, RetrySettings};
use crate::storage::Container;
use address::expand;
use connection::Connector;
use gather::Gather;
use hub::{Common, Entry, HubTask};
use lag::Lags;
use progress::{Hub, Progress};
use reader::Item;
use store::BlobStore;

/// Checkpoints that are sent at once.
const SAVES: usize = 16;
/// The aspect of an input that keeps checkpoints.
const CONTAINER: &str = "container for checkpoints";
/// How long connections may take to end.
const CLOSE: Duration = Duration::from_secs(10);

/// A reader of event hubs.
#[derive(Debug)]
pub struct EventHubs {
    shared: Arc<Shared>,
    gather: tokio::sync::Mutex<Gather>,
    stop: watch::Sender<bool>,
    tasks: tokio::sync::Mutex<JoinSet<()>>,
    saver: tokio::task::JoinHandle<()>,
}

/// What tasks and driver share.
#[derive(Debug, Default)]
struct Shared {
    progress: Mutex<Progress>,
    /// Something is settled that a store does not know.
    unsaved: Notify,
    /// One at a time tells it.
    saving: tokio::sync::Mutex<()>,
    lags: Lags,
}

impl Shared {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells stores what is settled.
    async fn save(&self) -> Result<(), azure_core::Error> {
        let _saving = self.saving.lock().await;
        let unsaved = self.progress().take_unsaved();
        let mut result = Ok(());
        for some in unsaved.chunks(SAVES) {
            let saves = some.iter().map(async |(hold, place)| {
                let Some(store) = &hold.store else { return Ok(()) };
                store.update_checkpoint(hold.hub.checkpoint(&hold.partition, place)).await
            });
            for (saved, (hold, place)) in join_all(saves).await.into_iter().zip(some) {
                match saved {
                    Ok(()) => hold.note_saved(place),
                    Err(error) => {
                        self.progress().put_back(hold.clone(), place.clone());
                        result = Err(error);
                    }
                }
            }
        }
        result
    }

    /// Tells stores whenever there is something to tell.
    async fn keep_saving(&self, retry: RetrySettings) {
        let settings = RetrySettings { max_attempts: u32::MAX, ..retry };
        loop {
            self.unsaved.notified().await;
            let mut retry = Retry::new(&settings);
            while let Err(error) = self.save().await {
                let Some(wait) = retry.failed(None) else { break };
                tracing::warn!(%error, ?wait, "checkpoints cannot be saved for now; another collector would read again what is settled since");
                sleep(wait).await;
            }
        }
    }
}

/// Checks options that only show when they are used. Nothing is sent.
///
/// # Errors
///
/// The option at fault.
pub fn check(settings: &EventHubSettings) -> Result<(), Error> {
    settings.check()?;
    let client = Client::new(&settings.http(), &root(settings)?)?;
    Connector::new(settings, &client)?;
    Ok(())
}

/// What requests are mostly sent to: it decides about the proxy.
fn root(settings: &EventHubSettings) -> Result<url::Url, http::Error> {
    Ok(match settings.account()? {
        Some(account) => account.url,
        None => settings.authority()?,
    })
}

impl EventHubs {
    /// Checks the options and starts the tasks. Has to be called within a tokio runtime; the tasks end with
    /// [`close`](Source::close), or when the source is dropped.
    ///
    /// # Errors
    ///
    /// An option is wrong, or the cursor is of no use.
    pub fn open(settings: &EventHubSettings, start: Start) -> Result<Self, Error> {
        settings.check()?;
        let progress = Progress::load(start.cursor.as_deref())?;
        let client = Client::new(&settings.http(), &root(settings)?)?;
        let connector = Arc::new(Connector::new(settings, &client)?);
        let shared = Arc::new(Shared { progress: Mutex::new(progress), ..Shared::default() });
        let (items, received) = mpsc::channel(1);
        let (stop, stopped) = watch::channel(false);
        let hubs = settings.eventhub.iter().map(|entry| expand(entry).len()).sum();
        let common = Arc::new(Common {
            connector,
            settings: settings.clone(),
            shared: shared.clone(),
            items,
            stop: stopped,
            owner: start.owner.clone(),
            sent_since: start.sent_since,
            metrics: start.metrics,
            once: start.once,
            hubs,
        });
        let mut tasks = JoinSet::new();
        for entry in &settings.eventhub {
            let container = container(settings, entry, &client, common.connector.storage())?;
            tasks.spawn(read(common.clone(), entry.clone(), container));
        }
        let saving = (shared.clone(), settings.retry.clone());
        let saver = tokio::spawn(async move { saving.0.keep_saving(saving.1).await });
        let gather = Gather::new(received, settings, start.budget, start.once.then_some(hubs));
        Ok(Self { shared, gather: tokio::sync::Mutex::new(gather), stop, tasks: tokio::sync::Mutex::new(tasks), saver })
    }
}

/// The container that an entry of `eventhub` has its checkpoints in.
fn container(
    settings: &EventHubSettings,
    entry: &str,
    client: &Client,
    identity: Option<Arc<dyn TokenCredential>>,
) -> Result<Option<Container>, http::Error> {
    let Some(account) = settings.account()? else { return Ok(None) };
    let name = settings.container(entry)?;
    Ok(Some(Container::new(account, name, client.clone(), identity, settings.retry.clone())))
}

/// Reads all hubs of an entry.
async fn read(common: Arc<Common>, name: String, container: Option<Container>) {
    let store = match container {
        Some(container) => match open_store(&common, container).await {
            Some(store) => Some(Arc::new(store)),
            None => return,
        },
        None => None,
    };
    let hubs = expand(&name);
    let entry = Arc::new(Entry { name, hubs: hubs.len(), missing: AtomicUsize::new(0) });
    let tasks = hubs.into_iter().map(|eventhub| {
        let hub = Hub {
            namespace: common.connector.address.namespace.clone(),
            eventhub,
            group: common.settings.consumer_group.clone(),
        };
        HubTask { common: common.clone(), entry: entry.clone(), hub: Arc::new(hub), store: store.clone() }.run()
    });
    join_all(tasks).await;
}

/// Opens a container, however long that takes; none where it is of no use, which is said.
async fn open_store(common: &Common, container: Container) -> Option<BlobStore> {
    let mut stop = common.stop.clone();
    loop {
        let opened = tokio::select! {
            opened = BlobStore::open(container.clone()) => opened,
            _ = stop.wait_for(|stop| *stop) => return None,
        };
        let error = match opened {
            Ok(store) => {
                common.metrics.health.works(CONTAINER);
                return Some(store);
            }
            Err(error) => error,
        };
        // A token may be had later, whatever the login server says now.
        let may_pass = error.is_transient() || matches!(error, http::Error::Token { .. });
        if common.once || !may_pass {
            let _ = common.items.send(Item::Failed(error.into())).await;
            return None;
        }
        let wait = common.settings.retry.wait_max;
        common.metrics.aspect_failed(CONTAINER, &error);
        tracing::warn!(%error, ?wait, "the container for checkpoints cannot be opened yet");
        tokio::select! {
            () = sleep(wait) => {}
            _ = stop.wait_for(|stop| *stop) => return None,
        }
    }
}

impl Source for EventHubs {
    type Error = Error;

    async fn next(&self) -> Result<Option<Delivery>, Error> {
        let mut gather = self.gather.lock().await;
        let Some((delivery, places)) = gather.next().await? else { return Ok(None) };
        self.shared.progress().deliver(delivery.sequence, places);
        Ok(Some(delivery))
    }

    /// Event Hubs gives a message once; one that comes again after a restart has the same ids, and says so.
    fn fresh(&self, _: u64, _: u128, _: Position) -> bool {
        true
    }

    fn mapped(&self, _: u64, _: &[Position]) {}

    fn settled(&self, sequence: u64) -> String {
        let cursor = self.shared.progress().settle(sequence);
        self.shared.unsaved.notify_one();
        cursor
    }

    fn saved(&self, _: u64) {
        self.shared.progress().saved();
    }

    fn lag(&self) -> Lag {
        self.shared.lags.sum(SystemTime::now())
    }

    async fn close(&self) {
        self.stop.send_replace(true);
        // Readers may wait to hand over a message.
        self.gather.lock().await.close();
        let mut tasks = self.tasks.lock().await;
        let _ = timeout(CLOSE, async { while tasks.join_next().await.is_some() {} }).await;
        if let Err(error) = self.shared.save().await {
            tracing::error!(%error, "the last checkpoints are not saved: another collector would read again what is settled since");
        }
    }
}

impl Drop for EventHubs {
    fn drop(&mut self) {
        self.saver.abort();
    }
}
