//! What is kept between pushes: syncs, facts, and instances that are replaced.

use defenderbeat_runtime::{Code, Error, Level, Limits, Part, Tally, Transform};
use serde_json::{Value, json};

use crate::rig::{MIB, Passed, Rig, batch, mapped, short};

fn hold(number: usize) -> Value {
    json!({"do": "hold", "number": number})
}

#[test]
fn a_sync_holds_records_until_it_is_finished() {
    // Neither calls nor memory replace the instance meanwhile.
    let mut rig = Rig::new(short().with_calls(1));
    for number in 0..3 {
        let (receipt, passed) = rig.push_to("sync", &[hold(number), json!({"do": "leak", "n": 3 * MIB})]);
        let held = Tally { records: 1, held: 1, ..Tally::default() };
        assert_eq!((receipt.unwrap().tallies, passed.documents.len()), (vec![held, mapped(1)], 1));
    }
    let (receipt, passed) = rig.finish();
    assert_eq!(receipt.unwrap().tallies, [Tally { documents: 3, ..Tally::default() }]);
    assert_eq!(passed.lines(), [hold(0), hold(1), hold(2)].map(|record| record.to_string()));
    // And nothing of it remains.
    assert!(rig.finish().1.documents.is_empty());
}

#[test]
fn a_trap_ends_a_sync_with_an_error() {
    let mut rig = Rig::new(short());
    rig.push_to("sync", &[hold(0), hold(1)]).0.unwrap();
    let (receipt, _) = rig.push_to("sync", &[hold(2), json!({"do": "crowd", "n": 3}), json!({"a": 1})]);
    let error = receipt.unwrap_err();
    assert!(matches!(error, Error::Trap { code: Code::Trap, .. }), "{error}");
    assert!(!error.is_retryable());
    // The next sync begins in a new instance.
    rig.push_to("sync", &[hold(7)]).0.unwrap();
    assert_eq!(rig.finish().1.lines(), [hold(7).to_string()]);
}

#[test]
fn while_a_sync_is_open_a_trap_of_another_feed_ends_it() {
    let mut rig = Rig::new(short().with_calls(2));
    rig.push_to("sync", &[hold(0)]).0.unwrap();
    for _ in 0..3 {
        rig.obeys(&json!({"a": 1}));
    }
    assert!(matches!(rig.push(&[json!({"do": "trap"})]).0, Err(Error::Trap { .. })));
    // Now none is open.
    rig.rejects(&json!({"do": "trap"}));
    assert!(rig.finish().1.documents.is_empty());
}

#[test]
fn a_sink_that_refuses_ends_a_push_and_the_push_can_be_tried_again() {
    let mut rig = Rig::new(short());
    let large = |number: u32| json!({"do": "part", "n": 300_000, "number": number});
    // The culprit is behind, so that the second part is refused in the first run; or before, so that it is in a later one.
    let trap = json!({"do": "trap"});
    for payloads in [[large(0), large(1), large(2), trap.clone()], [trap.clone(), large(0), large(1), large(2)]] {
        let mut parts = 0;
        let error = rig.pipeline.push(&batch("records", &payloads), &mut |_: Part| {
            parts += 1;
            if parts == 2 { Err("the disk is full".into()) } else { Ok(()) }
        });
        let error = error.unwrap_err();
        assert!(matches!(error, Error::Sink(_)), "{error}");
        assert_eq!(error.to_string(), "passing documents on: the disk is full");
        assert!(error.is_retryable());
        assert_eq!(parts, 2, "nothing is passed on after a refusal");
        let (receipt, passed) = rig.push(&payloads);
        assert_eq!(receipt.unwrap().rejects.len(), 1);
        assert_eq!(passed.documents.len(), 3);
    }
}

#[test]
fn a_sink_that_refuses_ends_a_sync() {
    let mut rig = Rig::new(short());
    rig.push_to("sync", &[hold(0)]).0.unwrap();
    let refused = rig.pipeline.finish(&mut |_: Part| Err("no".into()));
    assert!(refused.unwrap_err().is_retryable());
    assert!(rig.finish().1.documents.is_empty());
}

