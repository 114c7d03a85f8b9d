//! Each limit, obeyed and violated.

use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use defenderbeat_runtime::{
    Code, Component, Diagnostics, Engine, Error, Level, Limits, Lookup, Options, Part, Pipeline, Setup, Tally,
    Transform,
};
use serde_json::{Value, json};

use crate::rig::{HOSTILE, MIB, Rig, batch, dawdle, mapped, short, wasm};

#[test]
fn a_call_has_a_deadline() {
    let mut rig = Rig::new(short());
    rig.obeys(&json!({"do": "work", "n": 1000}));
    let reject = rig.rejects(&json!({"do": "spin"}));
    assert_eq!(reject.code, Code::Deadline);
    assert_eq!(reject.message, "took longer than 500ms");
    rig.obeys(&json!({"do": "work", "n": 1000}));
}

#[test]
fn a_deadline_may_be_further_away_than_time_can_say() {
    let mut rig = Rig::new(Limits::default().with_deadline(Duration::MAX));
    rig.obeys(&json!({"do": "work", "n": 100_000_000}));
}

#[test]
fn calls_without_records_have_a_deadline_too() {
    let spin = json!({"do": "spin"});
    let deadline = |result: Result<_, Error>| matches!(result, Err(Error::Trap { code: Code::Deadline, .. }));
    assert!(deadline(Rig::open(&json!({"open": spin}), short()).map(|_| ())));
    let mut rig = Rig::open(&json!({"finish": spin, "learn": spin}), short()).unwrap();
    assert!(deadline(rig.finish().0.map(|_| ())));
    assert!(deadline(rig.pipeline.learn(b"fact")));
    rig.obeys(&json!({"do": "work", "n": 1000}));
}

#[test]
fn time_in_a_blocking_sink_does_not_count() {
    let mut rig = Rig::new(short());
    let large = json!({"do": "part", "n": 300_000});
    let (mut parts, mut documents) = (0, 0);
    let receipt = rig.pipeline.push(&batch("records", &[&large, &large, &large]), &mut |part: Part| {
        dawdle();
        parts += 1;
        documents += part.documents.len();
        Ok(())
    });
    assert_eq!(receipt.unwrap().rejects, []);
    assert_eq!((parts, documents), (3, 3));
    // The clock goes on afterwards.
    let batch = batch("records", &[json!({"do": "all", "of": [large, {"do": "spin"}]})]);
    let receipt = rig.pipeline.push(&batch, &mut |_: Part| {
        dawdle();
        Ok(())
    });
    assert_eq!(receipt.unwrap().rejects[0].code, Code::Deadline);
}

struct Slow;

impl Lookup for Slow {
    fn find(&self, kind: &str, key: &str) -> Option<String> {
        dawdle();
        (kind == "geo").then(|| json!({ "ip": key }).to_string())
    }
}

impl Diagnostics for Slow {
    fn report(&self, _: Level, _: &str) {
        dawdle();
    }
}

#[test]
fn time_in_a_slow_lookup_or_log_does_not_count() {
    let setup = Setup::default().with_limits(short()).with_lookup(Arc::new(Slow)).with_diagnostics(Arc::new(Slow));
    let mut pipeline = Pipeline::open(&HOSTILE, setup).unwrap();
    let commands = [
        json!({"do": "lookup", "kind": "geo", "key": "192.0.2.1"}),
        json!({"do": "lookup", "kind": "as", "key": "192.0.2.1"}),
        json!({"do": "report", "n": 2}),
    ];
    let mut lines = Vec::new();
    let receipt = pipeline.push(&batch("records", &commands), &mut |part: Part| {
        lines.extend_from_slice(&part.ndjson);
        Ok(())
    });
    assert_eq!(receipt.unwrap().tallies, [mapped(1); 3]);
    let expected = format!("{}\nnull\n{}\n", json!({"ip": "192.0.2.1"}), commands[2]);
    assert_eq!(String::from_utf8(lines).unwrap(), expected);
}

#[test]
fn memory_is_limited() {
    let mut rig = Rig::new(short());
    rig.obeys(&json!({"do": "grow", "n": 8 * MIB}));
    let reject = rig.rejects(&json!({"do": "grow", "n": 16 * MIB}));
    assert_eq!(reject.code, Code::Memory);
    assert!(reject.message.ends_with("bytes of memory were asked for, 16777216 are allowed"), "{}", reject.message);
    rig.obeys(&json!({"do": "grow", "n": 8 * MIB}));
}

#[test]
fn a_component_that_cannot_even_begin_in_its_memory_is_an_error() {
    let limits = Limits::default().with_memory(MIB / 2);
    let error = Rig::open(&json!({}), limits).err().unwrap();
    assert!(matches!(error, Error::Trap { code: Code::Memory, .. }), "{error}");
    assert!(!error.is_retryable());
}

#[test]
fn the_stack_is_limited() {
    let mut rig = Rig::new(Limits::default());
    rig.obeys(&json!({"do": "recurse", "n": 1000}));
    let reject = rig.rejects(&json!({"do": "recurse", "n": 100_000_000}));
    assert_eq!((reject.code, reject.message.as_str()), (Code::Stack, "the stack is exhausted"));
    rig.obeys(&json!({"do": "recurse", "n": 1000}));
}

