//! Golden cases: inputs beside what is expected of them. `testdata/README.md` of defenderbeat says what a case is; cases in
//! the layout of elastic-package are left out.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use chrono::DateTime;
use clap::Args;
use defenderbeat_runtime::{Batch, Component, Document, Part, Pipeline, Receipt, Setup, SinkError, Tally, Transform};
use serde_json::{Map, Value, json};

use crate::compile;
use crate::lookups::Lookups;

/// When every record of a golden case was received: 2025-01-01T00:00:00Z.
const RECEIVED_AT: i64 = 1_735_689_600_000;

#[derive(Args)]
pub(crate) struct Arguments {
    /// A folder of components, such as dist.
    components: PathBuf,
    /// A folder that is searched for cases.
    folder: PathBuf,
}

/// What a component makes of a case.
#[derive(Default)]
struct Made {
    ndjson: Vec<u8>,
    documents: Vec<Document>,
    /// One a push, then that of finishing.
    receipts: Vec<Receipt>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    let mut loaded = BTreeMap::new();
    let (mut passed, mut failed) = (0, 0);
    for case in find(&arguments.folder)? {
        let problems =
            check(&case, &arguments.components, &mut loaded).unwrap_or_else(|error| vec![format!("{error:#}")]);
        if problems.is_empty() {
            passed += 1;
        } else {
            failed += 1;
            writeln!(out, "FAILED {}: {}", case.display(), problems.join("; "))?;
        }
    }
    writeln!(out, "{passed} passed, {failed} failed")?;
    Ok(if passed > 0 && failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Files `<case>.ndjson`, and folders of `NN-<feed>.json`, in order.
fn find(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = list(folder)?;
    if entries.iter().any(|entry| feed(entry).is_some()) {
        return Ok(vec![folder.to_owned()]);
    }
    let mut cases = Vec::new();
    for entry in entries {
        if entry.is_dir() {
            cases.extend(find(&entry)?);
        } else if entry.to_str().is_some_and(|name| name.ends_with(".ndjson") && !name.ends_with("expected.ndjson")) {
            cases.push(entry);
        }
    }
    Ok(cases)
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut entries: Vec<PathBuf> = entries.with_context(|| format!("reading folder {}", folder.display()))?;
    entries.sort();
    Ok(entries)
}

/// The feed of a file of a folder: `NN-<feed>.json`.
fn feed(file: &Path) -> Option<&str> {
    let (number, feed) = file.file_name()?.to_str()?.strip_suffix(".json")?.split_once('-')?;
    (!number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())).then_some(feed)
}

/// What belongs to a case stands beside its file, or in its folder; none where it is not there.
fn beside(case: &Path, name: &str) -> Result<Option<String>> {
    let file = if case.is_dir() { case.join(name) } else { case.with_extension(name) };
    let read = || fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()));
    file.exists().then(read).transpose()
}

/// How a case differs from what is expected of it, byte for byte.
fn check(case: &Path, components: &Path, loaded: &mut BTreeMap<PathBuf, Component>) -> Result<Vec<String>> {
    // A case lies below a folder named for its component.
    let files = case.ancestors().filter_map(|folder| Some(components.join(folder.file_name()?).with_extension("wasm")));
    let file = files.into_iter().find(|file| file.exists()).context("there is no component for it")?;
    let component = match loaded.get(&file) {
        Some(component) => component.clone(),
        None => loaded.entry(file.clone()).or_insert(compile(&file)?).clone(),
    };
    let inputs = if case.is_dir() { list(case)? } else { vec![case.to_owned()] };
    let inputs: Vec<&PathBuf> = inputs.iter().filter(|file| case.is_file() || feed(file).is_some()).collect();
    let made = make(&component, case, &inputs)?;
    let mut problems = Vec::new();
    let wanted = beside(case, "expected.ndjson")?.context("no documents are expected of it")?;
    if made.ndjson != wanted.as_bytes() {
        let lines = made.ndjson.split(|byte| *byte == b'\n').zip(wanted.as_bytes().split(|byte| *byte == b'\n'));
        let same = lines.take_while(|(made, wanted)| made == wanted).count();
        problems.push(format!("documents differ from line {} on", same + 1));
    }
    let receipt: Value = serde_json::from_str(&beside(case, "receipt.json")?.context("no receipt is expected of it")?)?;
    if summary(&made, &inputs) != receipt {
        problems.push("the receipt differs".to_owned());
    }
    Ok(problems)
}

