//! What mapping costs: native, in the sandbox, in the sandbox with interruption, beside a loop that only parses and
//! prints the same JSON, and beside a mapping in VRL. What each table of events costs, what a second worker gains, and what
//! the start of a process and a sync of a large tenant's vulnerabilities take.
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

mod baseline;
mod corpus;
#[path = "../../tests/collect/discard.rs"]
mod discard;
mod median;
mod pass;
#[path = "../../tests/collect/program.rs"]
#[allow(dead_code, reason = "a helper of tests, of which the bench takes a part")]
mod program;
mod start;
mod sync;

use std::time::Instant;

use corpus::Corpus;
use defenderbeat_alert::Alert;
use defenderbeat_event::Event;
use defenderbeat_incident::Incident;
use defenderbeat_simulator::Table;
use median::median;
use pass::Pass;

const ALERTS: usize = 10_000;
const EVENTS: u64 = 50_000;
/// Records of a table in the list of tables.
const ROWS: u64 = 2_000;
/// Records that VRL maps too.
const VRL: u64 = 10_000;
const ROUNDS: usize = 5;

struct Variant {
    name: &'static str,
    pass: Pass,
    seconds: Vec<f64>,
}

impl Variant {
    fn new(name: &'static str, pass: Pass) -> Self {
        Self { name, pass, seconds: Vec::new() }
    }
}

/// Runs all variants over the corpus, in turns.
fn measure(corpus: &Corpus, variants: &mut [Variant]) {
    for round in 0..=ROUNDS {
        for variant in &mut *variants {
            let began = Instant::now();
            (variant.pass)(&corpus.batches);
            // The first round only warms up.
            if round > 0 {
                variant.seconds.push(began.elapsed().as_secs_f64());
            }
        }
    }
}

/// Seconds of one variant as parts of another's, round by round.
fn ratio(of: &Variant, to: &Variant) -> f64 {
    let ratios: Vec<f64> = to.seconds.iter().zip(&of.seconds).map(|(to, of)| to / of).collect();
    median(&ratios)
}

fn mapping(corpus: &Corpus, native: Pass) {
    let mut variants = [
        Variant::new("serde_json, parse and print", Box::new(pass::reference)),
        Variant::new("native", native),
        Variant::new("sandbox", pass::sandboxed(corpus, false)),
        Variant::new("sandbox, interruptible", pass::sandboxed(corpus, true)),
    ];
    measure(corpus, &mut variants);
    println!("{} {}, {:.1} MB, one core, medians of {ROUNDS} rounds", corpus.records, corpus.name, corpus.megabytes());
    println!(
        "{:<30} {:>10} {:>8} {:>10} {:>10} {:>13}",
        "", "records/s", "MB/s", "us/record", "of native", "of serde_json"
    );
    for variant in &variants {
        let time = median(&variant.seconds);
        println!(
            "{:<30} {:>10.0} {:>8.0} {:>10.2} {:>10.2} {:>13.2}",
            variant.name,
            corpus.records as f64 / time,
            corpus.megabytes() / time,
            time * 1e6 / corpus.records as f64,
            ratio(variant, &variants[1]),
            ratio(variant, &variants[0]),
        );
    }
    println!();
}

/// Events of processes and of the network, beside the same mapping in another language.
fn vrl() {
    let corpus = Corpus::events(VRL, &[Table::DeviceProcessEvents, Table::DeviceNetworkEvents]);
    let Some(baseline) = baseline::pass(&corpus) else { return };
    let mut variants = [
        Variant::new("serde_json, parse and print", Box::new(pass::reference)),
        Variant::new("VRL, native", baseline),
        Variant::new("sandbox, interruptible", pass::with_duplicates(&corpus)),
    ];
    measure(&corpus, &mut variants);
    println!("{VRL} events of DeviceProcessEvents and DeviceNetworkEvents, {:.1} MB", corpus.megabytes());
    println!("{:<30} {:>10} {:>8} {:>10} {:>10}", "", "records/s", "MB/s", "us/record", "of VRL");
    for variant in &variants {
        let time = median(&variant.seconds);
        println!(
            "{:<30} {:>10.0} {:>8.0} {:>10.2} {:>10.2}",
            variant.name,
            VRL as f64 / time,
            corpus.megabytes() / time,
            time * 1e6 / VRL as f64,
            ratio(variant, &variants[1]),
        );
    }
    println!();
}

fn tables() {
    println!("{ROWS} events of each table, sandbox, interruptible");
    println!("{:<30} {:>10} {:>8} {:>10} {:>13}", "", "records/s", "MB/s", "us/record", "of serde_json");
    for table in Table::ALL {
        let corpus = Corpus::events(ROWS, &[table]);
        let mut variants =
            [Variant::new("", Box::new(pass::reference)), Variant::new(table.name(), pass::sandboxed(&corpus, true))];
        measure(&corpus, &mut variants);
        let time = median(&variants[1].seconds);
        println!(
            "{:<30} {:>10.0} {:>8.0} {:>10.2} {:>13.2}",
            table.name(),
            ROWS as f64 / time,
            corpus.megabytes() / time,
            time * 1e6 / ROWS as f64,
            ratio(&variants[1], &variants[0]),
        );
    }
    println!();
}

/// What a second worker gains, beside what a second thread gains for a loop that shares nothing.
fn scaling(corpus: &Corpus) {
    let mut variants = [
        Variant::new("serde_json, one thread", Box::new(pass::reference)),
        Variant::new("serde_json, two threads", pass::twice(|| Box::new(pass::reference))),
        Variant::new("sandbox, one worker", pass::sandboxed(corpus, true)),
        Variant::new("sandbox, two workers", pass::twice(|| pass::sandboxed(corpus, true))),
    ];
    measure(corpus, &mut variants);
    let [one, two, worker, workers] = &variants;
    let (loops, own) = (ratio(two, one), ratio(workers, worker));
    println!(
        "two workers: {own:.2} times one; two threads of serde_json: {loops:.2} times one; {:.2} of it\n",
        own / loops
    );
}

fn main() {
    // `cargo bench --bench mapping -- events` measures what is named only.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let alerts = Corpus::alerts(ALERTS);
    if is_wanted("alerts") {
        mapping(&alerts, pass::native::<Alert>(&alerts));
    }
    if is_wanted("incidents") {
        let incidents = Corpus::incidents(ALERTS);
        mapping(&incidents, pass::native::<Incident>(&incidents));
    }
    if is_wanted("events") || is_wanted("scaling") {
        let events = Corpus::events(EVENTS, &[]);
        if is_wanted("events") {
            mapping(&events, pass::native::<Event>(&events));
        }
        if is_wanted("scaling") {
            scaling(&events);
        }
    }
    if is_wanted("vrl") {
        vrl();
    }
    if is_wanted("tables") {
        tables();
    }
    if is_wanted("start") {
        start::measure(&alerts);
    }
    if is_wanted("sync") {
        sync::measure();
    }
}
