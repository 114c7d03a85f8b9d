//! Workers with the hostile component, a source that gives what it is told, and a driver in place of the delivery.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use bytes::Bytes;
use defenderbeat_runtime::{Component, Engine, Options, Pipeline, Setup};
use serde_json::{Value, json};

use super::*;
use crate::facts::Facts;
use crate::mapper::Open;

/// A component that does what its records say.
pub(crate) static HOSTILE: LazyLock<Component> = LazyLock::new(|| {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/components/hostile.wasm");
    let wasm =
        std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}: run `make components`", file.display()));
    Component::compile(&Engine::new(Options::default()).unwrap(), &wasm).unwrap()
});

/// Writes down what it is told, in order.
#[derive(Default)]
struct Told {
    mapped: Mutex<Vec<(u64, Vec<Position>)>>,
    settled: Mutex<Vec<u64>>,
}

impl Source for Arc<Told> {
    type Error = std::convert::Infallible;

    async fn next(&self) -> Result<Option<Delivery>, Self::Error> {
        Ok(None)
    }
    fn fresh(&self, _: u64, _: u128, _: Position) -> bool {
        true
    }
    fn mapped(&self, sequence: u64, positions: &[Position]) {
        self.mapped.lock().unwrap().push((sequence, positions.to_vec()));
    }
    fn settled(&self, sequence: u64) -> String {
        self.settled.lock().unwrap().push(sequence);
        String::new()
    }
}

/// A process: what it keeps, and the inputs that share it.
struct Process {
    facts: Arc<Facts>,
    settings: Value,
}

/// What came of a session.
#[derive(Debug)]
struct Outcome {
    ended: Result<(), WorkerError>,
    documents: Vec<String>,
    /// Sequences of deliveries in the order in which they came to the delivery thread.
    mapped: Vec<u64>,
    /// As the source was told.
    positions: Vec<(u64, Vec<Position>)>,
    rejects: Vec<Reject>,
}

impl Outcome {
    /// What each `recall` knew, in the order of their documents.
    fn learned(&self) -> Vec<String> {
        let known = |line: &String| {
            let document: Value = serde_json::from_str(line).unwrap();
            document["learned"].as_str().map(str::to_owned)
        };
        self.documents.iter().filter_map(known).collect()
    }
}

impl Process {
    fn start(data: &Path, settings: Value) -> Self {
        Self { facts: Arc::new(Facts::load(data, "hostile")), settings }
    }

    /// Runs a session with so many workers over deliveries of the feed of facts, one record each.
    fn session(&self, workers: usize, records: &[Value]) -> Outcome {
        let told = Arc::new(Told::default());
        let run = Run::new("test".to_owned(), Arc::new([]), Arc::default(), told.clone(), 0, workers);
        let (setup, component) = (Setup::new(self.settings.to_string()), HOSTILE.clone());
        let open: Open<Pipeline> = Arc::new(move |_| Pipeline::open(&component, setup.clone()));
        let mapper = |_| Mapper::new(open.clone(), Some(self.facts.clone())).unwrap();
        let (give, deliveries) = mpsc::channel(1);
        let (events, mut received) = mpsc::channel(4);
        let mut crew = Crew::start((0..workers).map(mapper).collect(), &Arc::new(run), deliveries, &events).unwrap();
        drop(events);
        let mut records: VecDeque<Delivery> = (1..)
            .zip(records)
            .map(|(sequence, record)| {
                let payloads = vec![Bytes::from(record.to_string())];
                Delivery {
                    sequence,
                    feed: "facts",
                    received_at: 0,
                    payloads,
                    origins: Vec::new(),
                    step: None,
                    sent_since: None,
                }
            })
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (mut documents, mut mapped, mut rejects) = (Vec::new(), Vec::new(), Vec::new());
        let ended = runtime.block_on(async {
            let feed = async move {
                while let Some(delivery) = records.pop_front() {
                    if give.send(delivery).await.is_err() {
                        break;
                    }
                }
            };
            let deliver = async {
                while let Some(event) = received.recv().await {
                    match event {
                        Event::Documents(_, Documents { part, .. }) => {
                            documents.extend(part.iter().map(|(_, bytes)| String::from_utf8(bytes.to_vec()).unwrap()))
                        }
                        Event::Mapped { sequence, rejects: more, .. } => {
                            mapped.push(sequence);
                            rejects.extend(more);
                        }
                        Event::Settle(..) => panic!("nobody settles"),
                    }
                }
            };
            let end = async {
                let mut early = Ok(());
                tokio::select! {
                    () = feed => {}
                    ended = crew.ended() => early = ended,
                }
                early.and(crew.ended().await)
            };
            tokio::join!(end, deliver).0
        });
        let positions = std::mem::take(&mut *told.mapped.lock().unwrap());
        Outcome { ended, documents, mapped, positions, rejects }
    }
}

