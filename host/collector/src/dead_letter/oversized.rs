//! Records that are longer than an input takes: they go to the dead letters as they arrive.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use base64::engine::general_purpose::STANDARD;
use base64::write::EncoderWriter;
use xxhash_rust::xxh3::Xxh3;

use super::{Content, DeadLetterFile, Letter, timestamp};
use crate::metrics::Metrics;
use crate::source::{DeadLetter, DeadLetters};

/// Makes letters of records that are longer than an input takes.
#[derive(Debug)]
pub(super) struct Oversized {
    pub(super) letters: DeadLetterFile,
    pub(super) input: String,
    pub(super) max_record_size: usize,
    pub(super) metrics: Arc<Metrics>,
}

impl DeadLetters for Oversized {
    fn open(&self, feed: &str, received_at: i64) -> io::Result<Box<dyn DeadLetter>> {
        // In a file of its own until it is whole, so that letters of other inputs do not wait for the network.
        let folder = self.letters.path().parent().unwrap_or(Path::new("."));
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
            index: None,
            code: "oversized",
            path: "",
            message: &message,
            failure_store: false,
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
        // In base64 three bytes are four.
        let length = line.len() as u64 + self.length.div_ceil(3) * 4 + "\"}\n".len() as u64;
        letters.append(length, |file| {
            let mut out = BufWriter::new(file);
            out.write_all(&line)?;
            let mut encoder = EncoderWriter::new(&mut out, &STANDARD);
            io::copy(&mut BufReader::new(&spool), &mut encoder)?;
            encoder.finish()?;
            drop(encoder);
            out.write_all(b"\"}\n")?;
            out.flush()
        })?;
        letters.sync()?;
        tracing::warn!(
            input = self.input,
            bytes = self.length,
            max_record_size = self.max_record_size,
            file = %self.letters.path().display(),
            "a record is too long and goes to the dead letters"
        );
        self.metrics.records.add(1_u64);
        self.metrics.rejected.add(1_u64);
        self.metrics.dead_letters.add(1_u64);
        Ok(())
    }
}
