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
mod tests {
    use super::*;

    fn facts() -> (tempfile::TempDir, Facts) {
        let data = tempfile::tempdir().unwrap();
        let facts = Facts::load(data.path(), "event");
        (data, facts)
    }

    fn more(facts: &str) -> Option<News> {
        Some(News::More(facts.as_bytes().to_vec()))
    }

    fn anew(facts: &str) -> Option<News> {
        Some(News::Anew(facts.as_bytes().to_vec()))
    }

    #[test]
    fn each_learns_what_it_has_not_learned_in_the_same_order() {
        let (_data, facts) = facts();
        let (mut one, mut other) = (Place::default(), Place::default());
        assert_eq!(facts.since(&mut one), None);
        facts.add(b"a");
        assert_eq!(facts.since(&mut one), more("a"));
        facts.add(b"b");
        facts.add(b"c");
        assert_eq!(facts.since(&mut other), more("abc"));
        assert_eq!(facts.since(&mut one), more("bc"));
        assert_eq!((facts.since(&mut one), facts.since(&mut other)), (None, None));
    }

    #[test]
    fn a_long_log_is_replaced_and_nothing_added_meanwhile_is_lost() {
        let (_data, facts) = facts();
        let (mut one, mut other) = (Place::default(), Place::default());
        assert!(!facts.add(b"start"));
        facts.since(&mut other);
        assert!(facts.add(&vec![b'x'; LONG]));
        facts.since(&mut one);
        facts.add(b"late");
        facts.replace(&mut one, b"compact".to_vec());
        assert_eq!(facts.since(&mut one), more("late"));
        // One that had not learned all that was replaced begins anew.
        assert_eq!(facts.since(&mut other), anew("compactlate"));
        // Nobody replaces on top of what he has not learned.
        let mut old = Place::default();
        facts.replace(&mut old, b"wrong".to_vec());
        assert_eq!(facts.since(&mut other), None);
        assert!(!facts.add(b"y"), "it is not long any more");
    }

    #[test]
    fn a_log_is_long_again_when_it_has_doubled() {
        let (_data, facts) = facts();
        let mut place = Place::default();
        facts.add(&vec![b'x'; 4 * LONG]);
        facts.since(&mut place);
        facts.replace(&mut place, vec![b'x'; 3 * LONG]);
        assert!(!facts.add(&vec![b'x'; 2 * LONG]));
        assert!(facts.add(&vec![b'x'; LONG]));
    }

    #[test]
    fn a_log_without_bounds_is_forgotten() {
        let (_data, facts) = facts();
        let mut place = Place::default();
        facts.add(b"a");
        facts.since(&mut place);
        facts.replace(&mut place, vec![b'x'; LONGEST + 1]);
        facts.add(b"b");
        assert_eq!(facts.since(&mut Place::default()), anew("b"));
        // The one that made it knows more than the others, and begins anew.
        assert_eq!(facts.since(&mut place), anew("b"));
    }

    #[test]
    fn what_is_forgotten_is_not_learned_again() {
        let (_data, facts) = facts();
        let mut place = Place::default();
        facts.add(b"a");
        facts.since(&mut place);
        facts.forget(place);
        facts.add(b"b");
        assert_eq!(facts.since(&mut place), anew("b"));
        // Once is enough.
        facts.forget(Place::default());
        assert_eq!(facts.since(&mut Place::default()), anew("b"));
    }

    #[test]
    fn a_restart_remembers_what_was_saved() {
        let (data, facts) = facts();
        facts.save();
        assert!(!data.path().join("facts").exists(), "there was nothing to save");
        facts.add(b"a\nb");
        facts.save();
        facts.add(b"c");
        let again = Facts::load(data.path(), "event");
        assert_eq!(again.since(&mut Place::default()), more("a\nb"));
        assert_eq!(Facts::load(data.path(), "other").since(&mut Place::default()), None);
    }

