//! Where cursors are kept between runs.
//!
//! A checkpoint is written whole to a new file, synced and renamed over the old one, which stays beside it under
//! another name; so there is always a whole one, whenever the process or the machine stops. Its first line says how
//! long the rest is and what it hashes to. A file that was cut or changed is noticed, and the one before it serves:
//! records are read again then, none is left out. Where neither can be used nothing is guessed; the input stops and
//! says so, because starting from the beginning would deliver everything again and from the present would lose records.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

/// Counts the commits of a checkpoint: 1 is the first; 0 stands for none.
pub type Generation = u64;

/// What a source needs to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which commit made it.
    pub generation: Generation,
    /// The source's cursor, opaque.
    pub cursor: String,
    /// When it was saved, milliseconds since 1970-01-01T00:00:00Z.
    pub saved_at: i64,
}

/// Keeps checkpoints by input.
pub trait Checkpoints: Send + Sync {
    /// The last one committed; none for an input that never had one.
    ///
    /// # Errors
    ///
    /// There is one and it cannot be used.
    fn load(&self, input: &str) -> Result<Option<Checkpoint>, CheckpointError>;

    /// Replaces the checkpoint of generation `from` by a cursor; once this returns it survives a power failure.
    ///
    /// # Errors
    ///
    /// It cannot be written, or somebody else has committed since `from`.
    fn commit(&self, input: &str, from: Generation, cursor: &str) -> Result<Generation, CheckpointError>;
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
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Io { .. })
    }
}

/// The first line of a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    generation: Generation,
    /// Milliseconds since 1970-01-01T00:00:00Z. Files of older versions do not have it: theirs is the file's own time, which a
    /// restored backup has lost.
    #[serde(default)]
    saved_at: Option<i64>,
    /// Bytes of the cursor, which follows on the next line.
    length: usize,
    /// XXH3-64 of the generation and the time where there is one (64 bits each, little endian), and the cursor, hexadecimal.
    xxh3: String,
}

const VERSION: u32 = 1;

/// Checkpoints as files in a folder that this process has for itself.
#[derive(Debug)]
pub struct LocalCheckpoints {
    folder: PathBuf,
    _lock: File,
}

impl LocalCheckpoints {
    /// Opens `<data>/checkpoints`, and keeps other processes out of `<data>` as long as it lives.
    ///
    /// # Errors
    ///
    /// The folder cannot be made or locked.
    pub fn open(data: &Path) -> Result<Self, CheckpointError> {
        let failed = |source| CheckpointError::Folder { folder: data.to_owned(), source };
        let folder = data.join("checkpoints");
        fs::create_dir_all(&folder).map_err(failed)?;
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).open(data.join("defenderbeat.lock"));
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(CheckpointError::Locked { folder: data.to_owned() }),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    fn file(&self, input: &str) -> PathBuf {
        self.folder.join(format!("{input}.checkpoint"))
    }

    fn previous(&self, input: &str) -> PathBuf {
        self.folder.join(format!("{input}.checkpoint.previous"))
    }
}

/// Why a file is not used.
enum Unusable {
    Missing,
    Io(io::Error),
    Broken(String),
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { Self::Missing } else { Self::Io(error) }
    }
}

fn broken(reason: impl Into<String>) -> Unusable {
    Unusable::Broken(reason.into())
}

fn header(line: &[u8]) -> Result<Header, Unusable> {
    let header: Header = serde_json::from_slice(line).map_err(|_| broken("its first line is damaged"))?;
    if header.version != VERSION {
        return Err(broken(format!("it has version {}, this program knows {VERSION}", header.version)));
    }
    Ok(header)
}

fn read(file: &Path) -> Result<Checkpoint, Unusable> {
    let mut open = File::open(file)?;
    let mut bytes = Vec::new();
    open.read_to_end(&mut bytes)?;
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(|| broken("it is cut short"))?;
    let (line, rest) = bytes.split_at(end);
    let header = header(line)?;
    let cursor = rest.get(1..).unwrap_or_default();
    if cursor.len() != header.length || hash(header.generation, header.saved_at, cursor) != header.xxh3 {
        return Err(broken(if cursor.len() < header.length { "it is cut short" } else { "it is damaged" }));
    }
    let cursor = String::from_utf8(cursor.to_vec()).map_err(|_| broken("it is damaged"))?;
    let saved_at = match header.saved_at {
        Some(saved_at) => saved_at,
        None => millis(open.metadata()?.modified()?),
    };
    Ok(Checkpoint { generation: header.generation, cursor, saved_at })
}

