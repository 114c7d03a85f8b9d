//! The dead-letter file: what could not become a document or was refused, one JSON object a line, so that nothing is
//! lost and all of it can be sent again once its cause is mended.
//!
//! A line has `@timestamp`, `input`, `code`, `message`, `id`; a record also `feed`, `path` and its bytes: as text in
//! `record` where they are UTF-8, else in `record_base64`; a document is in `document`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;
use serde::Serialize;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::Xxh3;

use crate::metrics::Metrics;
use crate::output::{mend, truncate};
use crate::source::{DeadLetter, DeadLetters, Origin};

/// A line of the file.
#[derive(Debug, Serialize)]
pub struct Letter<'a> {
    /// When it was received, or refused: ISO 8601, UTC.
    #[serde(rename = "@timestamp")]
    pub timestamp: String,
    /// The input's id.
    pub input: &'a str,
    /// The feed of a record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed: Option<&'a str>,
    /// Where it comes from, where the source says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<&'a Origin>,
    /// The kind of fault.
    pub code: &'a str,
    /// Where in the record, as a JSONPath.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub path: &'a str,
    /// The cause.
    pub message: &'a str,
    /// Where in the input the record begins, where that is a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Identity of the record's bytes or of the document, 32 hexadecimal digits.
    pub id: String,
    /// What it is about.
    #[serde(flatten)]
    pub content: Content<'a>,
}

/// What a letter is about.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content<'a> {
    /// A record, as text.
    Record(&'a str),
    /// A record that is not UTF-8.
    RecordBase64(String),
    /// A document.
    Document(&'a RawValue),
}

impl<'a> Content<'a> {
    /// Content of a record's bytes.
    pub fn record(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Record(text),
            Err(_) => Self::RecordBase64(STANDARD.encode(bytes)),
        }
    }
}

