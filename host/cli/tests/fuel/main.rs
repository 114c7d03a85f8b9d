//! Instructions that mapping a record takes, counted by the sandbox: a figure that is the same on every machine, so a
//! change that makes the mapping slower or faster shows. Figures are kept for each compiler that builds guests; for a
//! compiler without one the test says so and checks only that counting is repeatable.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too, and says what it skips"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

mod findings;

use defenderbeat_runtime::{Batch, Bytes, Component, Engine, Options, Part, Pipeline, Setup, SinkError, Transform};
use defenderbeat_simulator::{AlertOptions, EventOptions, alerts, events, incidents};

/// Alerts or events of a case.
const COUNT: usize = 500;
/// How far a figure may move before it has to be recorded anew: 2 %.
const TOLERANCE: f64 = 0.02;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Records of a feed.
type Fed = (&'static str, Vec<Vec<u8>>);

/// What is measured: a component, its feed and records for it; and records that it is given before.
struct Case {
    name: &'static str,
    component: &'static str,
    feed: &'static str,
    records: fn() -> Vec<Vec<u8>>,
    before: fn() -> Vec<Fed>,
}

const CASES: [Case; 5] = [
    Case::new("alert", "alert", "alerts", || alerts(&of_alerts()).unwrap().collect()),
    Case::new("event", "event", "events", || events(&of_events()).map(String::into_bytes).collect()),
    Case::new("incident", "incident", "incidents", || incidents(&of_alerts()).unwrap().collect()),
    Case::new("vulnerability", "vulnerability", "records", findings::correlated),
    Case {
        before: || vec![("machines", findings::machines()), ("vulnerabilities", findings::vulnerabilities())],
        ..Case::new("vulnerability, joined", "vulnerability", "products", findings::products)
    },
];

impl Case {
    const fn new(
        name: &'static str,
        component: &'static str,
        feed: &'static str,
        records: fn() -> Vec<Vec<u8>>,
    ) -> Self {
        Self { name, component, feed, records, before: Vec::new }
    }
}

fn of_alerts() -> AlertOptions {
    AlertOptions { count: COUNT, now: Some(chrono::DateTime::UNIX_EPOCH), ..AlertOptions::default() }
}

fn of_events() -> EventOptions {
    EventOptions { count: Some(COUNT as u64), ..EventOptions::default() }
}

/// Fuel of one document of the simulator's records, in the mean.
fn fuel(case: &Case) -> u64 {
    let engine = Engine::new(Options::default().with_interruption(false).with_fuel(true)).unwrap();
    let wasm =
        std::fs::read(root(&format!("target/components/{}.wasm", case.component))).expect("run `make components`");
    let component = Component::compile(&engine, &wasm).unwrap();
    let mut pipeline = Pipeline::open(&component, Setup::default()).unwrap();
    let batch = |feed: &str, records: Vec<Vec<u8>>| Batch {
        feed: feed.to_owned(),
        received_at: 0,
        payloads: vec![Bytes::from(records.join(&b'\n'))],
    };
    for (feed, records) in (case.before)() {
        pipeline.push(&batch(feed, records), &mut |_: Part| -> Result<(), SinkError> { Ok(()) }).unwrap();
    }
    let batch = batch(case.feed, (case.records)());
    let before = pipeline.fuel_used();
    let mut documents = 0;
    let mut sink = |part: Part| -> Result<(), SinkError> {
        documents += part.documents.len();
        Ok(())
    };
    pipeline.push(&batch, &mut sink).unwrap();
    assert_eq!(documents, COUNT);
    (pipeline.fuel_used() - before) / COUNT as u64
}

#[test]
fn mapping_takes_the_fuel_it_took_when_that_was_recorded() {
    let figures: BTreeMap<&str, u64> = CASES.iter().map(|case| (case.name, fuel(case))).collect();
    for case in &CASES {
        assert_eq!(figures[case.name], fuel(case), "fuel is counted, not measured");
    }
    let compiler = std::fs::read_to_string(root("target/components/compiler")).expect("run `make components`");
    let compiler = compiler.trim();
    let file = root("testdata/fuel.json");
    let mut recorded: BTreeMap<String, BTreeMap<String, u64>> =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    if std::env::var_os("BLESS").is_some() {
        let figures = figures.into_iter().map(|(name, fuel)| (name.to_owned(), fuel));
        recorded.entry(compiler.to_owned()).or_default().extend(figures);
        std::fs::write(&file, serde_json::to_string_pretty(&recorded).unwrap() + "\n").unwrap();
        return;
    }
    for (name, now) in figures {
        let Some(figure) = recorded.get(compiler).and_then(|figures| figures.get(name)) else {
            println!("skipped: testdata/fuel.json has no figure for {name} and {compiler}; it takes {now} here");
            continue;
        };
        let change = now as f64 / *figure as f64 - 1.0;
        assert!(
            change.abs() <= TOLERANCE,
            "a document of {name} takes {now} fuel, {:+.1} % of the {figure} recorded for {compiler}; if that is meant: \
             make bless",
            change * 100.0
        );
    }
}
