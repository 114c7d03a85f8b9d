//! `transform`: raw payloads in, documents out, in input order.

mod summary;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use defenderbeat_collector::dead_letter::{Content, DeadLetterFile, Letter, timestamp};
use defenderbeat_collector::source::DeadLetter;
use defenderbeat_records::{DEFAULT_MAX_RECORD_SIZE, Piece, Splitter};
use defenderbeat_runtime::{Batch, Feed, Part, Pipeline, SinkError, State, Transform};

use crate::feeds::Input;
use crate::opening::{Opened, Opening};
use crate::stderr::say;
use summary::Summary;

/// Bytes read at a time.
const CHUNK: usize = 256 << 10;
/// Bytes of records that are mapped together.
const BATCH: usize = 1 << 20;
/// What rejects name as their input.
const INPUT: &str = "transform";

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    opening: Opening,
    /// When records are mapped and their documents written.
    #[arg(long, value_enum, default_value_t = Flush::Auto)]
    flush: Flush,
    /// Where records go that cannot be mapped, in the form of dead letters; an older file is replaced.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Flush {
    /// Each record by itself, as soon as it is complete: its documents are written before the next is mapped or more is read.
    Line,
    /// As many records together as make 1 MiB.
    Batch,
    /// `batch` for files; of a pipe what one read brings, before the next read. So no record waits for one that has not come.
    Auto,
}

impl Flush {
    /// Bytes of records that are mapped together at most, but for one larger record.
    fn limit(self) -> usize {
        if self == Self::Line { 1 } else { BATCH }
    }

    /// Whether what a read brought is mapped before the next.
    fn each_read(self, is_file: bool) -> bool {
        self == Self::Auto && !is_file
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let began = Instant::now();
    let Arguments { opening, flush, rejects } = arguments;
    let Opened { component, setup, inputs, ends } = opening.open()?;
    let mut mapper = Mapper {
        opening,
        is_sync: component.descriptor().feeds.iter().any(|feed| feed.state == State::Sync),
        pipeline: Pipeline::open(&component, setup)?,
        flush: *flush,
        batch: Records::default(),
        received_at: opening.received_at(),
        rejects: rejects.as_deref().map(|file| replace(file, &inputs)).transpose()?,
        summary: Summary::default(),
    };
    for input in &inputs {
        mapper.read(input)?;
    }
    if ends {
        mapper.finish()?;
    }
    let Mapper { summary, rejects, .. } = mapper;
    if let Some(rejects) = rejects {
        rejects.sync().context("syncing rejects to disk")?;
    }
    let seconds = began.elapsed().as_secs_f64();
    say(format_args!("{}: {summary} in {seconds:.3} s", opening.dataset()));
    Ok(if summary.rejected > 0 { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

/// The input, and whether all of it is there already.
fn open(file: &Path) -> Result<(Box<dyn Read>, bool)> {
    if file == Path::new("-") {
        let is_file = fs::metadata("/dev/stdin").is_ok_and(|metadata| metadata.is_file());
        return Ok((Box::new(io::stdin().lock()), is_file));
    }
    let opened = File::open(file).with_context(|| format!("opening {}", file.display()))?;
    let is_file = opened.metadata().is_ok_and(|metadata| metadata.is_file());
    Ok((Box::new(opened), is_file))
}

/// An empty file for rejects.
fn replace(file: &Path, inputs: &[Input]) -> Result<DeadLetterFile> {
    if let Ok(file) = file.canonicalize()
        && inputs.iter().any(|input| input.file.canonicalize().is_ok_and(|input| input == file))
    {
        bail!("--rejects {} is the input: it would be emptied before it is read", file.display());
    }
    DeadLetterFile::replace(file).with_context(|| format!("rejects go to {}", file.display()))
}

/// Records that are mapped together, as one payload.
#[derive(Default)]
struct Records {
    bytes: Vec<u8>,
    /// Where each begins: in the payload, and in the input.
    offsets: Vec<(u64, u64)>,
}

/// A record that gave no document; the offset is that in the input.
struct Reject<'r> {
    offset: u64,
    id: u128,
    code: &'r str,
    path: &'r str,
    message: &'r str,
    bytes: &'r [u8],
}

struct Mapper<'o> {
    opening: &'o Opening,
    /// Whether a run counts as a sync of the component, so that all its documents are of one time.
    is_sync: bool,
    pipeline: Pipeline,
    flush: Flush,
    batch: Records,
    received_at: i64,
    rejects: Option<DeadLetterFile>,
    summary: Summary,
}

impl Mapper<'_> {
    /// Maps a file of a feed.
    fn read(&mut self, Input { feed, file }: &Input) -> Result<()> {
        let (mut input, is_file) = open(file)?;
        let mut splitter = Splitter::new(&feed.keys);
        let mut oversized = None;
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = input.read(&mut chunk).with_context(|| format!("reading {}", file.display()))?;
            if !is_file && !self.is_sync {
                self.received_at = self.opening.received_at();
            }
            if length == 0 {
                splitter.finish();
            }
            self.summary.bytes += length as u64;
            splitter.push(chunk.get(..length).unwrap_or_default());
            while let Some(piece) = splitter.piece() {
                self.take(feed, piece, &mut oversized)?;
            }
            if length == 0 || self.flush.each_read(is_file) {
                self.map(feed)?;
            }
            if length == 0 {
                return Ok(());
            }
        }
    }

