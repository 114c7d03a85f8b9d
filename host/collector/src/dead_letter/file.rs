//! The file itself: whole lines, synced when asked, never longer than it may be.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Letter;
use super::oversized::Oversized;
use crate::metrics::Metrics;
use crate::output::{mend, truncate};
use crate::source::DeadLetters;

/// How long the file may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// Bytes. A letter that is longer by itself has a file for itself.
    pub max_size: usize,
    /// What happens then.
    pub when_full: WhenFull,
}

/// What happens when the file is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// Delivery stops, and goes on once the file was moved away or emptied. Nothing is lost.
    #[default]
    Stop,
    /// The older half is lost.
    DropOldest,
}

/// The file, shared by all inputs.
#[derive(Clone, Debug)]
pub struct DeadLetterFile {
    file: Arc<Mutex<Open>>,
    path: Arc<Path>,
}

#[derive(Debug)]
pub(super) struct Open {
    file: File,
    path: PathBuf,
    cap: Option<Cap>,
    /// Bytes of whole lines.
    length: u64,
    dirty: bool,
    /// A sync failed: what was written before it may be lost, whatever a later one says.
    unsynced: bool,
    /// There is more than whole lines, and it could not be removed yet.
    torn: bool,
}

impl DeadLetterFile {
    /// Opens the file, or makes it, readable for its owner alone: it holds what records hold.
    ///
    /// # Errors
    ///
    /// It cannot be made, or the beginning of a line that was cut when the process was killed cannot be removed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let (file, length) = open(path)?;
        let open = Open { file, path: path.to_owned(), cap: None, length, dirty: false, unsynced: false, torn: false };
        Ok(Self { path: path.into(), file: Arc::new(Mutex::new(open)) })
    }

    /// As [`open`](Self::open), without what an older file holds.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn replace(path: &Path) -> io::Result<Self> {
        let letters = Self::open(path)?;
        let old = std::mem::take(&mut letters.open_file().length);
        if old > 0 {
            truncate(path, 0)?;
        }
        Ok(letters)
    }

    /// Keeps it from growing without end.
    #[must_use]
    pub fn with_cap(self, cap: Cap) -> Self {
        self.open_file().cap = Some(cap);
        self
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a letter; it survives the process once [`sync`](Self::sync) has returned. A file that was moved away since
    /// the last one is left alone, and another begun.
    ///
    /// # Errors
    ///
    /// The file is full or cannot be written; nothing of the letter is in it then.
    pub fn append(&self, letter: &Letter<'_>) -> io::Result<()> {
        let mut line = serde_json::to_vec(letter)?;
        line.push(b'\n');
        self.open_file().append(line.len() as u64, |file| file.write_all(&line))
    }

    /// Appends a line as it is, its line feed included.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append), or the line cannot be read.
    pub fn copy(&self, length: u64, line: &mut dyn Read) -> io::Result<()> {
        self.open_file().append(length, |file| io::copy(line, file).map(drop))
    }

    /// Syncs what was appended to disk.
    ///
    /// # Errors
    ///
    /// The system says so; what was appended since the last sync may be lost.
    pub fn sync(&self) -> io::Result<()> {
        self.open_file().sync()
    }

    /// Whether a sync has failed. What was appended before may be lost, and nothing more is taken: a new process begins with what is
    /// on disk.
    pub fn is_lost(&self) -> bool {
        self.open_file().unsynced
    }

    /// As if a sync had failed.
    #[cfg(test)]
    pub(crate) fn lose(&self) {
        self.open_file().unsynced = true;
    }

    /// Where an input's records go that are too long to be mapped.
    pub fn of_input(&self, input: &str, max_record_size: usize, metrics: Arc<Metrics>) -> Arc<dyn DeadLetters> {
        Arc::new(Oversized { letters: self.clone(), input: input.to_owned(), max_record_size, metrics })
    }

    pub(super) fn open_file(&self) -> MutexGuard<'_, Open> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    drop(options.open(path)?);
    mend(path)
}

