//! `transform`: raw payloads in, documents out, in input order.

mod summary;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::Args;
use clap::builder::PossibleValuesParser;
use defenderbeat_collector::dead_letter::{Content, DeadLetterFile, Letter, timestamp};
use defenderbeat_collector::source::DeadLetter;
use defenderbeat_records::{DEFAULT_MAX_RECORD_SIZE, Piece, Splitter};
use defenderbeat_runtime::{Batch, Engine, Feed, Options, Part, Pipeline, SinkError, Transform};

use crate::components;
use crate::feeds::{self, FeedFile};
use crate::opening::Opening;
use summary::Summary;

/// Bytes read at a time.
const CHUNK: usize = 256 << 10;
/// Bytes of records mapped at a time; where the input is no file, what there is is mapped at once.
const BATCH: usize = 1 << 20;
/// What rejects name as their input.
const INPUT: &str = "transform";

#[derive(Args)]
pub(crate) struct Arguments {
    /// What the records are.
    #[arg(value_parser = PossibleValuesParser::new(components::DATASETS))]
    dataset: String,
    /// A file of payloads, or `-` for standard input: records one a line, pretty-printed, arrays of them, or
    /// `{"value":[..]}`.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// A file of payloads for one of the component's feeds; several files are read in the order of the feeds, and what is
    /// held of them leaves at the end. The findings of a sync: `--feed machines=FILE --feed vulnerabilities=FILE --feed
    /// products=FILE`.
    #[arg(long = "feed", value_name = "NAME=FILE", conflicts_with = "file")]
    feeds: Vec<FeedFile>,
    #[command(flatten)]
    opening: Opening,
    /// Where records go that cannot be mapped, in the form of dead letters; an older file is replaced.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let began = Instant::now();
    let engine = Engine::new(Options::default())?;
    let component = arguments.opening.component(&engine, &arguments.dataset)?;
    let inputs = match feeds::inputs(component.descriptor(), &arguments.feeds, &arguments.file) {
        Ok(inputs) => inputs,
        Err(error) => {
            eprintln!("defenderbeat transform: {error}");
            return Ok(ExitCode::from(2));
        }
    };
    let (feed, _) = inputs.first().context("the component has no feed")?;
    if arguments.opening.has_inventory_in_vain(feed) {
        eprintln!("defenderbeat transform: --inventory: {} keeps none", component.descriptor().name);
        return Ok(ExitCode::from(2));
    }
    let files: Vec<&Path> = inputs.iter().map(|(_, file)| *file).collect();
    let pipeline = Pipeline::open(&component, arguments.opening.setup(feed)?)?;
    let mut mapper = Mapper {
        pipeline,
        batch: Records::default(),
        feed: (*feed).clone(),
        received_at: arguments.opening.received_at(),
        rejects: arguments.rejects.as_deref().map(|file| rejects(file, &files)).transpose()?,
        summary: Summary::default(),
    };
    for (feed, file) in &inputs {
        mapper.feed = (*feed).clone();
        mapper.read(file)?;
    }
    if !arguments.feeds.is_empty() {
        mapper.finish()?;
    }
    let Mapper { summary, rejects, .. } = mapper;
    if let Some(rejects) = rejects {
        rejects.sync().context("syncing rejects to disk")?;
    }
    let seconds = began.elapsed().as_secs_f64();
    eprintln!("{}: {summary} in {seconds:.3} s", arguments.dataset);
    Ok(if summary.rejected > 0 { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

/// The input, and whether all of it is there already.
fn open(file: &Path) -> Result<(Box<dyn Read>, bool)> {
    if file == Path::new("-") {
        return Ok((Box::new(io::stdin().lock()), false));
    }
    let opened = File::open(file).with_context(|| format!("opening {}", file.display()))?;
    let is_file = opened.metadata().is_ok_and(|metadata| metadata.is_file());
    Ok((Box::new(opened), is_file))
}

fn rejects(file: &Path, inputs: &[&Path]) -> Result<DeadLetterFile> {
    if let Ok(file) = file.canonicalize()
        && inputs.iter().any(|input| input.canonicalize().is_ok_and(|input| input == file))
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

struct Mapper {
    pipeline: Pipeline,
    batch: Records,
    feed: Feed,
    received_at: i64,
    rejects: Option<DeadLetterFile>,
    summary: Summary,
}

impl Mapper {
    /// Maps a file of the feed.
    fn read(&mut self, file: &Path) -> Result<()> {
        let (mut input, is_file) = open(file)?;
        let keys = self.feed.keys.clone();
        let mut splitter = Splitter::new(&keys);
        let mut oversized = None;
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = input.read(&mut chunk).with_context(|| format!("reading {}", file.display()))?;
            if length == 0 {
                splitter.finish();
            }
            self.summary.bytes += length as u64;
            splitter.push(chunk.get(..length).unwrap_or_default());
            while let Some(piece) = splitter.piece() {
                self.take(piece, &mut oversized)?;
            }
            if length == 0 || !is_file {
                self.map()?;
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

    fn take(&mut self, piece: Piece<'_>, oversized: &mut Option<Box<dyn DeadLetter>>) -> Result<()> {
        match piece {
            Piece::Record { offset, bytes } => {
                self.batch.offsets.push((self.batch.bytes.len() as u64, offset));
                self.batch.bytes.extend_from_slice(bytes);
                self.batch.bytes.push(b'\n');
                if self.batch.bytes.len() >= BATCH { self.map() } else { Ok(()) }
            }
            Piece::Malformed { offset, bytes, reason } => {
                self.map()?;
                self.summary.records += 1;
                self.reject(offset, xxhash_rust::xxh3::xxh3_128(bytes), "malformed", "", reason, bytes)
            }
            Piece::Oversized { offset, bytes, last } => {
                if oversized.is_none()
                    && let Some(rejects) = &self.rejects
                {
                    let letters = rejects.of_input(INPUT, DEFAULT_MAX_RECORD_SIZE, Arc::default());
                    *oversized =
                        Some(letters.open(&self.feed.name, self.received_at).context("setting a record aside")?);
                }
                if let Some(letter) = oversized {
                    letter.write(bytes).context("setting a record aside")?;
                }
                if last {
                    self.map()?;
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
    fn map(&mut self) -> Result<()> {
        if self.batch.offsets.is_empty() {
            return Ok(());
        }
        let Records { bytes, offsets } = std::mem::take(&mut self.batch);
        let payload = Bytes::from(bytes);
        let batch =
            Batch { feed: self.feed.name.clone(), received_at: self.received_at, payloads: vec![payload.clone()] };
        let receipt = self.pipeline.push(&batch, &mut print).map_err(unwrap_io)?;
        self.pipeline.learn(&receipt.facts)?;
        self.summary.count(&receipt.tallies, receipt.drift);
        for reject in &receipt.rejects {
            let at = offsets.partition_point(|(begin, _)| *begin <= reject.offset).saturating_sub(1);
            let (begin, origin) = offsets.get(at).copied().unwrap_or_default();
            let range = usize::try_from(reject.offset)?..usize::try_from(reject.offset + reject.length)?;
            let bytes = payload.get(range).unwrap_or_default();
            let offset = origin + (reject.offset - begin);
            self.reject(offset, reject.id, reject.code.as_str(), &reject.path, &reject.message, bytes)?;
        }
        Ok(())
    }

    fn reject(&mut self, offset: u64, id: u128, code: &str, path: &str, message: &str, bytes: &[u8]) -> Result<()> {
        self.summary.rejected += 1;
        self.show(offset, code, message);
        let Some(rejects) = &self.rejects else { return Ok(()) };
        let letter = Letter {
            timestamp: timestamp(self.received_at),
            input: INPUT,
            feed: Some(&self.feed.name),
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
            1..=10 => eprintln!("rejected at byte {offset}: {code}: {message}"),
            11 if self.rejects.is_none() => {
                eprintln!("further rejects are only counted: --rejects FILE keeps all of them")
            }
            _ => {}
        }
    }
}

/// Documents go to standard output.
fn print(part: Part) -> Result<(), SinkError> {
    io::stdout().write_all(&part.ndjson).map_err(SinkError::from)
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