    /// What was held leaves.
    fn finish(&mut self) -> Result<()> {
        let receipt = self.pipeline.finish(&mut print).map_err(unwrap_io)?;
        self.summary.count(&receipt.tallies, receipt.drift);
        Ok(())
    }

    fn take(&mut self, feed: &Feed, piece: Piece<'_>, oversized: &mut Option<Box<dyn DeadLetter>>) -> Result<()> {
        match piece {
            Piece::Record { offset, bytes } => {
                self.batch.offsets.push((self.batch.bytes.len() as u64, offset));
                self.batch.bytes.extend_from_slice(bytes);
                self.batch.bytes.push(b'\n');
                if self.batch.bytes.len() >= self.flush.limit() { self.map(feed) } else { Ok(()) }
            }
            Piece::Malformed { offset, bytes, reason } => {
                self.map(feed)?;
                self.summary.records += 1;
                let id = xxhash_rust::xxh3::xxh3_128(bytes);
                self.reject(feed, Reject { offset, id, code: "malformed", path: "", message: reason, bytes })
            }
            Piece::Oversized { offset, bytes, last } => {
                if oversized.is_none()
                    && let Some(rejects) = &self.rejects
                {
                    let letters = rejects.of_input(INPUT, DEFAULT_MAX_RECORD_SIZE, Arc::default());
                    *oversized = Some(letters.open(&feed.name, self.received_at).context("setting a record aside")?);
                }
                if let Some(letter) = oversized {
                    letter.write(bytes).context("setting a record aside")?;
                }
                if last {
                    self.map(feed)?;
                    self.summary.records += 1;
                    self.summary.rejected += 1;
                    self.show(offset, "oversized", &format!("is longer than {DEFAULT_MAX_RECORD_SIZE} bytes"));
                    if let Some(letter) = oversized.take() {
                        letter.keep().context("setting a record aside")?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Maps what was gathered.
    fn map(&mut self, feed: &Feed) -> Result<()> {
        if self.batch.offsets.is_empty() {
            return Ok(());
        }
        let Records { bytes, offsets } = std::mem::take(&mut self.batch);
        let payload = Bytes::from(bytes);
        let batch = Batch { feed: feed.name.clone(), received_at: self.received_at, payloads: vec![payload.clone()] };
        let receipt = self.pipeline.push(&batch, &mut print).map_err(unwrap_io)?;
        self.pipeline.learn(&receipt.facts)?;
        self.summary.count(&receipt.tallies, receipt.drift);
        for reject in &receipt.rejects {
            let at = offsets.partition_point(|(begin, _)| *begin <= reject.offset).saturating_sub(1);
            let (begin, origin) = offsets.get(at).copied().unwrap_or_default();
            let range = usize::try_from(reject.offset)?..usize::try_from(reject.offset + reject.length)?;
            let bytes = payload.get(range).unwrap_or_default();
            let offset = origin + (reject.offset - begin);
            let (id, code, path, message) = (reject.id, reject.code.as_str(), &reject.path, &reject.message);
            self.reject(feed, Reject { offset, id, code, path, message, bytes })?;
        }
        Ok(())
    }

    fn reject(&mut self, feed: &Feed, reject: Reject<'_>) -> Result<()> {
        let Reject { offset, id, code, path, message, bytes } = reject;
        self.summary.rejected += 1;
        self.show(offset, code, message);
        let Some(rejects) = &self.rejects else { return Ok(()) };
        let letter = Letter {
            timestamp: timestamp(self.received_at),
            input: INPUT,
            feed: Some(&feed.name),
            origin: None,
            index: None,
            code,
            path,
            message,
            failure_store: false,
            offset: Some(offset),
            id: format!("{id:032x}"),
            content: Content::record(bytes),
        };
        rejects.append(&letter).with_context(|| format!("writing a reject to {}", rejects.path().display()))
    }

    fn show(&self, offset: u64, code: &str, message: &str) {
        match self.summary.rejected {
            1..=10 => say(format_args!("rejected at byte {offset}: {code}: {message}")),
            11 if self.rejects.is_none() => {
                say(format_args!("further rejects are only counted: --rejects FILE keeps all of them"));
            }
            _ => {}
        }
    }
}

/// Documents go to standard output.
fn print(part: Part) -> Result<(), SinkError> {
    let mut out = io::stdout().lock();
    out.write_all(&part.ndjson).and_then(|()| out.flush()).map_err(SinkError::from)
}

/// An error of our own sink as what it was.
fn unwrap_io(error: defenderbeat_runtime::Error) -> anyhow::Error {
    match error {
        defenderbeat_runtime::Error::Sink(error) => match error.downcast::<io::Error>() {
            Ok(error) => anyhow::Error::from(*error).context("writing documents"),
            Err(error) => anyhow::anyhow!(error),
        },
        error => error.into(),
    }
}
