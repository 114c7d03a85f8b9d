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

/// How documents leave, beside the way that they would not: what reading and mapping take by themselves.
const WAYS: [(&str, Option<u32>); 3] =
    [("output.discard", None), ("compression_level: 0", Some(0)), ("compression_level: 1", Some(1))];

pub(crate) fn measure(corpus: &Corpus) {
    let runtime = Runtime::new().unwrap();
    let mut rates: [Vec<(f64, f64)>; WAYS.len()] = Default::default();
    for _ in 0..ROUNDS {
        for ((_, level), rates) in WAYS.iter().zip(&mut rates) {
            rates.push(round(&runtime, corpus, *level));
        }
    }
    println!("{} events from an event hub into a server that only answers, two workers", EVENTS * TIMES as u64);
    println!("{:<30} {:>12} {:>8} {:>12}", "", "documents/s", "MB/s", "of discarding");
    for ((way, _), measured) in WAYS.iter().zip(&rates) {
        let of = |pick: fn(&(f64, f64)) -> f64| median(&measured.iter().map(pick).collect::<Vec<f64>>());
        let ratios: Vec<f64> = measured.iter().zip(&rates[0]).map(|(this, discarding)| this.0 / discarding.0).collect();
        println!("{way:<30} {:>12.0} {:>8.0} {:>12.2}", of(|rate| rate.0), of(|rate| rate.1), median(&ratios));
    }
    println!();
}

/// Documents and megabytes sent in a second.
fn round(runtime: &Runtime, corpus: &Corpus, level: Option<u32>) -> (f64, f64) {
    let tenant = corpus.tenant(TIMES);
    let sink = runtime.block_on(Sink::start()).unwrap();
    let output = match level {
        Some(level) => {
            format!("output.elasticsearch={}", json!({"hosts": [sink.url()], "compression_level": level}))
        }
        None => "output.discard={}".to_owned(),
    };
    let program = Program::of_events(&tenant, &["output.file=null", "inputs.0.workers=2", &output]);
    let began = Instant::now();
    let ended = program.command(&["run", "--once"]).stderr(Stdio::piped()).output().unwrap();
    let seconds = began.elapsed().as_secs_f64();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let documents = EVENTS * TIMES as u64;
    assert_eq!(sink.documents(), if level.is_some() { documents } else { 0 });
    (documents as f64 / seconds, sink.bytes() as f64 / 1e6 / seconds)
}
