//! What the same component costs in each host of `host/examples`: documents a second, beside wasmtime in Rust.
//!
//! All hosts map the same files, in turns, for several rounds, each in a process of its own that maps a file once to warm up
//! and once more for the clock, which counts pushes only. A ratio compares the passes of one round. Figures are medians.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking and prints"
)]

#[path = "../mapping/corpus.rs"]
#[allow(dead_code, reason = "a part of another bench, of which this one takes the corpora")]
mod corpus;
#[path = "../mapping/median.rs"]
mod median;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use corpus::Corpus;
use defenderbeat_runtime::Bytes;
use median::median;
use serde_json::Value;

const RECORDS: usize = 5_000;
const ROUNDS: usize = 5;

/// A host, and how its `bench` is run.
struct Host {
    name: &'static str,
    /// What is there when the host is ready to run.
    ready: PathBuf,
    command: fn(component: &str) -> Command,
}

/// A path in the project.
fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn component(name: &str) -> PathBuf {
    root("target/components").join(name).with_extension("wasm")
}

/// The first is what the others are compared with.
fn hosts() -> [Host; 4] {
    // Each in the form of its own example; FEED and FILE follow.
    [
        Host {
            name: "Rust: wasmtime",
            ready: root("target/release/defenderbeat-example"),
            command: |name| {
                let mut command = Command::new(root("target/release/defenderbeat-example"));
                command.arg("bench").arg(component(name));
                command
            },
        },
        Host {
            name: "Node.js: jco",
            ready: root("target/node/component/event.js"),
            command: |name| {
                let mut command = Command::new("node");
                command.arg(root("target/node/bench.mjs")).args(["--component", name]);
                command
            },
        },
        Host {
            name: "Go: wazero",
            ready: root("target/go/defenderbeat"),
            command: |name| {
                let mut command = Command::new(root("target/go/defenderbeat"));
                command.arg("bench").arg(root("target/components").join(format!("{name}.core.wasm")));
                command
            },
        },
        Host {
            name: "Python: wasmtime",
            ready: root("target/python/venv/installed.txt"),
            command: |name| {
                let mut command = Command::new(root("target/python/venv/bin/python"));
                command.arg("-B").arg(root("target/python/bench.py")).arg(component(name));
                command
            },
        },
    ]
}

/// What a host says of its pass.
#[derive(Clone, Copy, Debug)]
struct Pass {
    documents: u64,
    bytes: u64,
    seconds: f64,
}

fn run(host: &Host, corpus: &Corpus, file: &Path) -> Pass {
    let output = (host.command)(corpus.component).arg(corpus.feed).arg(file).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}: {said}{}", host.name, String::from_utf8_lossy(&output.stderr));
    let pass: Value = serde_json::from_str(said.trim()).unwrap();
    let count = |name: &str| pass[name].as_u64().unwrap();
    Pass { documents: count("documents"), bytes: count("bytes"), seconds: pass["seconds"].as_f64().unwrap() }
}

fn measure(corpus: &Corpus, hosts: &[Host]) {
    let folder = root("target/bench");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(corpus.name).with_extension("ndjson");
    let batches: Vec<&[u8]> = corpus.batches.iter().map(Bytes::as_ref).collect();
    fs::write(&file, batches.concat()).unwrap();
    let mut passes = vec![Vec::new(); hosts.len()];
    for _ in 0..ROUNDS {
        for (host, passes) in hosts.iter().zip(&mut passes) {
            passes.push(run(host, corpus, &file));
        }
    }
    println!("{} {}, {:.1} MB, medians of {ROUNDS} rounds", corpus.records, corpus.name, corpus.megabytes());
    println!("{:<20} {:>12} {:>14} {:>10}", "", "documents/s", "MB/s written", "of Rust");
    for (host, own) in hosts.iter().zip(&passes) {
        for pass in own {
            let same = (pass.documents, pass.bytes) == (passes[0][0].documents, passes[0][0].bytes);
            assert!(same, "{} writes {pass:?}, not {:?}", host.name, passes[0][0]);
        }
        let seconds: Vec<f64> = own.iter().map(|pass| pass.seconds).collect();
        let ratios: Vec<f64> = passes[0].iter().zip(own).map(|(rust, own)| rust.seconds / own.seconds).collect();
        let time = median(&seconds);
        println!(
            "{:<20} {:>12.0} {:>14.1} {:>10.3}",
            host.name,
            own[0].documents as f64 / time,
            own[0].bytes as f64 / time / 1e6,
            median(&ratios)
        );
    }
    println!();
}

fn main() {
    let (ready, absent): (Vec<_>, Vec<_>) = hosts().into_iter().partition(|host| host.ready.exists());
    for host in &absent {
        println!("skipped: {}, since {} is not there", host.name, host.ready.display());
    }
    if !absent.is_empty() {
        println!("`make bench` makes hosts ready whose tools are there\n");
    }
    if ready.first().is_some_and(|host| host.name == hosts()[0].name) {
        measure(&Corpus::alerts(RECORDS), &ready);
        measure(&Corpus::events(RECORDS as u64, &[]), &ready);
    }
}
