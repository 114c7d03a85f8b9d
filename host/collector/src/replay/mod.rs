//! Sends dead letters again, once their cause is mended.
//!
//! Documents go to the output as they are, with the identity they had; records are mapped anew, with the settings of their
//! input. What fails again, or is not to be sent, is written to a new file beside the old one, which takes the old one's
//! place when all is settled. Whenever this ends before, the old file is as it was: letters are sent twice then, and have the
//! same ids.

mod line;
mod sender;

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use defenderbeat_runtime::{Component, Lookup};
use tokio::sync::{mpsc, watch};

use crate::agent::identify;
use crate::checkpoint::{Checkpoint, CheckpointError, Checkpoints, Generation, LocalCheckpoints, sync_folder};
use crate::config::{Agent, Config, Kind, Output};
use crate::dead_letter::DeadLetterFile;
use crate::dead_letter::is_same;
use crate::deliver::{Deliver, DeliverError, Event, Session};
use crate::metrics::{Counter, Metrics};
use crate::output::{AnyOutput, OutputError};
use crate::run::DEAD_LETTERS;
use line::Lines;
use sender::Sender;

/// Letters on their way to the output.
const EVENTS: usize = 4;

/// What a letter has beside its record, at most.
const BESIDE: usize = 1 << 20;

/// What replaying takes besides the configuration.
pub struct Options {
    /// The file of dead letters.
    pub file: PathBuf,
    /// Components of the inputs' kinds.
    pub components: Vec<(Kind, Component)>,
    /// The host's own data.
    pub lookup: Arc<dyn Lookup>,
    /// Inputs whose letters are sent; all where there are none.
    pub only: Vec<String>,
    /// Also documents that the failure store has.
    pub failure_store: bool,
    /// Bytes of letters that were read, for whoever shows how far it is.
    pub read: Arc<Counter>,
    /// Becomes true when everything is to end.
    pub stop: watch::Receiver<bool>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Letters in the file.
    pub letters: u64,
    /// Records that were mapped.
    pub records: u64,
    /// Documents sent.
    pub documents: usize,
    /// Documents that were there already.
    pub duplicates: u64,
    /// Letters that failed again. They are in the file.
    pub failing: u64,
    /// Letters that were not to be sent. They are in the file.
    pub left_out: u64,
}

/// Why letters could not be sent. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A running process writes it.
    #[error(
        "{} is written by a running process: move it to another name first (the process begins a new one), and replay that",
        path.display()
    )]
    Live {
        /// The file.
        path: PathBuf,
    },
    /// A running process writes to the same files.
    #[error("output.file is written by a running process, which has path.data {}: stop it, or name another folder with -E output.file.path=..", data.display())]
    Output {
        /// Its folder.
        data: PathBuf,
    },
    /// Another process replays it.
    #[error("{} is being replayed by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// It was written to meanwhile.
    #[error("{} was written to while it was replayed, so it stays as it is; replay it again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The state under `path.data` cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The output cannot be used.
    #[error(transparent)]
    CannotOpen(#[from] OutputError),
    /// The component of an input refuses its settings, or fails at once.
    #[error("input {input}: {source}")]
    Component {
        /// The input's id.
        input: String,
        /// The cause.
        source: defenderbeat_runtime::Error,
    },
    /// Delivery ended.
    #[error(transparent)]
    Deliver(#[from] DeliverError),
    /// Delivery has ended, and says why.
    #[error("delivery has ended")]
    Gone,
    /// It was told to end.
    #[error("told to end: {} is as it was, replay it again", path.display())]
    Stopped {
        /// The file.
        path: PathBuf,
    },
    /// A thread ended in a way that it must not.
    #[error("{0}; please report this")]
    Thread(String),
}

impl ReplayError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// What letters of one input are sent for.
pub(crate) struct Replayed {
    input: String,
    metrics: Metrics,
}

impl Replayed {
    fn new(input: &str) -> Arc<Self> {
        Arc::new(Self { input: input.to_owned(), metrics: Metrics::default() })
    }
}

#[async_trait]
impl Session for Replayed {
    fn input(&self) -> &str {
        &self.input
    }

    fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    async fn settle(&self, _: u64, _: &dyn Checkpoints) -> Result<(), CheckpointError> {
        Ok(())
    }
}

/// There is no cursor to be saved.
struct NoCheckpoints;

#[async_trait]
impl Checkpoints for NoCheckpoints {
    async fn load(&self, _: &str) -> Result<Option<Checkpoint>, CheckpointError> {
        Ok(None)
    }

    async fn commit(&self, _: &str, from: Generation, _: &str) -> Result<Generation, CheckpointError> {
        Ok(from)
    }
}

/// Sends the letters of a file. Must be called within a tokio runtime.
///
/// # Errors
///
/// Not all letters could be tried, or the file cannot be replaced; it is as it was then.
pub async fn replay(config: &Config, options: Options) -> Result<Summary, ReplayError> {
    let path = options.file.clone();
    let failed = || ReplayError::file(&path);
    let file = File::options().read(true).write(true).open(&path).map_err(failed())?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(ReplayError::Locked { path }),
        Err(TryLockError::Error(error)) => return Err(failed()(error)),
    }
    let _keep_out = keep_out(config, &path)?;
    let length = file.metadata().map_err(failed())?.len();
    fs::create_dir_all(&config.data_path).map_err(ReplayError::file(&config.data_path))?;
    let installation = identify(&config.data_path, config.name.as_deref());
    let agent = installation.map_err(ReplayError::file(&config.data_path.join("meta.json")))?.agent;
    let kept_path = path.with_added_extension("kept");
    let kept = DeadLetterFile::replace(&kept_path).map_err(ReplayError::file(&kept_path))?;

    let (events, received) = mpsc::channel(EVENTS);
    let deliver = Deliver::new(AnyOutput::open(&config.output)?, kept.clone(), Arc::new(NoCheckpoints));
    let (mut told, stop) = (options.stop.clone(), options.stop.clone());
    let end = async move {
        if told.wait_for(|stop| *stop).await.is_err() {
            std::future::pending().await
        }
    };
    let sending = {
        let (config, kept, stop) = (config.clone(), kept.clone(), options.stop.clone());
        let lines = file.try_clone().map_err(failed())?;
        tokio::task::spawn_blocking(move || send(&config, &options, agent, lines, kept, events, &stop))
    };
    let delivered = deliver.run(received, end).await;
    let sent = sending.await.map_err(|error| ReplayError::Thread(error.to_string()))?;
    delivered?;
    let (mut summary, sessions) = sent?;
    if *stop.borrow() {
        return Err(ReplayError::Stopped { path });
    }
    for session in sessions.values() {
        summary.duplicates += session.metrics.duplicates.get();
        // A document that the failure store has is no failure of this.
        summary.failing += session.metrics.dead_letters.get() - session.metrics.failure_store.get();
        summary.left_out += session.metrics.failure_store.get();
    }

    kept.sync().map_err(ReplayError::file(&kept_path))?;
    let now = file.metadata().map_err(failed())?;
    if now.len() != length || !is_same(&now, &fs::metadata(&path).map_err(failed())?) {
        return Err(ReplayError::Changed { path });
    }
    drop(kept);
    if summary.failing + summary.left_out > 0 {
        fs::rename(&kept_path, &path).map_err(failed())?;
    } else {
        fs::remove_file(&path).map_err(failed())?;
        fs::remove_file(&kept_path).map_err(ReplayError::file(&kept_path))?;
    }
    // Until now nobody else could begin with it.
    drop(file);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_folder(folder).map_err(ReplayError::file(folder))?;
    Ok(summary)
}