/// Milliseconds since 1970-01-01T00:00:00Z.
pub(crate) fn millis(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

fn hash(generation: Generation, saved_at: Option<i64>, cursor: &[u8]) -> String {
    let mut hasher = Xxh3::new();
    hasher.update(&generation.to_le_bytes());
    if let Some(saved_at) = saved_at {
        hasher.update(&saved_at.to_le_bytes());
    }
    hasher.update(cursor);
    format!("{:016x}", hasher.digest())
}

impl Checkpoints for LocalCheckpoints {
    fn load(&self, input: &str) -> Result<Option<Checkpoint>, CheckpointError> {
        let file = self.file(input);
        let failed = |file: &Path, source| CheckpointError::Io { file: file.to_owned(), source };
        let reason = match read(&file) {
            Ok(checkpoint) => return Ok(Some(checkpoint)),
            Err(Unusable::Io(error)) => return Err(failed(&file, error)),
            Err(Unusable::Missing) => None,
            Err(Unusable::Broken(reason)) => Some(reason),
        };
        let previous = self.previous(input);
        match (read(&previous), reason) {
            (Ok(checkpoint), reason) => {
                let reason = reason.unwrap_or_else(|| "it is missing".to_owned());
                tracing::warn!(file = %file.display(), reason, "the checkpoint cannot be used: the one before it serves");
                Ok(Some(checkpoint))
            }
            (Err(Unusable::Missing), None) => Ok(None),
            (Err(Unusable::Io(error)), _) => Err(failed(&previous, error)),
            (Err(Unusable::Broken(reason)), None) => Err(CheckpointError::Broken { file: previous, reason }),
            (Err(_), Some(reason)) => Err(CheckpointError::Broken { file, reason }),
        }
    }

    fn commit(&self, input: &str, from: Generation, cursor: &str) -> Result<Generation, CheckpointError> {
        let (file, previous) = (self.file(input), self.previous(input));
        let whole = match read(&file) {
            Ok(Checkpoint { generation, .. }) if generation != from => {
                return Err(CheckpointError::Overtaken { file, expected: from, found: generation });
            }
            Ok(_) => true,
            // load() has said which one serves instead.
            Err(Unusable::Missing | Unusable::Broken(_)) => false,
            Err(Unusable::Io(source)) => return Err(CheckpointError::Io { file, source }),
        };
        let next = from + 1;
        let saved_at = Some(millis(SystemTime::now()));
        let xxh3 = hash(next, saved_at, cursor.as_bytes());
        let header = Header { version: VERSION, generation: next, saved_at, length: cursor.len(), xxh3 };
        let write = || -> io::Result<()> {
            let new = file.with_added_extension("new");
            let mut writer = File::create(&new)?;
            serde_json::to_writer(&mut writer, &header)?;
            writer.write_all(b"\n")?;
            writer.write_all(cursor.as_bytes())?;
            writer.sync_all()?;
            // Only what is whole may take the place of what is before it.
            if whole {
                fs::rename(&file, &previous)?;
            }
            fs::rename(&new, &file)
        };
        write().map_err(|source| CheckpointError::Io { file: file.clone(), source })?;
        sync_folder(&self.folder).map_err(|source| CheckpointError::Sync { file, source })?;
        Ok(next)
    }
}

/// Makes renamed and new files of a folder survive a power failure. Windows has no such call and needs none.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, LocalCheckpoints) {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalCheckpoints::open(folder.path()).unwrap();
        (folder, store)
    }

    #[test]
    fn the_last_commit_is_loaded() {
        let (_folder, store) = store();
        assert_eq!(store.load("a").unwrap(), None);
        let began = millis(SystemTime::now());
        let first = store.commit("a", 0, "{\"n\":1}").unwrap();
        let second = store.commit("a", first, "{\"n\":2}").unwrap();
        let checkpoint = store.load("a").unwrap().unwrap();
        assert_eq!((checkpoint.generation, checkpoint.cursor.as_str()), (second, "{\"n\":2}"));
        assert!(checkpoint.saved_at >= began, "the time it was saved comes with it");
        assert_eq!(store.load("b").unwrap(), None);
    }

    #[test]
    fn a_restored_backup_keeps_the_time_it_was_saved() {
        let (_folder, store) = store();
        store.commit("a", 0, "first").unwrap();
        let saved = store.load("a").unwrap().unwrap();
        let later = SystemTime::now() + std::time::Duration::from_secs(86_400);
        File::options().write(true).open(store.file("a")).unwrap().set_modified(later).unwrap();
        assert_eq!(store.load("a").unwrap().unwrap(), saved);
    }

    #[test]
    fn a_file_of_an_older_version_was_saved_when_it_was_written() {
        let (_folder, store) = store();
        let header = format!(r#"{{"version":1,"generation":4,"length":5,"xxh3":"{}"}}"#, hash(4, None, b"older"));
        fs::write(store.file("a"), format!("{header}\nolder")).unwrap();
        let written = millis(fs::metadata(store.file("a")).unwrap().modified().unwrap());
        let expected = Checkpoint { generation: 4, cursor: "older".into(), saved_at: written };
        assert_eq!(store.load("a").unwrap().unwrap(), expected);
    }

    #[test]
    fn a_file_cut_or_flipped_anywhere_gives_the_one_before_it() {
        let (_folder, store) = store();
        store.commit("a", 0, "first").unwrap();
        store.commit("a", 1, "second").unwrap();
        let file = store.file("a");
        let whole = fs::read(&file).unwrap();
        let before = read(&store.previous("a")).ok().unwrap();
        assert_eq!((before.generation, before.cursor.as_str()), (1, "first"));
        for length in 0..whole.len() {
            fs::write(&file, &whole[..length]).unwrap();
            assert_eq!(store.load("a").unwrap().unwrap(), before, "cut to {length} bytes");
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                fs::write(&file, flipped).unwrap();
                assert_eq!(store.load("a").unwrap().unwrap(), before, "bit {bit} of byte {at}");
            }
        }
        fs::remove_file(&file).unwrap();
        assert_eq!(store.load("a").unwrap().unwrap(), before);
    }

    #[test]
    fn after_a_broken_file_commits_go_on_and_never_bury_the_good_one() {
        let (_folder, store) = store();
        store.commit("a", 0, "first").unwrap();
        store.commit("a", 1, "second").unwrap();
        fs::write(store.file("a"), "torn").unwrap();
        let loaded = store.load("a").unwrap().unwrap();
        assert_eq!(store.commit("a", loaded.generation, "third").unwrap(), 2);
        assert_eq!(store.load("a").unwrap().unwrap().cursor, "third");
        assert_eq!(read(&store.previous("a")).ok().unwrap().cursor, "first");
    }

    #[test]
    fn two_broken_files_are_an_error_and_no_new_beginning() {
        let (_folder, store) = store();
        store.commit("a", 0, "first").unwrap();
        fs::write(store.file("a"), "torn").unwrap();
        let error = store.load("a").unwrap_err();
        assert!(!error.is_transient());
        assert!(error.to_string().contains("remove both files"), "{error}");
    }

    #[test]
    fn a_commit_on_top_of_somebody_elses_is_refused() {
        let (_folder, store) = store();
        store.commit("a", 0, "ours").unwrap();
        store.commit("a", 1, "theirs").unwrap();
        let error = store.commit("a", 1, "ours again").unwrap_err();
        assert!(matches!(error, CheckpointError::Overtaken { expected: 1, found: 2, .. }), "{error}");
        assert_eq!(store.load("a").unwrap().unwrap().cursor, "theirs");
    }

    #[test]
    fn a_folder_belongs_to_one_process() {
        let (folder, store) = store();
        let error = LocalCheckpoints::open(folder.path()).unwrap_err();
        assert!(matches!(error, CheckpointError::Locked { .. }), "{error}");
        drop(store);
        LocalCheckpoints::open(folder.path()).unwrap();
    }
}