#[test]
fn bytes_of_a_part_are_limited() {
    let mut rig = Rig::new(Limits::default().with_part(300_000));
    rig.obeys(&json!({"do": "part", "n": 300_000}));
    let reject = rig.rejects(&json!({"do": "part", "n": 300_001}));
    assert_eq!(reject.code, Code::Part);
    assert_eq!(reject.message, "a part has 300001 bytes, 300000 are allowed");
}

#[test]
fn the_largest_part_allowed_by_default_passes() {
    let limits = Limits::default();
    let mut rig = Rig::new(limits);
    rig.obeys(&json!({"do": "part", "n": limits.part}));
    assert_eq!(rig.rejects(&json!({"do": "part", "n": limits.part + 1})).code, Code::Part);
}

#[test]
fn documents_of_a_part_are_limited() {
    let mut rig = Rig::new(Limits::default().with_documents(10));
    rig.obeys(&json!({"do": "documents", "n": 10}));
    let reject = rig.rejects(&json!({"do": "documents", "n": 11}));
    assert_eq!(reject.code, Code::Part);
    assert_eq!(reject.message, "a part has 11 documents, 10 are allowed");
}

#[test]
fn documents_leave_in_parts_as_they_are_made() {
    let mut rig = Rig::new(Limits::default());
    let command = json!({"do": "documents", "n": 100, "pad": "x".repeat(100 << 10)});
    let (receipt, passed) = rig.push(&[&command]);
    assert_eq!(receipt.unwrap().tallies, [Tally { documents: 100, ..mapped(1) }]);
    assert_eq!(passed.lines(), vec![command.to_string(); 100]);
    // 256 KiB hold two.
    assert_eq!(passed.parts, [2; 50]);
}

#[test]
fn a_panic_is_reported_with_its_message_and_place() {
    let mut rig = Rig::new(Limits::default());
    let reject = rig.rejects(&json!({"do": "panic", "text": "the mapping of é failed"}));
    assert_eq!(reject.code, Code::Trap);
    assert!(reject.message.contains("the mapping of é failed"), "{}", reject.message);
    assert!(reject.message.contains("deeds.rs:"), "{}", reject.message);
    let said = rig.said.take();
    assert!(!said.is_empty());
    assert!(said.iter().all(|(level, message)| *level == Level::Error && message == &reject.message), "{said:?}");
    let reject = rig.rejects(&json!({"do": "trap"}));
    assert_eq!((reject.code, reject.message.contains("unreachable")), (Code::Trap, true), "{}", reject.message);
}

#[test]
fn a_panic_in_a_call_without_records_is_an_error_with_its_message() {
    let panic = json!({"do": "panic", "text": "no settings today"});
    let message = |result: Result<(), Error>| result.unwrap_err().to_string();
    let opened = message(Rig::open(&json!({"open": panic}), Limits::default()).map(|_| ()));
    let mut rig = Rig::open(&json!({"learn": panic, "finish": panic}), Limits::default()).unwrap();
    for message in [opened, message(rig.pipeline.learn(b"fact")), message(rig.finish().0.map(|_| ()))] {
        assert!(message.starts_with("the component trapped (trap): "), "{message}");
        assert!(message.contains("no settings today"), "{message}");
    }
}

#[test]
fn fuel_is_the_same_for_the_same_batch() {
    let engine = Engine::new(Options::default().with_fuel(true)).unwrap();
    let component = Component::compile(&engine, &wasm("hostile")).unwrap();
    let fuel = |payloads: &[Value]| {
        let mut pipeline = Pipeline::open(&component, Setup::default()).unwrap();
        let opened = pipeline.fuel_used();
        pipeline.push(&batch("records", payloads), &mut |_: Part| Ok(())).unwrap();
        pipeline.fuel_used() - opened
    };
    let record = json!({"do": "work", "n": 1000});
    let one = fuel(from_ref(&record));
    let trapping = [record.clone(), json!({"do": "panic", "text": "x"}), record.clone()];
    assert!(one > 0);
    assert_eq!(fuel(from_ref(&record)), one);
    assert!(fuel(&[record.clone(), record]) > one);
    assert_eq!(fuel(&trapping), fuel(&trapping), "with instances replaced");
}

#[test]
fn an_engine_without_interruption_has_no_deadline() {
    let engine = Engine::new(Options::default().with_interruption(false)).unwrap();
    let component = Component::compile(&engine, &wasm("hostile")).unwrap();
    let limits = Limits::default().with_deadline(Duration::ZERO);
    let mut pipeline = Pipeline::open(&component, Setup::default().with_limits(limits)).unwrap();
    let receipt = pipeline.push(&batch("records", &[json!({"do": "work", "n": 1000})]), &mut |_: Part| Ok(()));
    assert_eq!(receipt.unwrap().tallies, [mapped(1)]);
    assert_eq!(pipeline.fuel_used(), 0);
}