fn fact(text: impl Into<String>) -> Value {
    json!({"do": "fact", "text": text.into()})
}

fn recall() -> Value {
    json!({"do": "recall"})
}

fn facts_file(data: &Path) -> PathBuf {
    data.join("facts/hostile")
}

#[test]
fn deliveries_end_in_order_whoever_maps_them() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path(), json!({}));
    // Every third takes long; positions tell them apart.
    let record = |number: u64| {
        let work = if number.is_multiple_of(3) { 20_000_000 } else { 0 };
        json!({"do": "all", "of": [{"do": "work", "n": work}, {"do": "position", "n": number}]})
    };
    let records: Vec<Value> = (1..=60).map(record).collect();
    let outcome = process.session(4, &records);
    outcome.ended.as_ref().unwrap();
    let in_order: Vec<u64> = (1..=60).collect();
    assert_eq!(outcome.mapped, in_order);
    let positions: Vec<(u64, Vec<Position>)> = in_order.iter().map(|number| (*number, vec![*number])).collect();
    assert_eq!(outcome.positions, positions);
    // One of both commands each.
    assert_eq!(outcome.documents.len(), 2 * 60);
}

#[test]
fn a_record_that_traps_costs_itself_and_a_component_that_is_broken_ends_the_session() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path(), json!({}));
    let trap = json!({"do": "trap"});
    let outcome = process.session(2, &[json!({"a": 1}), trap, json!({"b": 1}), json!({"c": 1})]);
    outcome.ended.as_ref().unwrap();
    assert_eq!((outcome.documents.len(), outcome.rejects.len(), outcome.mapped.len()), (3, 1, 4));

    let lie = json!({"do": "lie", "about": "tally-records"});
    let mut records = vec![json!({"a": 1}), lie];
    records.extend((0..50).map(|number| json!({"number": number})));
    let outcome = process.session(3, &records);
    let error = outcome.ended.as_ref().unwrap_err();
    assert!(matches!(error, WorkerError::Mapping(_)), "{error}");
    assert!(outcome.mapped.len() < 2, "nothing behind the delivery that failed is told: {:?}", outcome.mapped);
}

#[test]
fn every_worker_learns_all_facts_in_the_order_of_the_log() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path(), json!({}));
    let letters: Vec<String> = ('a'..='z').map(String::from).collect();
    let mut records: Vec<Value> = letters.iter().map(fact).collect();
    records.extend(vec![recall(); 12]);
    let outcome = process.session(3, &records);
    outcome.ended.as_ref().unwrap();
    // Inputs of one kind share a log, also one after the other.
    let again = process.session(4, &vec![recall(); 16]);
    let learned = again.learned();
    let mut sorted: Vec<char> = learned[0].chars().collect();
    sorted.sort_unstable();
    assert_eq!(sorted, ('a'..='z').collect::<Vec<_>>(), "each fact is there once");
    assert_eq!(learned, vec![learned[0].clone(); 16], "and all have the same order");
    for known in outcome.learned() {
        assert!(learned[0].starts_with(&known), "{known} is no beginning of {}", learned[0]);
    }
}

