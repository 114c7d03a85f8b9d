//! How long pushes take.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use defenderbeat_runtime::{Batch, Bytes, Part, Pipeline, Setup, Transform};
use serde_json::json;

use crate::compile;

/// Bytes of a payload, as a collector hands them over.
const PAYLOAD: usize = 1 << 20;

#[derive(Args)]
pub(crate) struct Arguments {
    component: PathBuf,
    feed: String,
    /// Records, one a line.
    file: PathBuf,
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments { component, feed, file } = arguments;
    let ndjson = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
    let payloads = payloads(ndjson.into());
    let mut pipeline = Pipeline::open(&compile(&component)?, Setup::default())?;
    let mut pass = || -> Result<_> {
        let (mut documents, mut bytes, mut elapsed) = (0, 0, Duration::ZERO);
        for payload in &payloads {
            let batch = Batch { feed: feed.clone(), received_at: 0, payloads: vec![payload.clone()] };
            let mut count = |part: Part| {
                documents += part.documents.len();
                bytes += part.ndjson.len();
                Ok(())
            };
            let began = Instant::now();
            let receipt = pipeline.push(&batch, &mut count)?;
            elapsed += began.elapsed();
            pipeline.learn(&receipt.facts)?;
        }
        Ok(json!({"documents": documents, "bytes": bytes, "seconds": elapsed.as_secs_f64()}))
    };
    // The first pass only warms up.
    pass()?;
    writeln!(io::stdout(), "{}", pass()?)?;
    Ok(ExitCode::SUCCESS)
}

/// About a mebibyte each, cut at line ends.
fn payloads(mut ndjson: Bytes) -> Vec<Bytes> {
    let mut payloads = Vec::new();
    while !ndjson.is_empty() {
        let line = ndjson.iter().skip(PAYLOAD).position(|byte| *byte == b'\n');
        let end = line.map_or(ndjson.len(), |rest| PAYLOAD + rest + 1);
        payloads.push(ndjson.split_to(end));
    }
    payloads
}
