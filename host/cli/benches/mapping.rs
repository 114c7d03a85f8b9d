//! What mapping costs: native, in the sandbox, in the sandbox with interruption, beside a loop that only parses and
//! prints the same JSON. And what the start of a process costs.
//!
//! All variants run in turns, one pass over the corpus each, for several rounds; a ratio compares the passes of one
//! round, so that whatever else the machine is doing meets both. Figures are medians.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking and prints"
)]

use std::hint::black_box;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use defenderbeat_alert::Alert;
use defenderbeat_incident::Incident;
use defenderbeat_runtime::{Bytes, Component, Engine, Options, Part, Pipeline, Setup, SinkError, Transform};
use defenderbeat_sdk::{Document, Driver, Guest, Host};
use defenderbeat_simulator::{AlertOptions, alerts, incidents};

const ALERTS: usize = 10_000;
const ROUNDS: usize = 5;
/// Bytes of a batch, as the collector hands them over.
const BATCH: usize = 1 << 20;
/// Starts of a process.
const STARTS: usize = 21;

/// A host that takes documents and forgets them, and has no data of its own.
struct Forget;

impl Host for Forget {
    fn write(&mut self, ndjson: &[u8], documents: &[Document]) {
        black_box((ndjson, documents));
    }
}

/// One pass over the corpus.
type Pass = Box<dyn FnMut(&[Bytes])>;

struct Variant {
    name: &'static str,
    pass: Pass,
    seconds: Vec<f64>,
}

impl Variant {
    fn new(name: &'static str, pass: impl FnMut(&[Bytes]) + 'static) -> Self {
        Self { name, pass: Box::new(pass), seconds: Vec::new() }
    }
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Parses into a tree and prints it again: what any mapping over a tree pays before it begins.
fn reference(batches: &[Bytes]) {
    for batch in batches {
        for line in batch.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let tree: serde_json::Value = serde_json::from_slice(line).unwrap();
            black_box(serde_json::to_vec(&tree).unwrap());
        }
    }
}

fn native<G: Guest>() -> impl FnMut(&[Bytes]) {
    let mut driver = Driver::<G>::open("{}").unwrap();
    move |batches| {
        for batch in batches {
            let batch = defenderbeat_sdk::Batch { feed: 0, received_at: 0, payloads: std::slice::from_ref(batch) };
            black_box(driver.push(&batch, &mut Forget));
        }
    }
}

fn sandboxed<G: Guest>(interruption: bool) -> impl FnMut(&[Bytes]) {
    let (name, feed) = (G::DESCRIPTOR.name, G::DESCRIPTOR.feeds[0].name);
    let engine = Engine::new(Options { interruption, fuel: false }).unwrap();
    let wasm = std::fs::read(root(&format!("target/components/{name}.wasm"))).expect("run `make components`");
    let component = Component::compile(&engine, &wasm).unwrap();
    let mut pipeline = Pipeline::open(&component, Setup::default()).unwrap();
    move |batches| {
        for batch in batches {
            let batch =
                defenderbeat_runtime::Batch { feed: feed.to_owned(), received_at: 0, payloads: vec![batch.clone()] };
            let mut sink = |part: Part| -> Result<(), SinkError> {
                black_box(part);
                Ok(())
            };
            black_box(pipeline.push(&batch, &mut sink).unwrap());
        }
    }
}

/// Maps records that hold so many alerts together.
fn mapping<G: Guest>(corpus: &[Vec<u8>], alerts: usize) {
    let bytes: usize = corpus.iter().map(Vec::len).sum();
    let mut batches = vec![Vec::new()];
    for record in corpus {
        if batches.last().is_some_and(|batch: &Vec<u8>| batch.len() >= BATCH) {
            batches.push(Vec::new());
        }
        let batch = batches.last_mut().unwrap();
        batch.extend_from_slice(record);
        batch.push(b'\n');
    }
    let batches: Vec<Bytes> = batches.into_iter().map(Bytes::from).collect();
    let mut variants = [
        Variant::new("serde_json, parse and print", reference),
        Variant::new("native", native::<G>()),
        Variant::new("sandbox", sandboxed::<G>(false)),
        Variant::new("sandbox, interruptible", sandboxed::<G>(true)),
    ];
    for round in 0..=ROUNDS {
        for variant in &mut variants {
            let began = Instant::now();
            (variant.pass)(&batches);
            // The first round only warms up.
            if round > 0 {
                variant.seconds.push(began.elapsed().as_secs_f64());
            }
        }
    }
    let (name, records) = (G::DESCRIPTOR.name, corpus.len());
    let size = bytes as f64 / 1e6;
    println!("{name}: {records} records, {alerts} alerts, {size:.1} MB, one core, medians of {ROUNDS} rounds");
    println!("{:<30} {:>10} {:>8} {:>10} {:>12}", "", "alerts/s", "MB/s", "us/alert", "of native");
    let native = variants[1].seconds.clone();
    for Variant { name, seconds, .. } in &variants {
        let ratios: Vec<f64> = native.iter().zip(seconds).map(|(native, own)| native / own).collect();
        let time = median(seconds);
        println!(
            "{name:<30} {:>10.0} {:>8.0} {:>10.2} {:>12.2}",
            alerts as f64 / time,
            bytes as f64 / 1e6 / time,
            time * 1e6 / alerts as f64,
            median(&ratios)
        );
    }
}

/// Milliseconds from the start of a process to its first byte of output.
fn first_byte(command: &mut Command) -> f64 {
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut byte = [0];
    child.stdout.take().unwrap().read_exact(&mut byte).unwrap();
    let elapsed = began.elapsed().as_secs_f64() * 1e3;
    child.wait().unwrap();
    elapsed
}

fn start(corpus: &[Vec<u8>]) {
    let binary = root("target/release/defenderbeat");
    if !binary.exists() {
        println!("skipped: the start of a process; run `make build` first");
        return;
    }
    let file = std::env::temp_dir().join(format!("defenderbeat-bench-{}.ndjson", std::process::id()));
    std::fs::write(&file, &corpus[0]).unwrap();
    let mut ours = Vec::new();
    let mut reference = Vec::new();
    for _ in 0..STARTS {
        reference.push(first_byte(Command::new("cat").arg(&file)));
        ours.push(first_byte(Command::new(&binary).args(["transform", "alert"]).arg(&file)));
    }
    std::fs::remove_file(&file).unwrap();
    println!(
        "start to the first document: {:.1} ms (cat of the same file: {:.1} ms)",
        median(&ours),
        median(&reference)
    );
}

fn main() {
    let options = AlertOptions { count: ALERTS, now: Some(chrono::DateTime::UNIX_EPOCH), ..AlertOptions::default() };
    let corpus: Vec<Vec<u8>> = alerts(&options).unwrap().collect();
    mapping::<Alert>(&corpus, ALERTS);
    let of_incidents = AlertOptions { alerts_per_incident: 20, ..options };
    mapping::<Incident>(&incidents(&of_incidents).unwrap().collect::<Vec<_>>(), ALERTS);
    start(&corpus);
}