#[test]
fn a_fact_takes_effect_after_the_delivery_that_found_it() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path(), json!({}));
    let both = json!({"do": "all", "of": [{"do": "fact", "text": "mac"}, {"do": "recall"}]});
    assert_eq!(process.session(1, &[both, recall()]).learned(), ["", "mac"]);
}

#[test]
fn a_restart_knows_what_was_saved_and_a_damaged_file_is_an_empty_start() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path(), json!({}));
    process.session(2, &[fact("a"), fact("a"), fact("a")]);
    process.facts.save();
    let learned = |workers| {
        let outcome = Process::start(data.path(), json!({})).session(workers, &vec![recall(); 4]);
        outcome.ended.as_ref().unwrap();
        outcome.learned()
    };
    assert_eq!(learned(2), ["aaa"; 4]);
    let file = facts_file(data.path());
    std::fs::write(&file, std::fs::read(&file).unwrap().split_last().unwrap().1).unwrap();
    assert_eq!(learned(2), [""; 4]);
}

#[test]
fn a_log_that_grows_is_made_compact_and_all_workers_agree() {
    let data = tempfile::tempdir().unwrap();
    // The component keeps the newest 40 bytes.
    let process = Process::start(data.path(), json!({"keep": 40}));
    let long = |number: usize| fact(format!("{}-{number:03}", "x".repeat(100_000)));
    let records: Vec<Value> = (0..60).map(long).collect();
    let outcome = process.session(2, &records);
    outcome.ended.as_ref().unwrap();
    process.facts.save();
    let saved = std::fs::read(facts_file(data.path())).unwrap().len();
    assert!(saved < 3 << 20, "6 MB of facts were found, {saved} bytes of them are kept");
    let learned = process.session(3, &vec![recall(); 9]).learned();
    assert_eq!(learned[0].len(), 40);
    assert_eq!(learned, vec![learned[0].clone(); 9]);
}

#[test]
fn facts_that_cannot_be_learned_are_forgotten_and_records_are_mapped_all_the_same() {
    let data = tempfile::tempdir().unwrap();
    let good = Process::start(data.path(), json!({}));
    good.session(1, &[fact("a")]);
    good.facts.save();
    let bad = Process::start(data.path(), json!({"learn": {"do": "panic", "text": "no such facts"}}));
    let outcome = bad.session(2, &[recall(), fact("b"), recall(), json!({"c": 1})]);
    outcome.ended.as_ref().unwrap();
    assert_eq!(outcome.documents.len(), 4);
    assert_eq!(outcome.learned(), ["", ""]);
}

#[test]
fn a_reject_says_where_its_payload_came_from() {
    let origins = [4, 5].map(|number| Origin {
        eventhub: "events".to_owned(),
        partition: "0".to_owned(),
        sequence_number: Some(number),
        offset: None,
    });
    let run = Run::new("events".into(), Arc::new([]), Arc::default(), Arc::new(Told::default()), 0, 1);
    let payloads = vec![Bytes::from_static(b"{}"), Bytes::from_static(b"nonsense")];
    let batch = Batch { feed: "events".to_owned(), received_at: 0, payloads };
    let reject = defenderbeat_runtime::Reject {
        payload: 1,
        offset: 0,
        length: 8,
        id: 7,
        code: defenderbeat_runtime::Code::Malformed,
        path: String::new(),
        message: "is not JSON".to_owned(),
    };
    let receipt = Receipt { rejects: vec![reject], ..Receipt::default() };
    let rejects = rejects(&run, 1, &batch, &origins, &receipt);
    let [reject] = rejects.as_slice() else { panic!("{rejects:?}") };
    assert_eq!((reject.origin.as_ref(), &*reject.bytes), (origins.last(), &b"nonsense"[..]));
}
