//! `explain`: which row of the mapping made each field of a document, and which columns of its record none took.
//!
//! The component itself tells it (`docs/explain.md`), so this only reads records and shows what it says.

mod table;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use defenderbeat_runtime::{Batch, Bytes, Part, Pipeline, Reject, SinkError, Transform};
use serde_json::{Map, Value, json};

use crate::feeds::Input;
use crate::opening::{Opened, Opening};
use crate::stderr::say;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    opening: Opening,
    /// Prints what the component says, a line of JSON for each document.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { opening, json } = arguments;
    let Opened { component, setup, inputs, ends } = opening.open()?;
    let settings = explained(&setup.settings)?;
    let mut pipeline = Pipeline::open(&component, setup.with_settings(settings))?;
    let mut show = |part: Part| show(&part, *json);
    let (mut rejected, mut documents, mut dropped) = (0, 0, 0);
    for Input { feed, file } in &inputs {
        let payload = read(file)?;
        let batch =
            Batch { feed: feed.name.clone(), received_at: opening.received_at(), payloads: vec![payload.clone()] };
        let receipt = pipeline.push(&batch, &mut show)?;
        pipeline.learn(&receipt.facts)?;
        for tally in &receipt.tallies {
            documents += tally.documents;
            dropped += tally.dropped;
        }
        for reject in &receipt.rejects {
            rejected += 1;
            show_reject(reject, *json)?;
        }
    }
    if ends {
        let receipt = pipeline.finish(&mut show)?;
        documents += receipt.tallies.iter().map(|tally| tally.documents).sum::<u32>();
    }
    say(format_args!("{}: {documents} documents, {dropped} dropped, {rejected} rejected", opening.dataset()));
    Ok(if rejected > 0 { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

/// Settings that make the component explain.
fn explained(settings: &str) -> Result<String> {
    let mut settings: Map<String, Value> = serde_json::from_str(settings).context("reading settings")?;
    settings.insert("explain".to_owned(), Value::Bool(true));
    Ok(Value::Object(settings).to_string())
}

fn read(file: &Path) -> Result<Bytes> {
    let mut payload = Vec::new();
    let reading = || format!("reading {}", file.display());
    match file {
        file if file == Path::new("-") => io::stdin().lock().read_to_end(&mut payload),
        file => File::open(file).with_context(reading)?.read_to_end(&mut payload),
    }
    .with_context(reading)?;
    Ok(payload.into())
}

/// Prints explanations.
fn show(part: &Part, json: bool) -> Result<(), SinkError> {
    let mut out = io::stdout().lock();
    if json {
        return out.write_all(&part.ndjson).map_err(SinkError::from);
    }
    let text = std::str::from_utf8(&part.ndjson)?;
    for (line, document) in text.lines().zip(&part.documents) {
        let explanation = serde_json::from_str(line)?;
        out.write_all(table::of_document(document.id, &explanation).as_bytes())?;
    }
    Ok(())
}

fn show_reject(reject: &Reject, json: bool) -> Result<()> {
    let Reject { offset, path, message, .. } = reject;
    let code = reject.code.as_str();
    let mut out = io::stdout().lock();
    if json {
        let reject = json!({ "rejected": { "offset": offset, "code": code, "path": path, "message": message } });
        writeln!(out, "{reject}")?;
    } else {
        writeln!(out, "rejected at byte {offset}: {code}: {message}\n")?;
    }
    Ok(())
}
