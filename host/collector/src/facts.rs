//! What components have found and want to remember, opaque to this program.
//!
//! There is one log for each kind of component, which all workers of the process share: facts of receipts are added to it,
//! and every worker has its component learn what it has not learned yet, in the order of the log, before it maps
//! anything more. A log that has grown long is replaced by what a component makes of it that has learned all of it. The log
//! is saved now and then and at the end. It is a cache: where it cannot be read, saved or learned some documents lack an
//! enrichment, and no record is lost.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::checkpoint::sync_folder;

/// Bytes of facts that are kept as they came; a longer log is made compact, and then each time it has doubled.
const LONG: usize = 1 << 20;
/// Bytes of a log at most: what is longer even when it is compact comes from a component that keeps no bounds.
pub(crate) const LONGEST: usize = 128 << 20;

/// A log of facts.
#[derive(Debug)]
pub(crate) struct Facts {
    file: PathBuf,
    log: Mutex<Log>,
    /// One save at a time.
    saving: Mutex<()>,
}

#[derive(Debug)]
struct Log {
    bytes: Vec<u8>,
    /// How often the beginning was replaced.
    generation: u64,
    /// Length at which it is long.
    long: usize,
    saved: bool,
    /// Facts that other processes do not have yet; none where there are no others.
    own: Option<Vec<u8>>,
    /// The generation in which those were last taken together with all others.
    own_since: u64,
}

/// How far a component has learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    generation: u64,
    length: usize,
}

/// What a component has not learned yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// These facts, after what it has learned.
    More(Vec<u8>),
    /// These facts and nothing else: what it has learned was replaced.
    Anew(Vec<u8>),
}

/// The first line of a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    /// Bytes of the facts, which follow on the next line.
    length: usize,
    /// XXH3-64 of the facts, hexadecimal.
    xxh3: String,
}

const VERSION: u32 = 1;

impl Facts {
    /// Reads `<data>/facts/<kind>`. Where that cannot be used, the log is empty, and a warning says why.
    pub(crate) fn load(data: &Path, kind: &str) -> Self {
        let file = data.join("facts").join(kind);
        let bytes = match read(&file) {
            Ok(Some(bytes)) => {
                tracing::info!(file = %file.display(), bytes = bytes.len(), "facts of the last run are remembered");
                bytes
            }
            Ok(None) => Vec::new(),
            Err(reason) => {
                let file = file.display();
                tracing::warn!(%file, reason, "facts of the last run cannot be used: they will be gathered anew");
                Vec::new()
            }
        };
        let log = Log { long: long(bytes.len()), bytes, generation: 0, saved: true, own: None, own_since: 0 };
        Self { file, log: Mutex::new(log), saving: Mutex::new(()) }
    }

    /// What was added since a place, which moves to the end; none where there is nothing.
    pub(crate) fn since(&self, place: &mut Place) -> Option<News> {
        let log = self.log();
        let at = std::mem::replace(place, log.end());
        if at == log.end() {
            return None;
        }
        let news = log.bytes.get(at.length..).filter(|_| at.generation == log.generation);
        Some(news.map_or_else(|| News::Anew(log.bytes.clone()), |news| News::More(news.to_vec())))
    }

    /// Adds facts. Gives whether the log is to be made compact.
    pub(crate) fn add(&self, facts: &[u8]) -> bool {
        let mut log = self.log();
        log.bytes.extend_from_slice(facts);
        log.saved &= facts.is_empty();
        if let Some(own) = &mut log.own {
            own.extend_from_slice(facts);
        }
        log.bytes.len() >= log.long
    }

    /// Begins to note what other processes do not have yet.
    pub(crate) fn share(&self) {
        self.log().own.get_or_insert_default();
    }

    /// Replaces the log by that of other processes, and what they do not have yet. Where it is long it is made compact with the next
    /// facts that are added.
    pub(crate) fn merge(&self, theirs: Vec<u8>) {
        let mut log = self.log();
        let mut bytes = theirs;
        bytes.extend_from_slice(log.own.as_deref().unwrap_or_default());
        log.generation += 1;
        log.bytes = bytes;
        log.saved = false;
    }

