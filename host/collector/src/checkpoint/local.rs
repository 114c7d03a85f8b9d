//! Checkpoints as files.
//!
//! A checkpoint is written whole to a new file, synced and renamed over the old one, which stays beside it under
//! another name; so there is always a whole one, whenever the process or the machine stops. A file that was cut or changed is
//! noticed, and the one before it serves: records are read again then, none is left out. Where neither can be used nothing is
//! guessed; the input stops and says so, because starting from the beginning would deliver everything again and from the present
//! would lose records.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::format;
use super::{Checkpoint, CheckpointError, Checkpoints, Generation, millis, sync_folder, unix_millis};

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

fn read(file: &Path) -> Result<Checkpoint, Unusable> {
    let mut open = File::open(file)?;
    let mut bytes = Vec::new();
    open.read_to_end(&mut bytes)?;
    let saved = format::read(&bytes).map_err(Unusable::Broken)?;
    let saved_at = match saved.saved_at {
        Some(saved_at) => saved_at,
        // A file of an older version: the time is the file's own, which a restored backup has lost.
        None => millis(open.metadata()?.modified()?),
    };
    Ok(Checkpoint { generation: saved.generation, cursor: saved.cursor, saved_at })
}

#[async_trait]
impl Checkpoints for LocalCheckpoints {
    async fn load(&self, input: &str) -> Result<Option<Checkpoint>, CheckpointError> {
        LocalCheckpoints::load(self, input)
    }

    async fn commit(&self, input: &str, from: Generation, cursor: &str) -> Result<Generation, CheckpointError> {
        LocalCheckpoints::commit(self, input, from, cursor)
    }
}

impl LocalCheckpoints {
    /// As [`Checkpoints::load`].
    ///
    /// # Errors
    ///
    /// There is one and it cannot be used.
    pub fn load(&self, input: &str) -> Result<Option<Checkpoint>, CheckpointError> {
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

    /// As [`Checkpoints::commit`].
    ///
    /// # Errors
    ///
    /// It cannot be written, or somebody else has committed since `from`.
    pub fn commit(&self, input: &str, from: Generation, cursor: &str) -> Result<Generation, CheckpointError> {
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
        let text = format::write(next, unix_millis(), None, cursor);
        let write = || -> io::Result<()> {
            let new = file.with_added_extension("new");
            let mut writer = File::create(&new)?;
            writer.write_all(text.as_bytes())?;
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

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
        let began = unix_millis();
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
        let later = SystemTime::now() + Duration::from_secs(86_400);
        File::options().write(true).open(store.file("a")).unwrap().set_modified(later).unwrap();
        assert_eq!(store.load("a").unwrap().unwrap(), saved);
    }

    #[test]
    fn a_file_of_an_older_version_was_saved_when_it_was_written() {
        let (_folder, store) = store();
        let header =
            format!(r#"{{"version":1,"generation":4,"length":5,"xxh3":"{}"}}"#, format::hash(4, None, None, b"older"));
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