impl Open {
    /// Appends all that `write` writes, or nothing.
    pub(super) fn append(&mut self, length: u64, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        if self.torn {
            // Where it was moved away its last line stays cut; where it was emptied there is nothing to remove.
            let open = self.file.metadata()?;
            if fs::metadata(&self.path).is_ok_and(|found| is_same(&found, &open)) && open.len() > self.length {
                truncate(&self.path, self.length)?;
            }
            self.torn = false;
        }
        if !self.is_there()? {
            self.reopen()?;
        }
        self.make_room(length)?;
        if let Err(error) = write(&mut self.file) {
            self.torn = truncate(&self.path, self.length).is_err();
            return Err(error);
        }
        self.length = self.file.metadata()?.len();
        self.dirty = true;
        Ok(())
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.unsynced {
            return Err(io::Error::other("an earlier sync failed"));
        }
        if self.dirty {
            match self.file.sync_data() {
                // A device such as /dev/null has nothing to sync.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                Err(error) => {
                    self.unsynced = true;
                    return Err(error);
                }
                Ok(()) => {}
            }
            self.dirty = false;
        }
        Ok(())
    }

    /// Whether the file at the path is still the one that is open, as it was left.
    fn is_there(&self) -> io::Result<bool> {
        match fs::metadata(&self.path) {
            Ok(found) => Ok(found.len() == self.length && is_same(&found, &self.file.metadata()?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn reopen(&mut self) -> io::Result<()> {
        // Letters in the file that was moved away count as settled after the next sync.
        self.sync()?;
        (self.file, self.length) = open(&self.path)?;
        Ok(())
    }

    fn make_room(&mut self, length: u64) -> io::Result<()> {
        let Some(Cap { max_size, when_full }) = self.cap else { return Ok(()) };
        let fits = |limit: u64| self.length == 0 || self.length + length <= limit;
        match when_full {
            WhenFull::Stop if fits(max_size as u64) => Ok(()),
            WhenFull::Stop => {
                let message =
                    "it is full (dead_letter.max_size): replay it, or move it away or empty it; delivery goes on then";
                Err(io::Error::new(io::ErrorKind::StorageFull, message))
            }
            // Two files of half the size each, of which the older one goes.
            WhenFull::DropOldest if fits(max_size as u64 / 2) => Ok(()),
            WhenFull::DropOldest => {
                let older = self.path.with_extension("1.ndjson");
                self.sync()?;
                tracing::warn!(file = %self.path.display(), older = %older.display(), "the dead-letter file is half of max_size: it is put aside, and the one put aside before is dropped");
                fs::rename(&self.path, older)?;
                self.reopen()
            }
        }
    }
}

#[cfg(unix)]
pub(crate) fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
pub(crate) fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn torn(folder: &Path) -> Open {
        let path = folder.join("dead-letters.ndjson");
        fs::write(&path, "{\"whole\":1}\n").unwrap();
        let (mut file, length) = open(&path).unwrap();
        file.write_all(b"{\"cut").unwrap();
        Open { file, path, cap: None, length, dirty: false, unsynced: false, torn: true }
    }

    fn append(open: &mut Open) -> String {
        open.append(4, |file| file.write_all(b"{}\n")).unwrap();
        fs::read_to_string(&open.path).unwrap()
    }

    #[test]
    fn what_was_written_of_a_line_is_removed_before_the_next() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(append(&mut torn(folder.path())), "{\"whole\":1}\n{}\n");
    }

    #[test]
    fn a_file_that_was_moved_away_or_emptied_meanwhile_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let mut open = torn(folder.path());
        fs::rename(&open.path, folder.path().join("moved")).unwrap();
        assert_eq!(append(&mut open), "{}\n");
        let mut open = torn(folder.path());
        fs::write(&open.path, "").unwrap();
        assert_eq!(append(&mut open), "{}\n");
    }

    #[test]
    fn after_a_failed_sync_nothing_more_is_taken_into_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut open = Open { unsynced: true, ..torn(folder.path()) };
        fs::rename(&open.path, folder.path().join("moved")).unwrap();
        let error = open.append(4, |file| file.write_all(b"{}\n")).unwrap_err();
        assert!(error.to_string().contains("an earlier sync failed"), "{error}");
    }
}
