//! Polls Microsoft Graph Security.
//!
//! A task reads cycle after cycle and hands records on, unread, in batches bounded by bytes and by count; a page is
//! never held whole. What it needs to know of records, their position in the feed's order and the ids of the documents
//! made of them, comes back from the guest through [`Source::mapped`] and [`Source::fresh`].
//!
//! Guarantees:
//! - Every record is handed on that Graph shows at or above the boundary, or within `overlap` below it. The boundary is
//!   the position of the newest record read, never beyond the present by Graph's clock or ours, and is itself read again: many records may share
//!   it.
//! - No document is delivered twice while its id is known, and nothing is read again below the ids that are known. Ids
//!   are kept for the overlap and above, at most 100,000 below the boundary; more of them shorten the overlap.
//! - A cursor is made only of batches that are settled. After a restart it leads to the same documents, whenever the
//!   process ended.
//! - What belongs to a record (the alerts of an incident) leaves with it, however Graph can be brought to give it, or
//!   is asked for again in later cycles; the cursor does not wait for it.
//! - A cycle that fails says so in one record `{"error":{..}}`, and the next begins where it did.

mod again;
mod cursor;
mod expand;
mod feed;
mod pace;
mod page;
mod poll;
mod settings;
mod window;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub use cursor::CursorError;
pub use feed::{ALERTS, Expand, Feed, INCIDENTS, Split};
pub use settings::GraphSettings;

use super::records::ReadError;
use super::{Delivery, Lag, Position, Source, Start};
use crate::http::Service;
use cursor::Progress;
use poll::Poller;

/// Why a source cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request failed, or an option is wrong.
    #[error(transparent)]
    Http(#[from] crate::http::Error),
    /// The saved cursor is of no use.
    #[error(transparent)]
    Cursor(#[from] CursorError),
    /// A record that is too long could not be set aside.
    #[error("cannot write a record that is longer than max_record_size to the dead-letter file: {0}")]
    DeadLetter(#[source] std::io::Error),
    /// The task is gone: a defect of this program.
    #[error("polling stopped unexpectedly; please report this with the log")]
    Stopped,
    /// More records share one time than can be fetched.
    #[error(
        "more than {fetched} records of {feed} were updated and created at the same time, {time}, with the same \
         severity, status and source; Graph gives no way to ask for the rest, so the cursor stays before them"
    )]
    Indivisible {
        /// The feed.
        feed: &'static str,
        /// How many could be fetched.
        fetched: usize,
        /// Their `lastUpdateDateTime`.
        time: String,
    },
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Http(error) => Self::Http(error),
            ReadError::DeadLetter(error) => Self::DeadLetter(error),
        }
    }
}

/// A poller of one feed.
#[derive(Debug)]
pub struct Graph {
    shared: Arc<Shared>,
    deliveries: tokio::sync::Mutex<mpsc::Receiver<Delivery>>,
    task: JoinHandle<()>,
}

/// What the task and the driver share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The last delivery that was mapped.
    mapped: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    progress: Progress,
    order: page::Order,
    /// When the last cycle began that read all there is.
    read: Position,
    /// How the one cycle of `once` ended.
    ended: Option<Result<(), Error>>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Graph {
    /// Checks the options and starts the task. Has to be called within a tokio runtime; the task ends when the source is
    /// dropped.
    pub fn open(feed: &'static Feed, settings: &GraphSettings, start: Start) -> Result<Self, Error> {
        let overlap = ticks(settings.overlap);
        let progress = match &start.cursor {
            Some(cursor) => Progress::load(cursor, overlap)?,
            None => Progress::new(now().saturating_sub(ticks(settings.initial_interval)), overlap),
        };
        let service = service(feed, settings)?.counting(start.metrics.clone());
        let state = State { progress, order: page::Order::default(), read: 0, ended: None };
        let shared = Arc::new(Shared { state: Mutex::new(state), mapped: watch::Sender::new(0) });
        // One delivery waits while another is mapped and a third is filled.
        let (sender, receiver) = mpsc::channel(1);
        let poller = Poller::new(feed, settings, start, service, shared.clone(), sender);
        Ok(Self { shared, deliveries: tokio::sync::Mutex::new(receiver), task: tokio::spawn(poller.run()) })
    }
}

/// Checks options that only show when they are used: certificates, the proxy's address, the form of the token request.
/// Nothing is sent.
///
/// # Errors
///
/// The option at fault.
pub fn check(feed: &'static Feed, settings: &GraphSettings) -> Result<(), Error> {
    Ok(service(feed, settings).map(drop)?)
}

fn service(feed: &'static Feed, settings: &GraphSettings) -> Result<Service, crate::http::Error> {
    Service::new(settings.http(), settings.base()?, &settings.credentials()?, feed.permission)
}

impl Source for Graph {
    type Error = Error;

    async fn next(&self) -> Result<Option<Delivery>, Error> {
        match self.deliveries.lock().await.recv().await {
            Some(delivery) => Ok(Some(delivery)),
            None => match self.shared.state().ended.replace(Ok(())) {
                Some(end) => end.map(|()| None),
                None => Err(Error::Stopped),
            },
        }
    }

    fn fresh(&self, sequence: u64, id: u128, position: Position) -> bool {
        self.shared.state().progress.admit(sequence, id, position)
    }

    fn mapped(&self, sequence: u64, positions: &[Position]) {
        {
            let mut state = self.shared.state();
            positions.iter().for_each(|position| state.order.meet(*position));
        }
        self.shared.mapped.send_replace(sequence);
    }

    fn settled(&self, sequence: u64) -> String {
        self.shared.state().progress.settle(sequence)
    }

    fn lag(&self) -> Lag {
        let read = {
            let state = self.shared.state();
            state.progress.boundary().max(state.read)
        };
        Lag { seconds: Some(now().saturating_sub(read) as f64 / 1e7), messages: None }
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The present as a position.
fn now() -> Position {
    position(SystemTime::now())
}

fn position(time: SystemTime) -> Position {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, ticks)
}

fn ticks(duration: std::time::Duration) -> Position {
    Position::try_from(duration.as_nanos() / 100).unwrap_or(Position::MAX)
}
