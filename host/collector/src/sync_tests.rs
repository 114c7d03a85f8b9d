//! Syncs with the hostile component, which says when it was opened for one.

use std::sync::{Arc, Mutex};

use defenderbeat_runtime::{Limits, Part, Pipeline, Setup};
use serde_json::{Value, json};

use super::*;
use crate::mapper::Open;
use crate::worker::tests::HOSTILE;

/// A worker without its thread.
struct Worker {
    mapper: Mapper<Pipeline>,
    syncs: Syncs,
    metrics: Metrics,
    /// The starts with which the component was opened.
    opened: Arc<Mutex<Vec<Option<i64>>>>,
    documents: Vec<String>,
}

impl Worker {
    fn new(settings: &Value, limits: Limits) -> Self {
        let setup = Setup::new(settings.to_string()).with_limits(limits);
        let opened = Arc::new(Mutex::new(Vec::new()));
        let told = opened.clone();
        let open: Open<Pipeline> = Arc::new(move |start| {
            told.lock().unwrap().push(start);
            Pipeline::open(&HOSTILE, setup.clone())
        });
        let mapper = Mapper::new(open, None).unwrap();
        Self { mapper, syncs: Syncs::default(), metrics: Metrics::default(), opened, documents: Vec::new() }
    }

    /// Takes a delivery; gives its receipt, and what keeps the sync from going on.
    fn take(&mut self, step: Option<Step>, records: &[Value]) -> (Receipt, Option<Trapped>) {
        let payloads = records.iter().map(|record| Bytes::from(record.to_string())).collect();
        let payloads = self.syncs.begin(&mut self.mapper, step, payloads, &self.metrics).unwrap();
        let batch = Batch { feed: "sync".to_owned(), received_at: 0, payloads };
        let documents = &mut self.documents;
        let mut sink = |part: Part| {
            documents.extend(part.iter().map(|(_, bytes)| String::from_utf8(bytes.to_vec()).unwrap()));
            Ok(())
        };
        let (receipt, mut trapped) = if batch.payloads.is_empty() {
            (Receipt::default(), None)
        } else {
            self.syncs.push(&mut self.mapper, &batch, &mut sink).unwrap()
        };
        if trapped.is_none() {
            trapped = self.syncs.end(&mut self.mapper, step, "test", &self.metrics, &mut sink).unwrap();
        }
        (receipt, trapped)
    }

    /// Documents that have left since this was asked last, without their line feeds.
    fn left(&mut self) -> Vec<String> {
        std::mem::take(&mut self.documents).iter().map(|line| line.trim_end().to_owned()).collect()
    }
}

fn hold(number: usize) -> Value {
    json!({"do": "hold", "number": number})
}

#[test]
fn what_is_held_leaves_when_the_sync_ends_and_the_component_is_opened_for_each() {
    let mut worker = Worker::new(&json!({}), Limits::default());
    for start in [7, 8] {
        worker.take(Some(Step::Begin(start)), &[]);
        worker.take(None, &[hold(1), hold(2)]);
        assert!(worker.left().is_empty());
        let (_, trapped) = worker.take(Some(Step::End), &[hold(3)]);
        assert_eq!(trapped, None);
        assert_eq!(worker.left(), [hold(1), hold(2), hold(3)].map(|record| record.to_string()));
    }
    assert_eq!(*worker.opened.lock().unwrap(), [None, Some(7), None, Some(8), None]);
    assert_eq!(worker.metrics.syncs.get(), 2);
    let SyncEnd { start, records, documents, unmatched, .. } = worker.metrics.last_sync().unwrap();
    assert_eq!((start, records, documents, unmatched), (8, 3, 3, 0));
}

