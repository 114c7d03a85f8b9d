//! Where cursors are kept between runs: as files ([`LocalCheckpoints`]), or in a storage account that several processes share
//! (`coordination`).

pub(crate) mod format;
mod local;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::http;
pub use local::LocalCheckpoints;

/// Counts the commits of a checkpoint: 1 is the first; 0 stands for none.
pub type Generation = u64;

/// What a source needs to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which commit made it.
    pub generation: Generation,
    /// The source's cursor, opaque. Empty where nothing was committed since the checkpoint was made.
    pub cursor: String,
    /// When it was saved, milliseconds since 1970-01-01T00:00:00Z.
    pub saved_at: i64,
}

/// Keeps checkpoints by input.
#[async_trait]
pub trait Checkpoints: Send + Sync {
    /// The last one committed; none for an input that never had one.
    ///
    /// # Errors
    ///
    /// There is one and it cannot be used.
    async fn load(&self, input: &str) -> Result<Option<Checkpoint>, CheckpointError>;

    /// Replaces the checkpoint of generation `from` by a cursor; once this returns it survives a power failure.
    ///
    /// # Errors
    ///
    /// It cannot be written, or somebody else has committed since `from`.
    async fn commit(&self, input: &str, from: Generation, cursor: &str) -> Result<Generation, CheckpointError>;
}

/// Why a checkpoint cannot be used or kept.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The folder cannot be used.
    #[error("path.data {}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Another process uses the folder.
    #[error("path.data {} is in use by another process: give each its own", folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// Reading or writing failed; trying again may help.
    #[error("checkpoint {}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The checkpoint is written, and whether it survives a power failure is unknown.
    #[error("syncing checkpoint {} to disk: {source}; the next start goes on from it, or from the one before it", file.display())]
    Sync {
        /// The file.
        file: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Neither the checkpoint nor the one before it is whole.
    #[error(
        "checkpoint {}: {reason}, and the one before it cannot be used either; put a backup in its place, or remove \
         both files to read from initial_interval again",
        file.display()
    )]
    Broken {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The storage account gave no usable answer.
    #[error("checkpoint {blob}: {source}")]
    Storage {
        /// The blob.
        blob: String,
        /// The cause.
        source: Box<http::Error>,
    },
    /// The storage account did not answer in time; trying again may help.
    #[error("checkpoint {blob}: no answer from the storage account within {within:?}")]
    Unanswered {
        /// The blob.
        blob: String,
        /// How long it was waited.
        within: Duration,
    },
    /// The blob is not whole.
    #[error(
        "checkpoint {blob}: {reason}; put an earlier version of the blob in its place, or remove it: the input begins then where \
         it stood below path.data of a process before it was coordinated, or at initial_interval"
    )]
    Damaged {
        /// The blob.
        blob: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process leads the input, or may by now.
    #[error("this process does not lead input {input} any more; the one that does goes on from what was saved last")]
    Lost {
        /// The input's id.
        input: String,
    },
    /// Somebody else has committed.
    #[error("checkpoint {} has generation {found} where {expected} was expected: another process writes it", file.display())]
    Overtaken {
        /// The file.
        file: PathBuf,
        /// What it should have been.
        expected: Generation,
        /// What it is.
        found: Generation,
    },
}

impl CheckpointError {
    /// Whether the same call may succeed later. What a storage account or its login server refuses may be allowed again, and where it
    /// is not the lease ends, and the session of the one input with it.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Storage { .. } | Self::Unanswered { .. })
    }

    /// Whether another process leads the input now. Nothing failed then: the session ends, and the input waits for its turn.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost { .. })
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z.
pub(crate) fn millis(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

/// The present, milliseconds since 1970-01-01T00:00:00Z.
pub(crate) fn unix_millis() -> i64 {
    millis(SystemTime::now())
}

/// Makes renamed and new files of a folder survive a power failure. Windows has no such call and needs none.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
