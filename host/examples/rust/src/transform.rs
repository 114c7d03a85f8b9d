//! A filter: one payload in, documents out.

use std::io::{self, ErrorKind, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use clap::Args;
use defenderbeat_runtime::{
    Batch, Diagnostics, Error, Level, Limits, Part, Pipeline, Receipt, Setup, Tally, Transform,
};

use crate::compile;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Such as dist/alert.wasm.
    component: PathBuf,
    /// What the payload is; the component's first feed where it is not given.
    #[arg(long)]
    feed: Option<String>,
    /// A JSON object.
    #[arg(long, default_value = "{}", value_name = "JSON")]
    settings: String,
    /// When the payload was received, milliseconds since 1970; now where it is not given.
    #[arg(long, value_name = "MILLIS")]
    received_at: Option<i64>,
    /// Seconds that a call may take.
    #[arg(long, default_value = "10", value_name = "SECONDS")]
    deadline: u64,
}

/// Messages of the component go to stderr.
struct Stderr;

impl Diagnostics for Stderr {
    fn report(&self, level: Level, message: &str) {
        eprintln!("{level:?}: {message}");
    }
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let component = compile(&arguments.component)?;
    let first = component.descriptor().feeds.first().context("the component has no feed")?;
    let feed = arguments.feed.unwrap_or_else(|| first.name.clone());
    if component.descriptor().feed(&feed).is_none() {
        eprintln!("there is no feed {feed}");
        return Ok(ExitCode::from(2));
    }
    let limits = Limits::default().with_deadline(Duration::from_secs(arguments.deadline));
    let setup = Setup::new(arguments.settings).with_limits(limits).with_diagnostics(Arc::new(Stderr));
    let mut pipeline = match Pipeline::open(&component, setup) {
        Err(error @ Error::Settings { .. }) => {
            eprintln!("{error}");
            return Ok(ExitCode::from(2));
        }
        opened => opened?,
    };
    let mut payload = Vec::new();
    io::stdin().read_to_end(&mut payload).context("reading the payload")?;
    let received_at = arguments.received_at.map_or_else(now, Ok)?;
    let batch = Batch { feed, received_at, payloads: vec![payload.into()] };
    let mut print = |part: Part| Ok(io::stdout().write_all(&part.ndjson)?);
    // What a feed of a sync holds leaves when it is finished.
    let pushed = pipeline.push(&batch, &mut print).and_then(|pushed| Ok([pushed, pipeline.finish(&mut print)?]));
    match pushed {
        Err(Error::Sink(error)) if is_closed_pipe(error.as_ref()) => Ok(ExitCode::SUCCESS),
        receipts => Ok(report(&receipts?)),
    }
}

/// Says what became of all records.
fn report(receipts: &[Receipt]) -> ExitCode {
    for reject in receipts.iter().flat_map(|receipt| &receipt.rejects) {
        eprintln!("rejected: {} bytes at {}: {}: {}", reject.length, reject.offset, reject.code, reject.message);
    }
    for drift in receipts.iter().flat_map(|receipt| &receipt.drift) {
        eprintln!("unknown: {} ({})", drift.name, drift.count);
    }
    let tallies = || receipts.iter().flat_map(|receipt| &receipt.tallies);
    let total = |count: fn(&Tally) -> u32| tallies().map(count).sum::<u32>();
    let rejected = total(|tally| tally.rejected);
    eprintln!(
        "{} records: {} mapped, {} held, {} dropped, {rejected} rejected; {} documents",
        total(|tally| tally.records),
        total(|tally| tally.mapped),
        total(|tally| tally.held),
        total(|tally| tally.dropped),
        total(|tally| tally.documents),
    );
    ExitCode::from(if rejected > 0 { 3 } else { 0 })
}

fn now() -> Result<i64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_millis())?)
}

/// Whether whoever reads the documents has enough.
fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