#[test]
fn a_sync_that_is_given_up_leaves_nothing_behind() {
    let mut worker = Worker::new(&json!({}), Limits::default());
    worker.take(Some(Step::Begin(7)), &[]);
    worker.take(None, &[hold(1)]);
    worker.take(Some(Step::GiveUp), &[json!({"a": 1})]);
    assert_eq!(worker.left(), [r#"{"a":1}"#]);
    worker.take(Some(Step::Begin(8)), &[]);
    worker.take(Some(Step::End), &[hold(2)]);
    assert_eq!(worker.left(), [hold(2).to_string()]);
    assert_eq!(worker.metrics.syncs.get(), 1);
}

#[test]
fn records_that_trap_alone_are_rejected_and_left_out_when_the_sync_begins_again() {
    let mut worker = Worker::new(&json!({}), Limits::default());
    let (trap, panic) = (json!({"do": "trap"}), json!({"do": "panic", "text": "no such machine"}));
    let batch = [hold(2), trap.clone(), hold(3), panic.clone()];
    worker.take(Some(Step::Begin(7)), &[]);
    worker.take(None, &[hold(1)]);
    let (receipt, trapped) = worker.take(None, &batch);
    assert_eq!(trapped, Some(Trapped::Records(2)));
    let rejects: Vec<_> = receipt.rejects.iter().map(|reject| (reject.payload, reject.id, reject.code)).collect();
    let id = |record: &Value| xxh3_128(record.to_string().as_bytes());
    assert_eq!(rejects, [(1, id(&trap), Code::Trap), (3, id(&panic), Code::Trap)]);
    assert!(receipt.rejects[1].message.contains("no such machine"), "{:?}", receipt.rejects[1]);
    // What was on its way belongs to the attempt that is over.
    assert_eq!(worker.take(None, &[hold(4), json!({"a": 1})]), (Receipt::default(), None));
    assert_eq!(worker.take(Some(Step::End), &[]), (Receipt::default(), None));
    assert!(worker.left().is_empty());

    worker.take(Some(Step::Begin(7)), &[]);
    worker.take(None, &[hold(1)]);
    let (receipt, trapped) = worker.take(None, &batch);
    assert_eq!((receipt.rejects.len(), trapped), (0, None), "they were set aside once");
    worker.take(Some(Step::End), &[hold(4)]);
    assert_eq!(worker.left(), [hold(1), hold(2), hold(3), hold(4)].map(|record| record.to_string()));
    assert_eq!((worker.metrics.records.get(), worker.metrics.rejected.get()), (2, 2), "of those left out");
}

#[test]
fn a_trap_that_no_single_record_repeats_is_the_syncs_own() {
    let mut worker = Worker::new(&json!({}), Limits::default());
    worker.take(Some(Step::Begin(7)), &[]);
    worker.take(None, &[hold(1)]);
    let (receipt, trapped) = worker.take(None, &[hold(2), json!({"do": "crowd", "n": 2})]);
    assert!(receipt.rejects.is_empty());
    assert!(matches!(trapped, Some(Trapped::Whole(_))), "{trapped:?}");
    worker.take(Some(Step::Begin(8)), &[]);
    worker.take(Some(Step::End), &[hold(3)]);
    assert_eq!(worker.left(), [hold(3).to_string()]);
}

#[test]
fn too_little_memory_names_the_option_and_the_next_sync_is_clean() {
    let limits = Limits::default().with_memory(4 << 20);
    let mut worker = Worker::new(&json!({}), limits);
    let part = || json!({"do": "all", "of": [{"do": "leak", "n": 1 << 20}, {"do": "hold"}]});
    worker.take(Some(Step::Begin(7)), &[]);
    let trapped = (0..4).find_map(|_| worker.take(None, &[part()]).1);
    let Some(Trapped::Whole(message)) = trapped else { panic!("{trapped:?}") };
    assert!(message.contains("4194304 are allowed") && message.contains("raise memory_limit"), "{message}");
    worker.left();
    worker.take(Some(Step::Begin(8)), &[]);
    assert_eq!(worker.take(None, &[part()]).1, None);
    assert_eq!(worker.take(Some(Step::End), &[]).1, None);
    assert_eq!(worker.left().last(), Some(&part().to_string()));
}

#[test]
fn a_component_that_traps_on_many_records_is_broken() {
    let mut worker = Worker::new(&json!({}), Limits::default());
    worker.take(Some(Step::Begin(7)), &[]);
    let (receipt, trapped) = worker.take(None, &vec![json!({"do": "trap"}); 100]);
    let Some(Trapped::Whole(message)) = trapped else { panic!("{trapped:?}") };
    assert!(receipt.rejects.is_empty());
    assert!(message.contains("more than 16 records"), "{message}");
}

#[test]
fn a_trap_at_the_end_is_the_syncs_own() {
    let mut worker = Worker::new(&json!({"finish": {"do": "trap"}}), Limits::default());
    worker.take(Some(Step::Begin(7)), &[]);
    let (_, trapped) = worker.take(Some(Step::End), &[hold(1)]);
    assert!(matches!(trapped, Some(Trapped::Whole(_))), "{trapped:?}");
    assert_eq!(worker.metrics.syncs.get(), 0);
}