    #[test]
    fn a_file_that_is_damaged_anywhere_is_an_empty_start() {
        let (data, facts) = facts();
        facts.add(b"some facts");
        facts.save();
        let file = data.path().join("facts/event");
        let whole = fs::read(&file).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&file, &damaged).unwrap();
            assert_eq!(Facts::load(data.path(), "event").since(&mut Place::default()), None, "byte {at}");
            fs::write(&file, &whole[..at]).unwrap();
            assert_eq!(Facts::load(data.path(), "event").since(&mut Place::default()), None, "cut to {at} bytes");
        }
        let again = Facts::load(data.path(), "event");
        again.add(b"new");
        again.save();
        assert_eq!(Facts::load(data.path(), "event").since(&mut Place::default()), more("new"));
    }

    #[test]
    fn what_others_found_comes_first_and_what_they_do_not_have_stays() {
        let (_data, facts) = facts();
        let mut place = Place::default();
        facts.add(b"old");
        facts.share();
        assert_eq!(facts.to_share(false), None);
        assert_eq!(decode(&facts.to_share(true).unwrap().0).unwrap(), b"old", "others have nothing");
        facts.add(b"ours");
        facts.since(&mut place);
        facts.merge(b"theirs".to_vec());
        assert_eq!(facts.since(&mut place), anew("theirsours"));
        let (all, own) = facts.to_share(false).unwrap();
        assert_eq!((decode(&all).unwrap(), own.length), (b"theirsours".to_vec(), 4));
        facts.add(b"more");
        facts.shared(own);
        facts.merge(b"compact".to_vec());
        assert_eq!(facts.since(&mut place), anew("compactmore"));
    }

    #[test]
    fn what_others_do_not_have_for_long_is_no_more_than_all_that_is_known() {
        let (_data, facts) = facts();
        facts.share();
        facts.add(b"long before");
        let (_, on_its_way) = facts.to_share(false).unwrap();
        facts.add(b"and after");
        let mut place = Place::default();
        facts.since(&mut place);
        facts.replace(&mut place, b"compact".to_vec());
        assert_eq!(facts.to_share(false).unwrap().1.length, "compact".len());
        // What others had taken was made compact with what they had not.
        facts.shared(on_its_way);
        let (all, own) = facts.to_share(false).unwrap();
        assert_eq!((decode(&all).unwrap(), own.length), (b"compact".to_vec(), "compact".len()));
        facts.shared(own);
        assert_eq!(facts.to_share(false), None);
    }

    /// What processes share, and how often it was written.
    #[derive(Default)]
    struct Blob {
        bytes: Vec<u8>,
        version: u32,
    }

    /// A process that exchanges facts, and has them made compact by a component that knows the last ones.
    struct Process {
        _data: tempfile::TempDir,
        facts: Facts,
        version: u32,
    }

    /// Bytes of one fact, and of those that a component keeps.
    const FACT: usize = 1 << 10;
    const KEPT: usize = 256 << 10;

    impl Process {
        fn start() -> Self {
            let (_data, facts) = facts();
            facts.share();
            Self { _data, facts, version: 0 }
        }

        fn find(&self, number: usize) {
            if self.facts.add(format!("{number:FACT$}").as_bytes()) {
                let mut place = Place::default();
                let Some(News::More(log) | News::Anew(log)) = self.facts.since(&mut place) else { unreachable!() };
                self.facts.replace(&mut place, log[log.len().saturating_sub(KEPT)..].to_vec());
            }
        }

        fn exchange(&mut self, blob: &mut Blob) {
            if blob.version != self.version {
                self.facts.merge(decode(&blob.bytes).unwrap());
                self.version = blob.version;
            }
            if let Some((all, own)) = self.facts.to_share(blob.version == 0) {
                *blob = Blob { bytes: all, version: blob.version + 1 };
                self.version = blob.version;
                self.facts.shared(own);
            }
        }

        fn knows(&self, number: usize) -> bool {
            let fact = format!("{number:FACT$}");
            self.facts.log().bytes.chunks(FACT).any(|known| known == fact.as_bytes())
        }
    }

    #[test]
    fn facts_of_several_processes_stay_compact_and_all_know_the_last_of_each() {
        for processes in [2, 3] {
            let mut blob = Blob::default();
            let mut all: Vec<Process> = (0..processes).map(|_| Process::start()).collect();
            for round in 0..3_000 {
                let at = round % processes;
                for (number, process) in all.iter().enumerate() {
                    process.find(10 * round + number);
                }
                all[at].exchange(&mut blob);
                assert!(blob.bytes.len() < 4 * LONG, "round {round}: {}", blob.bytes.len());
            }
            // Who waits for its log to be made compact is next.
            for _ in 0..3 {
                all.iter_mut().for_each(|process| process.exchange(&mut blob));
            }
            for process in &all {
                assert!((0..processes).all(|number| process.knows(10 * 2_950 + number)));
                assert!(process.facts.log().bytes.len() < 4 * LONG);
            }
        }
    }

    #[test]
    fn what_cannot_be_saved_is_saved_later() {
        let (data, facts) = facts();
        fs::write(data.path().join("facts"), "in the way").unwrap();
        facts.add(b"a");
        facts.save();
        fs::remove_file(data.path().join("facts")).unwrap();
        facts.save();
        assert_eq!(Facts::load(data.path(), "event").since(&mut Place::default()), more("a"));
    }
}
