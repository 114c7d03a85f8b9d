//! Collects vulnerabilities from the Defender for Endpoint API.
//!
//! A task reads cycle after cycle and hands records on, unread, in batches bounded by bytes and by count; neither a page nor
//! a file is ever held whole. A cycle is a sync, which reads all there is and whose documents share its start, or reads what
//! changed since the cycle before.
//!
//! Guarantees:
//! - A sync's start is saved before its first record is handed on, and is the same however often it is begun: after a
//!   crash, after a failure that may pass, and without the records that made the component trap.
//! - An answer that breaks off is asked for again, and its records that were handed on already are left out, if it begins
//!   with the same ones. If not, all of it is handed on again: a record may come twice then, and makes documents with the same
//!   ids; none is missed because of it. The API has no snapshot of its lists: what is added or removed while they are read may
//!   move a record past the page that is asked for next.
//! - Tokens go to the API's own origin only; files of an export are asked for without one, on known hosts.
//! - A cycle that fails says so in one record `{"error":{..}}`.

mod changes;
mod correlated;
mod cursor;
mod cycle;
mod export;
mod gunzip;
mod patience;
mod read;
mod settings;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

pub use cursor::CursorError;
pub use settings::{DefenderSettings, Mode};

use super::records::ReadError;
use super::{Delivery, Lag, Position, Source, Start, Trapped};
use crate::checkpoint::unix_millis;
use crate::http::{Client, Service};
use cursor::Progress;
use cycle::Collector;

/// Why a source cannot go on, or a cycle has failed.
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
    #[error("collecting stopped unexpectedly; please report this with the log")]
    Stopped,
    /// The component cannot take the sync as a whole.
    #[error("the sync has failed: {0}; the next one begins after interval")]
    Trapped(String),
    /// Records trap in one attempt after the other.
    #[error(
        "the sync was begun {attempts} times, and each time further records made the component trap; the next one begins after interval"
    )]
    Attempts {
        /// How often.
        attempts: u32,
    },
    /// A list leads in a circle.
    #[error("{path} gives the same page again; whether there is more cannot be told")]
    Circle {
        /// The list.
        path: &'static str,
    },
    /// An answer that is not as documented.
    #[error("{path} answered with something that is no list of files: {message}")]
    Answer {
        /// What was asked.
        path: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// A file is somewhere that it must not be.
    #[error("the export has a file on {host}, {reason}")]
    Storage {
        /// Scheme and host.
        host: String,
        /// Why it is not asked.
        reason: &'static str,
    },
    /// Files can no longer be read, however often new addresses are asked for.
    #[error(
        "the storage refuses the addresses of the export's files ({answer}), new ones too: check that a firewall, the \
         storage's own or one in between, lets this machine in; raise sas_valid_hours if reading the files takes longer"
    )]
    Expired {
        /// What the storage said.
        answer: String,
    },
}

impl Error {
    /// `error.code` of the error document.
    fn code(&self) -> String {
        match self {
            Self::Http(error) => return error.code(),
            Self::Cursor(_) => "cursor",
            Self::DeadLetter(_) => "dead_letter",
            Self::Stopped => "stopped",
            Self::Trapped(_) | Self::Attempts { .. } => "trap",
            Self::Circle { .. } => "circle",
            Self::Answer { .. } => "content",
            Self::Storage { .. } => "foreign_link",
            Self::Expired { .. } => "expired",
        }
        .into()
    }

    /// `error.id` of the error document.
    fn id(&self) -> Option<&str> {
        match self {
            Self::Http(error) => error.id(),
            _ => None,
        }
    }

    /// Whether a sync that failed with it would fail again: only a new one may do better.
    fn ends_sync(&self) -> bool {
        matches!(self, Self::Trapped(_) | Self::Attempts { .. })
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Http(error) => Self::Http(error),
            ReadError::DeadLetter(error) => Self::DeadLetter(error),
        }
    }
}

/// A collector of one tenant's vulnerabilities.
#[derive(Debug)]
pub struct Defender {
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
    /// The last delivery whose cursor is saved.
    saved: watch::Sender<u64>,
    /// Why the sync under way cannot go on.
    trapped: watch::Sender<Option<Trapped>>,
}

#[derive(Debug)]
struct State {
    progress: Progress,
    /// The highest position of all records since it was last taken.
    highest: Position,
    /// When the last cycle began that read all there is, milliseconds since 1970-01-01T00:00:00Z.
    read: Option<i64>,
    /// How the one cycle of `once` ended.
    ended: Option<Result<(), Error>>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Defender {
    /// Checks the options and starts the task. Has to be called within a tokio runtime; the task ends when the source is
    /// dropped.
    pub fn open(settings: &DefenderSettings, start: Start) -> Result<Self, Error> {
        let progress = Progress::load(start.cursor.as_deref(), settings.mode)?;
        let (storage, service) = connect(settings)?;
        let service = service.counting(start.metrics.clone());
        let read = progress.cursor.full;
        let shared = Arc::new(Shared {
            state: Mutex::new(State { progress, highest: 0, read, ended: None }),
            mapped: watch::Sender::new(0),
            saved: watch::Sender::new(0),
            trapped: watch::Sender::new(None),
        });
        // One delivery waits while another is mapped and a third is filled.
        let (sender, receiver) = mpsc::channel(1);
        let collector = Collector::new(settings.clone(), start, storage, service, shared.clone(), sender);
        Ok(Self { shared, deliveries: tokio::sync::Mutex::new(receiver), task: tokio::spawn(collector.run()) })
    }
}

/// Checks options that only show when they are used: certificates, the proxy's address, the form of the token request.
/// Nothing is sent.
///
/// # Errors
///
/// The option at fault.
pub fn check(settings: &DefenderSettings) -> Result<(), Error> {
    Ok(connect(settings).map(drop)?)
}

/// Connections to the storage of exports, and to the API.
fn connect(settings: &DefenderSettings) -> Result<(Client, Service), crate::http::Error> {
    let (http, base) = (settings.http(), settings.base()?);
    let storage = Client::undecoded(&http, &base)?;
    Ok((storage, Service::new(http, base, &settings.credentials()?, settings.permission())?))
}

impl Source for Defender {
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

    /// Ids are not kept: a sync may have millions of documents.
    fn fresh(&self, _: u64, _: u128, _: Position) -> bool {
        true
    }

    fn mapped(&self, sequence: u64, positions: &[Position]) {
        {
            let mut state = self.shared.state();
            state.highest = positions.iter().copied().fold(state.highest, Position::max);
        }
        self.shared.mapped.send_replace(sequence);
    }

    fn settled(&self, sequence: u64) -> String {
        self.shared.state().progress.settle(sequence)
    }

    fn saved(&self, sequence: u64) {
        self.shared.saved.send_replace(sequence);
    }

    fn lag(&self) -> Lag {
        let seconds = |read: i64| unix_millis().saturating_sub(read).max(0) as f64 / 1e3;
        Lag { seconds: self.shared.state().read.map(seconds), messages: None }
    }

    fn trapped(&self, _: u64, trapped: Trapped) {
        self.shared.trapped.send_replace(Some(trapped));
    }
}

impl Drop for Defender {
    fn drop(&mut self) {
        self.task.abort();
    }
}