/// Keeps a process from running that writes to the same files.
fn keep_out(config: &Config, path: &Path) -> Result<Option<LocalCheckpoints>, ReplayError> {
    let live = config.dead_letter_path.join(DEAD_LETTERS);
    let is_live = live.canonicalize().is_ok_and(|live| path.canonicalize().is_ok_and(|path| path == live));
    if !is_live && !matches!(config.output, Output::File(_)) {
        return Ok(None);
    }
    match LocalCheckpoints::open(&config.data_path) {
        Ok(lock) => Ok(Some(lock)),
        Err(CheckpointError::Locked { .. }) if is_live => Err(ReplayError::Live { path: path.to_owned() }),
        Err(CheckpointError::Locked { folder }) => Err(ReplayError::Output { data: folder }),
        Err(error) => Err(error.into()),
    }
}

type Sent = (Summary, BTreeMap<String, Arc<Replayed>>);

/// Sends all letters.
fn send(
    config: &Config,
    options: &Options,
    agent: Agent,
    file: File,
    kept: DeadLetterFile,
    events: mpsc::Sender<Event>,
    stop: &watch::Receiver<bool>,
) -> Result<Sent, ReplayError> {
    // Text has six characters for a byte at most.
    let longest = config.inputs.iter().map(|input| input.max_record_size).max().unwrap_or_default();
    let mut lines = Lines::new(file, longest.saturating_mul(6).saturating_add(BESIDE));
    let mut sender = Sender {
        config,
        components: &options.components,
        lookup: options.lookup.clone(),
        agent,
        only: &options.only,
        failure_store: options.failure_store,
        path: &options.file,
        kept,
        events,
        sessions: BTreeMap::new(),
        pipelines: BTreeMap::new(),
        summary: Summary::default(),
    };
    while let Some(line) = lines.next().map_err(ReplayError::file(&options.file))? {
        if *stop.borrow() {
            return Err(ReplayError::Stopped { path: options.file.clone() });
        }
        sender.take(&line)?;
        options.read.add(line.length);
    }
    // What came before is all there is, so that it is flushed.
    for session in sender.sessions.values() {
        let mapped = Event::Mapped { session: session.clone(), sequence: 1, rejects: Vec::new() };
        sender.events.blocking_send(mapped).map_err(|_| ReplayError::Gone)?;
    }
    Ok((sender.summary, sender.sessions))
}
