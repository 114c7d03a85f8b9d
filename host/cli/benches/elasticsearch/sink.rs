//! Into a server that only answers, the program with two workers and everything else on the same cores.

use std::process::Stdio;
use std::time::Instant;

use defenderbeat_elasticsearch::Sink;
use serde_json::json;
use tokio::runtime::Runtime;

use crate::hub::Corpus;
use crate::median::median;
use crate::program::Program;
use crate::{EVENTS, ROUNDS};

/// The corpus so many times, so that the start of the process does not count.
const TIMES: usize = 6;

pub(crate) fn measure(corpus: &Corpus) {
    let runtime = Runtime::new().unwrap();
    println!("{} events from an event hub into a server that only answers, two workers", EVENTS * TIMES as u64);
    println!("{:<30} {:>12} {:>8}", "", "documents/s", "MB/s");
    for level in [0, 1] {
        let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| round(&runtime, corpus, level)).collect();
        let documents: Vec<f64> = rounds.iter().map(|round| round.0).collect();
        let megabytes: Vec<f64> = rounds.iter().map(|round| round.1).collect();
        println!(
            "{:<30} {:>12.0} {:>8.0}",
            format!("compression_level: {level}"),
            median(&documents),
            median(&megabytes)
        );
    }
    println!();
}

/// Documents and megabytes sent in a second.
fn round(runtime: &Runtime, corpus: &Corpus, level: u32) -> (f64, f64) {
    let tenant = corpus.tenant(TIMES);
    let sink = runtime.block_on(Sink::start()).unwrap();
    let output = json!({"hosts": [sink.url()], "compression_level": level});
    let output = format!("output.elasticsearch={output}");
    let program = Program::of_events(&tenant, &["output.file=null", "inputs.0.workers=2", &output]);
    let began = Instant::now();
    let ended = program.command(&["run", "--once"]).stderr(Stdio::piped()).output().unwrap();
    let seconds = began.elapsed().as_secs_f64();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(sink.documents(), EVENTS * TIMES as u64);
    (sink.documents() as f64 / seconds, sink.bytes() as f64 / 1e6 / seconds)
}