    /// The log as a file has it, and how many bytes of it others do not have yet; none where they have all of it, or as long as it is
    /// to be made compact: who always took over what others have not made compact, and passed it on, would undo it each time that they do.
    /// `first`: they have nothing.
    pub(crate) fn to_share(&self, first: bool) -> Option<(Vec<u8>, Place)> {
        let log = self.log();
        let own = log.own.as_ref().map_or(0, Vec::len);
        let is_news = own > 0 || (first && !log.bytes.is_empty());
        (is_news && log.bytes.len() < log.long.min(LONGEST))
            .then(|| (encode(&log.bytes), Place { generation: log.generation, length: own }))
    }

    /// Notes that others have what was given to be shared.
    pub(crate) fn shared(&self, own: Place) {
        let mut log = self.log();
        let own_since = log.own_since;
        if let Some(news) = log.own.as_mut().filter(|_| own.generation >= own_since) {
            news.drain(..own.length.min(news.len()));
        }
    }

    /// Replaces the log up to a place by what a component made of it. The place moves behind that; what others have added
    /// meanwhile comes next. Does nothing where somebody else has replaced it already.
    pub(crate) fn replace(&self, place: &mut Place, compact: Vec<u8>) {
        let mut log = self.log();
        if place.generation != log.generation {
            return;
        }
        let before = log.bytes.len();
        let added = log.bytes.split_off(place.length.min(before));
        log.generation += 1;
        if compact.len() > LONGEST {
            let file = self.file.display();
            tracing::warn!(%file, bytes = compact.len(), "a component keeps no bounds on its facts: they are forgotten");
            log.bytes.clear();
        } else {
            *place = Place { generation: log.generation, length: compact.len() };
            log.bytes = compact;
        }
        log.bytes.extend_from_slice(&added);
        // Others may be out of reach for days.
        if log.own.as_ref().is_some_and(|own| own.len() > log.bytes.len()) {
            log.own = Some(log.bytes.clone());
            log.own_since = log.generation;
        }
        log.long = long(log.bytes.len());
        log.saved = false;
        tracing::debug!(file = %self.file.display(), before, after = log.bytes.len(), "facts are made compact");
    }

    /// Forgets everything up to a place, and what was added since; unless it was replaced meanwhile.
    pub(crate) fn forget(&self, place: Place) {
        let mut log = self.log();
        if place.generation == log.generation {
            let own = log.own.as_ref().map(|_| Vec::new());
            let generation = log.generation + 1;
            *log = Log { bytes: Vec::new(), generation, long: LONG, saved: false, own, own_since: generation };
        }
    }

    /// Saves the log, unless it is saved already; once this returns it survives a power failure. A failure is logged, and
    /// the next save tries again.
    pub(crate) fn save(&self) {
        let _one = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = {
            let mut log = self.log();
            if std::mem::replace(&mut log.saved, true) {
                return;
            }
            log.bytes.clone()
        };
        if let Err(error) = write(&self.file, &bytes) {
            self.log().saved = false;
            tracing::error!(file = %self.file.display(), %error, "facts cannot be saved: a restart would begin with older ones");
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn end(&self) -> Place {
        Place { generation: self.generation, length: self.bytes.len() }
    }
}

fn long(compact: usize) -> usize {
    LONG.max(compact.saturating_mul(2))
}

/// None where there is no file.
fn read(file: &Path) -> Result<Option<Vec<u8>>, String> {
    match fs::read(file) {
        Ok(bytes) => decode(&bytes).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// The facts of a file or blob; the error says what is wrong with it.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or("it has no first line")?;
    let (line, facts) = bytes.split_at(end + 1);
    let Header { version, length, xxh3 } =
        serde_json::from_slice(line).map_err(|_| "its first line is damaged".to_owned())?;
    if version != VERSION {
        return Err(format!("it has version {version}, this program knows {VERSION}"));
    }
    if length != facts.len() || xxh3 != hash(facts) {
        return Err("it is damaged".to_owned());
    }
    Ok(facts.to_vec())
}

fn encode(facts: &[u8]) -> Vec<u8> {
    let header = Header { version: VERSION, length: facts.len(), xxh3: hash(facts) };
    // Numbers and texts have a form in JSON.
    let mut bytes = serde_json::to_vec(&header).unwrap_or_default();
    bytes.push(b'\n');
    bytes.extend_from_slice(facts);
    bytes
}

fn write(file: &Path, facts: &[u8]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let new = file.with_added_extension("new");
    let mut writer = fs::File::create(&new)?;
    writer.write_all(&encode(facts))?;
    writer.sync_all()?;
    fs::rename(&new, file)?;
    sync_folder(folder)
}

fn hash(facts: &[u8]) -> String {
    format!("{:016x}", xxh3_64(facts))
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