/// A time in milliseconds since 1970 as letters have it.
pub fn timestamp(millis: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(millis).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// The file, shared by all inputs.
#[derive(Clone, Debug)]
pub struct DeadLetterFile {
    path: PathBuf,
    file: Arc<Mutex<Open>>,
}

#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    /// Bytes of whole lines.
    length: u64,
    dirty: bool,
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
        let mut options = OpenOptions::new();
        options.create(true).append(true).read(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        drop(options.open(path)?);
        let (file, length) = mend(path)?;
        let open = Open { file, path: path.to_owned(), length, dirty: false, torn: false };
        Ok(Self { path: path.to_owned(), file: Arc::new(Mutex::new(open)) })
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

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a letter; it survives the process once [`sync`](Self::sync) has returned.
    ///
    /// # Errors
    ///
    /// The file cannot be written; nothing of the letter is in it then.
    pub fn append(&self, letter: &Letter<'_>) -> io::Result<()> {
        let mut line = serde_json::to_vec(letter)?;
        line.push(b'\n');
        self.open_file().append(|file| file.write_all(&line))
    }

    /// Syncs what was appended to disk.
    ///
    /// # Errors
    ///
    /// The system says so; what was appended since the last sync may be lost.
    pub fn sync(&self) -> io::Result<()> {
        let mut open = self.open_file();
        if open.dirty {
            match open.file.sync_data() {
                // A device such as /dev/null has nothing to sync.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
                synced => synced?,
            }
            open.dirty = false;
        }
        Ok(())
    }

    /// Where an input's records go that are too long to be mapped.
    pub fn of_input(&self, input: &str, max_record_size: usize, metrics: Arc<Metrics>) -> Arc<dyn DeadLetters> {
        Arc::new(Oversized { letters: self.clone(), input: input.to_owned(), max_record_size, metrics })
    }

    fn open_file(&self) -> MutexGuard<'_, Open> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Appends all that `write` writes, or nothing.
    fn append(&mut self, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        if self.torn {
            truncate(&self.path, self.length)?;
            self.torn = false;
        }
        if let Err(error) = write(&mut self.file) {
            self.torn = truncate(&self.path, self.length).is_err();
            return Err(error);
        }
        self.length = self.file.metadata()?.len();
        self.dirty = true;
        Ok(())
    }
}

/// Makes letters of records that are longer than an input takes.
#[derive(Debug)]
struct Oversized {
    letters: DeadLetterFile,
    input: String,
    max_record_size: usize,
    metrics: Arc<Metrics>,
}

impl DeadLetters for Oversized {
    fn open(&self, feed: &str, received_at: i64) -> io::Result<Box<dyn DeadLetter>> {
        // In a file of its own until it is whole, so that letters of other inputs do not wait for the network.
        let folder = self.letters.path.parent().unwrap_or(Path::new("."));
        let spool = tempfile::tempfile_in(folder)?;
        Ok(Box::new(Spool {
            letters: self.letters.clone(),
            input: self.input.clone(),
            feed: feed.to_owned(),
            received_at,
            max_record_size: self.max_record_size,
            metrics: self.metrics.clone(),
            hash: Xxh3::new(),
            length: 0,
            file: BufWriter::new(spool),
        }))
    }
}

/// A record on its way into the file.
struct Spool {
    letters: DeadLetterFile,
    input: String,
    feed: String,
    received_at: i64,
    max_record_size: usize,
    metrics: Arc<Metrics>,
    hash: Xxh3,
    length: u64,
    file: BufWriter<File>,
}

impl DeadLetter for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    fn id(&self) -> u128 {
        self.hash.digest128()
    }

    fn keep(self: Box<Self>) -> io::Result<()> {
        let message = format!("{} bytes are over max_record_size, which is {}", self.length, self.max_record_size);
        let letter = Letter {
            timestamp: timestamp(self.received_at),
            input: &self.input,
            feed: Some(&self.feed),
            origin: None,
            code: "oversized",
            path: "",
            message: &message,
            offset: None,
            id: format!("{:032x}", self.id()),
            content: Content::RecordBase64(String::new()),
        };
        // The record, which is as long as it likes, goes in before the last quote.
        let mut line = serde_json::to_vec(&letter)?;
        line.truncate(line.len() - "\"}".len());
        let mut spool = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        spool.seek(SeekFrom::Start(0))?;
        let mut letters = self.letters.open_file();
        letters.append(|file| {
            let mut out = BufWriter::new(file);
            out.write_all(&line)?;
            let mut encoder = EncoderWriter::new(&mut out, &STANDARD);
            io::copy(&mut BufReader::new(&spool), &mut encoder)?;
            encoder.finish()?;
            drop(encoder);
            out.write_all(b"\"}\n")?;
            out.flush()
        })?;
        letters.file.sync_data()?;
        letters.dirty = false;
        tracing::warn!(
            input = self.input,
            bytes = self.length,
            max_record_size = self.max_record_size,
            file = %self.letters.path.display(),
            "a record is too long and goes to the dead letters"
        );
        self.metrics.records.add(1_u64);
        self.metrics.rejected.add(1_u64);
        self.metrics.dead_letters.add(1_u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn letter<'a>(content: Content<'a>) -> Letter<'a> {
        Letter {
            timestamp: timestamp(0),
            input: "contoso",
            feed: Some("alerts"),
            origin: None,
            code: "malformed",
            path: "",
            message: "is not JSON",
            offset: None,
            id: "0".repeat(32),
            content,
        }
    }

    fn lines(letters: &DeadLetterFile) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(letters.path()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn records_come_back_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let letters = DeadLetterFile::open(&folder.path().join("dead-letters.ndjson")).unwrap();
        letters.append(&letter(Content::record(b"{\"a\": \"\n"))).unwrap();
        letters.append(&letter(Content::record(b"\xff{"))).unwrap();
        letters.sync().unwrap();
        let lines = lines(&letters);
        assert_eq!(lines[0]["record"], "{\"a\": \"\n");
        assert_eq!(lines[0]["@timestamp"], "1970-01-01T00:00:00.000Z");
        assert_eq!(STANDARD.decode(lines[1]["record_base64"].as_str().unwrap()).unwrap(), b"\xff{");
    }

    #[test]
    fn a_record_that_is_too_long_is_kept_whole_and_one_that_is_dropped_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let letters = DeadLetterFile::open(&folder.path().join("dead-letters.ndjson")).unwrap();
        let metrics = Arc::new(Metrics::default());
        let oversized = letters.of_input("contoso", 10, metrics.clone());
        let mut dropped = oversized.open("alerts", 0).unwrap();
        dropped.write(b"{\"never\":").unwrap();
        drop(dropped);
        let mut kept = oversized.open("alerts", 1).unwrap();
        let record = format!("{{\"a\":\"{}\"}}", "x".repeat(100_000));
        for chunk in record.as_bytes().chunks(4_001) {
            kept.write(chunk).unwrap();
        }
        // Another letter in the meantime.
        letters.append(&letter(Content::record(b"x"))).unwrap();
        kept.keep().unwrap();
        let lines = lines(&letters);
        assert_eq!((lines.len(), &lines[1]["code"]), (2, &"oversized".into()));
        assert_eq!((metrics.records.get(), metrics.rejected.get(), metrics.dead_letters.get()), (1, 1, 1));
        assert_eq!(STANDARD.decode(lines[1]["record_base64"].as_str().unwrap()).unwrap(), record.as_bytes());
        assert_eq!(lines[1]["id"], format!("{:032x}", xxhash_rust::xxh3::xxh3_128(record.as_bytes())));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside the file");
    }

    #[test]
    fn a_line_that_was_cut_is_removed_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead-letters.ndjson");
        fs::write(&path, "{\"whole\":1}\n{\"cut").unwrap();
        let letters = DeadLetterFile::open(&path).unwrap();
        letters.append(&letter(Content::record(b"x"))).unwrap();
        assert_eq!(lines(&letters).len(), 2);
    }
}
