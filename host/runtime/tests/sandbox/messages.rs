//! What guests say to the operator: capped, counted, cut.

use defenderbeat_runtime::{Level, Limits};
use serde_json::{Value, json};

use crate::rig::Rig;

fn limits() -> Limits {
    Limits::default().with_messages(5).with_message(100)
}

#[test]
fn messages_reach_the_operator() {
    let mut rig = Rig::new(limits());
    rig.obeys(&json!({"do": "report", "n": 5, "length": 100}));
    assert_eq!(rig.said.take(), vec![(Level::Info, "x".repeat(100)); 5]);
}

#[test]
fn a_flood_is_capped_and_counted_when_the_call_ends() {
    let mut rig = Rig::new(limits());
    for _ in 0..2 {
        rig.obeys(&json!({"do": "report", "n": 1_000}));
        let said = rig.said.take();
        assert_eq!(said.len(), 6);
        assert_eq!(said[5], (Level::Warn, "995 more messages of one call were left out".to_owned()));
    }
}

#[test]
fn a_flood_is_counted_also_when_the_call_traps() {
    let mut rig = Rig::new(limits());
    let command = json!({"do": "all", "of": [{"do": "report", "n": 100}, {"do": "panic", "text": "last words"}]});
    let (receipt, _) = rig.push(&[command]);
    let said = rig.said.take();
    assert_eq!(said[5], (Level::Warn, "96 more messages of one call were left out".to_owned()));
    // The panic was one of those, and yet is known from the reject.
    assert!(receipt.unwrap().rejects[0].message.contains("last words"));
}

#[test]
fn long_messages_are_cut_between_characters() {
    let mut rig = Rig::new(limits());
    rig.obeys(&json!({"do": "report", "n": 1, "length": 101}));
    assert_eq!(rig.said.take(), [(Level::Info, "x".repeat(100))]);
    for pad in ["", "x"] {
        let reject = rig.rejects(&json!({"do": "panic", "text": format!("{pad}{}", "é".repeat(100))}));
        assert!((99..=100).contains(&reject.message.len()), "{}", reject.message);
        assert!(reject.message.ends_with('é'), "{}", reject.message);
    }
}

#[test]
fn names_in_drift_are_cut_and_counted() {
    let mut rig = Rig::new(limits());
    let (receipt, _) = rig.push(&[json!({"do": "drift", "n": 2, "length": 200}), json!({"do": "drift", "n": 3})]);
    let drift: Vec<_> = receipt.unwrap().drift.into_iter().map(|drift| (drift.name, drift.count)).collect();
    let expected = [("0", 1), ("0000", 2), ("1", 1), ("2", 1)];
    let expected =
        expected.map(|(name, count)| (if name == "0000" { "0".repeat(100) } else { name.to_owned() }, count));
    assert_eq!(drift, expected);
}

#[test]
fn only_what_was_said_last_explains_a_trap() {
    let mut rig = Rig::new(limits());
    let error = json!({"do": "report", "n": 1, "length": 9, "error": true});
    let message = |rig: &mut Rig, between: Value| {
        let command = json!({"do": "all", "of": [error, between, {"do": "trap"}]});
        rig.push(&[command]).0.unwrap().rejects.remove(0).message
    };
    assert_eq!(message(&mut rig, json!({"do": "work", "n": 1})), "x".repeat(9));
    for between in [
        json!({"do": "report", "n": 1}),
        json!({"do": "lookup", "kind": "geo", "key": "k"}),
        json!({"do": "part", "n": 300_000}),
    ] {
        let message = message(&mut rig, between);
        assert!(message.contains("unreachable"), "{message}");
    }
    // Nor does what was said in another call.
    rig.obeys(&error);
    assert!(rig.rejects(&json!({"do": "trap"})).message.contains("unreachable"));
}
