//! Lines of a dead-letter file, read back.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A line, its line feed left out.
pub(super) struct Line {
    /// Counted from 1.
    pub(super) number: u64,
    /// Where it begins.
    pub(super) offset: u64,
    /// Bytes of it.
    pub(super) length: u64,
    /// The line itself; none where it is longer than asked for.
    pub(super) text: Option<Vec<u8>>,
}

/// Reads lines one by one.
pub(super) struct Lines {
    file: BufReader<File>,
    longest: usize,
    number: u64,
    offset: u64,
}

impl Lines {
    /// Reads a file from its beginning; of lines that are longer than `longest` only the place is told.
    pub(super) fn new(file: File, longest: usize) -> Self {
        Self { file: BufReader::with_capacity(256 << 10, file), longest, number: 0, offset: 0 }
    }

    /// The next line; none at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        let (mut text, mut length, mut ended) = (Vec::new(), 0_usize, false);
        while !ended {
            let buffer = self.file.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let some = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            length += some.len();
            if length <= self.longest {
                text.extend_from_slice(some);
            } else {
                text = Vec::new();
            }
            let used = some.len() + usize::from(end.is_some());
            ended = end.is_some();
            self.file.consume(used);
        }
        if length == 0 && !ended {
            return Ok(None);
        }
        let offset = self.offset;
        self.number += 1;
        self.offset += length as u64 + u64::from(ended);
        let text = (length <= self.longest).then_some(text);
        Ok(Some(Line { number: self.number, offset, length: length as u64, text }))
    }
}

/// Reads a line once more, with its line feed.
pub(super) fn copy_of(path: &Path, line: &Line) -> io::Result<impl Read> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(line.offset))?;
    Ok(file.take(line.length).chain(&b"\n"[..]))
}

/// A letter as it is read: what replaying takes of it.
#[derive(Debug, Deserialize)]
pub(super) struct Letter {
    #[serde(rename = "@timestamp")]
    timestamp: String,
    pub(super) input: String,
    pub(super) feed: Option<String>,
    pub(super) index: Option<String>,
    #[serde(default)]
    pub(super) failure_store: bool,
    id: String,
    record: Option<String>,
    record_base64: Option<String>,
    document: Option<Box<RawValue>>,
}

/// What a letter is about.
pub(super) enum About {
    /// A record, to be mapped.
    Record(Bytes),
    /// A document, as a line, with its identity.
    Document(u128, Bytes),
}

impl Letter {
    pub(super) fn parse(line: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|error| format!("it is no dead letter: {error}"))
    }

    /// When it was written, milliseconds since 1970-01-01T00:00:00Z.
    pub(super) fn time(&self) -> Result<i64, String> {
        let time = chrono::DateTime::parse_from_rfc3339(&self.timestamp);
        time.map(|time| time.timestamp_millis()).map_err(|error| format!("its @timestamp is no time: {error}"))
    }

    /// What it is about.
    pub(super) fn about(self) -> Result<About, String> {
        match (self.document, self.record, self.record_base64) {
            (Some(document), None, None) => {
                let id = u128::from_str_radix(&self.id, 16).ok().filter(|_| self.id.len() == 32);
                let id = id.ok_or("its id is not 32 hexadecimal digits")?;
                Ok(About::Document(id, format!("{}\n", document.get()).into()))
            }
            (None, Some(record), None) => Ok(About::Record(record.into())),
            (None, None, Some(record)) => {
                let bytes =
                    STANDARD.decode(record).map_err(|error| format!("its record_base64 is damaged: {error}"))?;
                Ok(About::Record(bytes.into()))
            }
            _ => Err("it has not one of document, record and record_base64".to_owned()),
        }
    }
}