#[test]
fn a_sink_may_run_another_pipeline() {
    let (mut outer, mut inner) = (Rig::new(short()), Rig::new(short()));
    let mut passed = Passed::default();
    let receipt = outer.pipeline.push(&batch("records", &[json!({"a": 1}), json!({"b": 1})]), &mut |part: Part| {
        let lines = String::from_utf8(part.ndjson.to_vec())?;
        let (receipt, inside) = inner.push(&[lines]);
        receipt?;
        passed.documents.extend(inside.documents);
        passed.take(&part);
        Ok(())
    });
    assert_eq!(receipt.unwrap().tallies, [mapped(1); 2]);
    assert_eq!(passed.lines(), [r#"{"a":1}"#, r#"{"b":1}"#, r#"{"a":1}"#, r#"{"b":1}"#]);
}

fn recalled(rig: &mut Rig) -> String {
    let (receipt, passed) = rig.push_to("facts", &[json!({"do": "recall"})]);
    receipt.unwrap();
    let document: Value = serde_json::from_str(passed.lines()[0]).unwrap();
    document["learned"].as_str().unwrap().to_owned()
}

#[test]
fn facts_take_effect_when_they_are_learned() {
    let mut rig = Rig::new(short());
    let (receipt, _) =
        rig.push_to("facts", &[json!({"do": "fact", "text": "one"}), json!({"do": "fact", "text": "two"})]);
    let facts = receipt.unwrap().facts;
    assert_eq!(facts, b"onetwo");
    assert_eq!(recalled(&mut rig), "");
    rig.pipeline.learn(&facts).unwrap();
    assert_eq!(recalled(&mut rig), "onetwo");
    assert_eq!(rig.pipeline.facts().unwrap(), b"onetwo");
}

#[test]
fn a_new_instance_learns_what_the_old_one_knew() {
    let mut rig = Rig::new(short().with_calls(4));
    rig.pipeline.learn(b"one").unwrap();
    rig.pipeline.learn(b"two").unwrap();
    // After a trap, also within the search.
    let commands = [json!({"do": "trap"}), json!({"do": "recall"}), json!({"do": "trap"}), json!({"do": "recall"})];
    let (receipt, passed) = rig.push_to("facts", &commands);
    assert_eq!(receipt.unwrap().rejects.len(), 2);
    assert_eq!(passed.lines(), [r#"{"learned":"onetwo"}"#; 2]);
    // And after its calls are used up.
    for _ in 0..10 {
        assert_eq!(recalled(&mut rig), "onetwo");
    }
    rig.pipeline.finish(&mut |_: Part| Ok(())).unwrap();
    assert_eq!(recalled(&mut rig), "onetwo");
}

#[test]
fn the_log_of_facts_is_compacted() {
    // All that was learned at once would not fit.
    let mut rig = Rig::open(&json!({"keep": 6}), short()).unwrap();
    let mut facts = vec![b'x'; MIB];
    for number in 0..64 {
        facts.truncate(MIB - 6);
        facts.extend_from_slice(format!("{number:06}").as_bytes());
        rig.pipeline.learn(&facts).unwrap();
    }
    rig.rejects(&json!({"do": "trap"}));
    assert_eq!(recalled(&mut rig), "000063");
    assert!(rig.said.take().iter().all(|(level, _)| *level != Level::Warn));
}

#[test]
fn facts_that_cannot_be_learned_again_are_forgotten() {
    // One by one they fit.
    let mut rig = Rig::open(&json!({"keep": 4}), Limits::default().with_memory(2 * MIB)).unwrap();
    for _ in 0..60 {
        rig.pipeline.learn(&[b'x'; 16 << 10]).unwrap();
    }
    assert_eq!(recalled(&mut rig), "xxxx");
    rig.push_to("facts", &[json!({"do": "trap"})]).0.unwrap();
    assert_eq!(recalled(&mut rig), "");
    let said = rig.said.take();
    let [(Level::Warn, message)] = said.as_slice() else { panic!("{said:?}") };
    assert!(message.starts_with("983040 bytes of facts could not be learned again and were forgotten"), "{message}");
    rig.pipeline.learn(b"new").unwrap();
    assert_eq!(recalled(&mut rig), "new");
}

#[test]
fn facts_that_trap_are_not_learned() {
    let mut rig = Rig::open(&json!({"learn": {"do": "panic", "text": "bad facts"}}), short()).unwrap();
    assert!(matches!(rig.pipeline.learn(b"fact"), Err(Error::Trap { .. })));
    assert_eq!(recalled(&mut rig), "");
    rig.pipeline.learn(b"").unwrap();
    assert_eq!(rig.pipeline.facts().unwrap(), b"");
}

/// Whether an instance outlives the push of a command: then it knows what was held.
fn outlives(command: &Value, limits: Limits) -> bool {
    let mut rig = Rig::new(limits);
    let (receipt, _) = rig.push(&[hold(0), command.clone()]);
    assert_eq!(receipt.unwrap().rejects, []);
    !rig.finish().1.documents.is_empty()
}

#[test]
fn an_instance_is_replaced_after_its_calls() {
    assert!(outlives(&json!({"a": 1}), short().with_calls(2)));
    assert!(!outlives(&json!({"a": 1}), short().with_calls(1)));
}

#[test]
fn an_instance_is_replaced_when_it_has_grown_beyond_half_its_memory() {
    assert!(outlives(&json!({"do": "grow", "n": 4 * MIB}), short()));
    assert!(!outlives(&json!({"do": "grow", "n": 9 * MIB}), short()));
    // One that was as large from the beginning would gain nothing.
    assert!(outlives(&json!({"a": 1}), short().with_memory(2 * MIB)));
}