fn make(component: &Component, case: &Path, inputs: &[&PathBuf]) -> Result<Made> {
    let mut setup = Setup::new(beside(case, "settings.json")?.unwrap_or_default());
    if let Some(answers) = beside(case, "lookups.json")? {
        setup = setup.with_lookup(Arc::new(Lookups::parse(&answers).context("reading its lookups")?));
    }
    let mut pipeline = Pipeline::open(component, setup)?;
    let first = &component.descriptor().feeds.first().context("the component has no feed")?.name;
    let mut made = Made::default();
    for file in inputs {
        let payload = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        let feed = feed(file).unwrap_or(first).to_owned();
        let batch = Batch { feed, received_at: RECEIVED_AT, payloads: vec![payload.into()] };
        let receipt = pipeline.push(&batch, &mut gather(&mut made))?;
        // What was found in a push is known in the next.
        pipeline.learn(&receipt.facts)?;
        made.receipts.push(receipt);
    }
    // A case of one file is a stream that goes on; a folder is finished.
    if case.is_dir() {
        let receipt = pipeline.finish(&mut gather(&mut made))?;
        made.receipts.push(receipt);
    }
    Ok(made)
}

fn gather(made: &mut Made) -> impl FnMut(Part) -> Result<(), SinkError> {
    |part| {
        made.ndjson.extend_from_slice(&part.ndjson);
        made.documents.extend_from_slice(&part.documents);
        Ok(())
    }
}

/// The receipt as `<case>.receipt.json` has it: what is zero or empty is left out, but for records and mapped.
fn summary(made: &Made, inputs: &[&PathBuf]) -> Value {
    let total =
        |count: fn(&Tally) -> u32| made.receipts.iter().flat_map(|receipt| &receipt.tallies).map(count).sum::<u32>();
    let mut summary = json!({"records": total(|tally| tally.records), "mapped": total(|tally| tally.mapped)});
    let mut add = |name: &str, value: Value, there: bool| {
        if let (true, Some(members)) = (there, summary.as_object_mut()) {
            members.insert(name.to_owned(), value);
        }
    };
    type Count = fn(&Tally) -> u32;
    let fates: [(&str, Count); 3] =
        [("held", |tally| tally.held), ("dropped", |tally| tally.dropped), ("rejected", |tally| tally.rejected)];
    for (name, count) in fates {
        add(name, total(count).into(), total(count) > 0);
    }
    let documents: Vec<String> = made.documents.iter().map(shown).collect();
    add("documents", documents.into(), true);
    let mut rejects = Vec::new();
    let mut drift: BTreeMap<&str, u32> = BTreeMap::new();
    for (at, receipt) in made.receipts.iter().enumerate() {
        for reject in &receipt.rejects {
            let mut entry = json!({
                "offset": reject.offset,
                "length": reject.length,
                "id": format!("{:032x}", reject.id),
                "code": reject.code.as_str(),
                "message": reject.message,
            });
            if let Some(members) = entry.as_object_mut() {
                let file = inputs.get(at).filter(|_| inputs.len() > 1).and_then(|file| file.file_name()?.to_str());
                members.extend(file.map(|file| ("file".to_owned(), file.into())));
                members.extend((!reject.path.is_empty()).then(|| ("path".to_owned(), reject.path.as_str().into())));
            }
            rejects.push(entry);
        }
        for name in &receipt.drift {
            *drift.entry(&name.name).or_default() += name.count;
        }
    }
    let drift: Map<String, Value> = drift.into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect();
    add("rejects", rejects.clone().into(), !rejects.is_empty());
    add("drift", drift.clone().into(), !drift.is_empty());
    summary
}

/// The `_id` of a document, and its position (100 ns ticks) as a time where it has one.
fn shown(document: &Document) -> String {
    let Document { id, position, .. } = *document;
    let seconds = i64::try_from(position / 10_000_000).unwrap_or_default();
    match DateTime::from_timestamp(seconds, 0).filter(|_| position > 0) {
        Some(time) => format!("{id:032x} at {}.{:07}Z", time.format("%Y-%m-%dT%H:%M:%S"), position % 10_000_000),
        None => format!("{id:032x}"),
    }
}
