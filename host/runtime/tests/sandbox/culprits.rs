//! The record that traps is found, alone becomes a reject, and nothing else is lost or doubled.

use defenderbeat_runtime::{Code, Error, Receipt, Tally};
use serde_json::{Value, json};

use crate::rig::{MIB, Passed, Rig, bytes_of, codes, mapped, short};

fn records(count: usize) -> Vec<Value> {
    (0..count).map(|number| json!({ "number": number })).collect()
}

/// What a batch passes without its culprits.
fn without(payloads: &[Value], culprits: &[usize]) -> Vec<(u32, String)> {
    let others = payloads.iter().zip(0..).filter(|(_, number)| !culprits.contains(&(*number as usize)));
    others.map(|(payload, number)| (number, payload.to_string())).collect()
}

#[test]
fn each_kind_of_culprit_is_found_at_each_place() {
    let mut rig = Rig::new(short());
    for (culprit, code) in [
        (json!({"do": "trap"}), Code::Trap),
        (json!({"do": "panic", "text": "here"}), Code::Trap),
        (json!({"do": "grow", "n": 64 * MIB}), Code::Memory),
        (json!({"do": "recurse", "n": 100_000_000}), Code::Stack),
    ] {
        for place in 0..9 {
            let mut payloads = records(9);
            payloads[place] = culprit.clone();
            let (receipt, passed) = rig.push(&payloads);
            let receipt = receipt.unwrap();
            assert_eq!(passed.documents, without(&payloads, &[place]), "{culprit}");
            let [reject] = receipt.rejects.as_slice() else { panic!("{:?}", receipt.rejects) };
            assert_eq!((reject.code, reject.payload as usize), (code, place), "{culprit}");
            assert_eq!(bytes_of(reject, &culprit.to_string()), culprit.to_string());
            assert_eq!(receipt.tallies.iter().filter(|tally| **tally == mapped(1)).count(), 8);
            assert_eq!(receipt.tallies[place], Tally { records: 1, rejected: 1, ..Tally::default() });
        }
    }
}

#[test]
fn several_culprits_are_found() {
    let mut rig = Rig::new(short());
    let mut payloads = records(40);
    let spin = json!({"do": "spin"});
    let panic = |text: &str| json!({"do": "panic", "text": text});
    for (place, culprit) in [(0, panic("a")), (1, panic("b")), (20, spin), (21, panic("c")), (39, panic("d"))] {
        payloads[place] = culprit;
    }
    let (receipt, passed) = rig.push(&payloads);
    let receipt = receipt.unwrap();
    assert_eq!(passed.documents, without(&payloads, &[0, 1, 20, 21, 39]));
    let places: Vec<_> = receipt.rejects.iter().map(|reject| reject.payload).collect();
    assert_eq!(places, [0, 1, 20, 21, 39]);
    assert_eq!(codes(&receipt), [Code::Trap, Code::Trap, Code::Deadline, Code::Trap, Code::Trap]);
    for (reject, text) in receipt.rejects.iter().zip(["a", "b", "took longer", "c", "d"]) {
        assert!(reject.message.contains(text), "{}", reject.message);
    }
}

#[test]
fn where_a_payload_is_one_record_it_is_the_culprit() {
    let mut rig = Rig::new(short());
    let (list, culprit) = ("[{\"a\": 1}, {\"b\": 2}]", "  {\"do\": \"trap\"}  ");
    let (receipt, passed) = rig.push_to("whole", &[list, culprit, list]);
    let receipt = receipt.unwrap();
    assert_eq!(passed.documents, [(0, list.to_owned()), (2, list.to_owned())]);
    assert_eq!(receipt.tallies, [mapped(1), Tally { records: 1, rejected: 1, ..Tally::default() }, mapped(1)]);
    assert_eq!(bytes_of(&receipt.rejects[0], culprit), culprit);
}

#[test]
fn a_culprit_within_a_payload_is_found() {
    let mut rig = Rig::new(short());
    let culprit = json!({"do": "panic", "text": "inside"}).to_string();
    let (first, last) = (json!({"a": 1}).to_string(), json!({"b": [1, 2]}).to_string());
    for payload in [
        format!("{first}\n{culprit}\n{last}\n"),
        format!("\u{feff}{first}\r\n{culprit}\r\n\r\n{last}"),
        format!("[{first}, {culprit},\n {last}]"),
        format!("{{\"@odata.context\":\"x\", \"value\": [{first},{culprit},{last}], \"@odata.nextLink\":\"y\"}}"),
    ] {
        let around = json!({"around": true}).to_string();
        let (receipt, passed) = rig.push(&[&around, &payload, &around]);
        let receipt = receipt.unwrap();
        let expected =
            [(0, &around), (1, &first), (1, &last), (2, &around)].map(|(number, line)| (number, line.clone()));
        assert_eq!(passed.documents, expected, "{payload}");
        let inside = Tally { records: 3, mapped: 2, rejected: 1, documents: 2, ..Tally::default() };
        assert_eq!(receipt.tallies, [mapped(1), inside, mapped(1)], "{payload}");
        let [reject] = receipt.rejects.as_slice() else { panic!("{:?}", receipt.rejects) };
        assert_eq!((reject.payload, bytes_of(reject, &payload)), (1, culprit.as_str()));
        assert!(reject.message.contains("inside"));
    }
}

#[test]
fn the_same_bytes_have_the_same_id_wherever_they_lie() {
    let mut rig = Rig::new(short());
    let culprit = json!({"do": "trap"}).to_string();
    let other = json!({"do": "trap", "other": 1}).to_string();
    let (receipt, _) = rig.push(&[culprit.clone(), format!("{{}}\n{culprit}\n"), format!("[{other}]")]);
    let ids: Vec<_> = receipt.unwrap().rejects.iter().map(|reject| reject.id).collect();
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
    // And the guest's own rejects are counted the same way.
    let honest = json!({"do": "reject"}).to_string();
    let alone = rig.push(&[&honest]).0.unwrap().rejects;
    let together = rig.push(&[format!("[{culprit},{honest}]")]).0.unwrap().rejects;
    assert_eq!((together[1].id, together[1].path.as_str()), (alone[0].id, "$.do"));
    assert_eq!(together[1].length as usize, honest.len());
}

/// Pushes a payload once with a culprit and once with an honest reject of the same length in its place.
fn trap_and_reject(payload: &str) -> [(Receipt, Passed); 2] {
    [r#"{"do":"trap"  }"#, r#"{"do":"reject"}"#].map(|record| {
        let (receipt, passed) = Rig::new(short()).push(&[payload.replace("CULPRIT", record)]);
        (receipt.unwrap(), passed)
    })
}

#[test]
fn what_surrounds_a_culprit_is_cut_as_the_guest_cuts_it() {
    for payload in [
        // Members that look like an envelope's.
        r#"{"value":[{"value":[{"a":1},{"a":2}]},CULPRIT,{"value":[]}]}"#,
        // A page that was cut, and one with too much behind it.
        r#"{"value":[{"a":1},CULPRIT,{"b":1}"#,
        r#"{"value":[{"a":1},CULPRIT]]}{"b":2}"#,
        // Garbage before, between and behind.
        "garbage\n{\"a\":1}\nCULPRIT\nmore garbage\n{\"b\":",
        "[{\"a\":1 \"b\":{\n\"c\":2}\n},CULPRIT,{\"d\":\n{\"e\":1}\n}]",
        "{\"a\":1\n{\"b\":2}\nCULPRIT\n",
        "[1, CULPRIT, null, {\"a\":1}, \"text\"]",
        "CULPRIT",
        "  CULPRIT  garbage",
    ] {
        let [(trapped, passed), (rejected, expected)] = trap_and_reject(payload);
        assert_eq!(trapped.tallies, rejected.tallies, "{payload}");
        assert_eq!(passed.documents, expected.documents, "{payload}");
        let places = |receipt: &Receipt| -> Vec<_> {
            receipt.rejects.iter().map(|reject| (reject.payload, reject.offset, reject.length)).collect()
        };
        assert_eq!(places(&trapped), places(&rejected), "{payload}");
        for (one, other) in trapped.rejects.iter().zip(&rejected.rejects) {
            assert!(one.code == Code::Trap || one == other, "{payload}: {one:?} {other:?}");
        }
    }
}

#[test]
fn what_the_guest_finds_too_long_stays_so() {
    let mut rig = Rig::open(&json!({"max_record_size": 100}), short()).unwrap();
    let long = json!({"long": "x".repeat(100)}).to_string();
    let payload = format!("{{\"value\":[{long},{{\"do\":\"trap\"}},{{\"a\":1}}]}}");
    let (receipt, passed) = rig.push(&[&payload]);
    let receipt = receipt.unwrap();
    assert_eq!(passed.lines(), [r#"{"a":1}"#]);
    assert_eq!(codes(&receipt), [Code::Oversized, Code::Trap]);
    assert_eq!(bytes_of(&receipt.rejects[0], &payload), long);
}

#[test]
fn documents_passed_before_the_trap_are_not_passed_twice() {
    let mut rig = Rig::new(short());
    let pad = "x".repeat(100 << 10);
    let many = |n: usize| json!({"do": "documents", "n": n, "pad": pad}).to_string();
    let culprit = json!({"do": "trap"}).to_string();
    // The first records leave in parts long before the culprit is met.
    let lines = |range: std::ops::Range<usize>| range.map(|number| json!({ "number": number }).to_string());
    let payload = [many(7)].into_iter().chain(lines(0..20)).chain([culprit.clone(), many(4)]).chain(lines(20..40));
    let payload = payload.collect::<Vec<_>>().join("\n");
    let (receipt, passed) = rig.push(&[many(5), payload, many(3)]);
    let receipt = receipt.unwrap();
    let mut expected: Vec<(u32, String)> = vec![(0, many(5)); 5];
    expected.extend(vec![(1, many(7)); 7]);
    expected.extend(lines(0..20).map(|line| (1, line)));
    expected.extend(vec![(1, many(4)); 4]);
    expected.extend(lines(20..40).map(|line| (1, line)));
    expected.extend(vec![(2, many(3)); 3]);
    assert!(passed.documents == expected, "{:?}", passed.parts);
    let inside = Tally { records: 43, mapped: 42, rejected: 1, documents: 51, ..Tally::default() };
    assert_eq!(receipt.tallies, [Tally { documents: 5, ..mapped(1) }, inside, Tally { documents: 3, ..mapped(1) }]);
}

#[test]
fn documents_of_the_culprit_that_were_passed_stand() {
    let mut rig = Rig::new(short());
    let pad = "x".repeat(100 << 10);
    let culprit = json!({"do": "all", "of": [{"do": "documents", "n": 6}, {"do": "trap"}], "pad": pad}).to_string();
    let (a, b, c) = (json!({"a": 1}).to_string(), json!({"b": 1}).to_string(), json!({"c": 1}).to_string());
    for payloads in [
        vec![a.clone(), culprit.clone(), b.clone(), c.clone()],
        vec![[&a, &culprit, &b, &c].map(String::as_str).join("\n")],
    ] {
        let (receipt, passed) = rig.push(&payloads);
        let receipt = receipt.unwrap();
        let of_culprit = passed.lines().iter().filter(|line| **line == culprit).count();
        // The last part was not full when the guest trapped.
        assert!((1..6).contains(&of_culprit), "{of_culprit}");
        let mut expected = vec![a.as_str()];
        expected.extend(vec![culprit.as_str(); of_culprit]);
        expected.extend([b.as_str(), c.as_str()]);
        assert!(passed.lines() == expected, "{:?}", passed.parts);
        let documents: u32 = receipt.tallies.iter().map(|tally| tally.documents).sum();
        assert_eq!(documents as usize, passed.documents.len());
        assert_eq!(codes(&receipt), [Code::Trap]);
    }
}

#[test]
fn a_batch_that_is_too_much_together_costs_no_record() {
    let mut rig = Rig::new(short());
    let payloads: Vec<_> = (0..40).map(|number| json!({"do": "leak", "n": MIB, "number": number})).collect();
    let (receipt, passed) = rig.push(&payloads);
    assert_eq!(receipt.unwrap().tallies, vec![mapped(1); 40]);
    assert_eq!(passed.documents, without(&payloads, &[]));
    let joined = payloads.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let (receipt, passed) = rig.push(&[joined]);
    assert_eq!(receipt.unwrap().tallies, [mapped(40)]);
    assert_eq!(passed.documents.len(), 40);
}

#[test]
fn a_record_is_not_rejected_for_what_others_left_in_the_instance() {
    let mut rig = Rig::new(short());
    rig.obeys(&json!({"do": "leak", "n": 6 * MIB}));
    rig.obeys(&json!({"do": "grow", "n": 10 * MIB}));
}

#[test]
fn drift_and_facts_of_all_halves_are_in_the_receipt() {
    let mut rig = Rig::new(short());
    let commands = [
        json!({"do": "drift", "n": 2}),
        json!({"do": "fact", "text": "a"}),
        json!({"do": "trap"}),
        json!({"do": "drift", "n": 3}),
        json!({"do": "fact", "text": "b"}),
    ];
    let receipt = rig.push_to("facts", &commands).0.unwrap();
    let drift: Vec<_> = receipt.drift.iter().map(|drift| (drift.name.as_str(), drift.count)).collect();
    assert_eq!(drift, [("0", 2), ("1", 2), ("2", 1)]);
    assert_eq!(receipt.facts, b"ab");
}

#[test]
fn too_many_traps_mean_that_the_guest_is_broken() {
    // One culprit of 16 takes 5 runs that trap.
    let mut payloads = records(16);
    payloads[5] = json!({"do": "panic", "text": "once more"});
    let mut rig = Rig::new(short().with_traps(5));
    assert_eq!(codes(&rig.push(&payloads).0.unwrap()), [Code::Trap]);
    let mut rig = Rig::new(short().with_traps(4));
    let error = rig.push(&payloads).0.unwrap_err();
    let Error::Broken { traps, message } = &error else { panic!("{error}") };
    assert_eq!(*traps, 5);
    assert!(message.contains("once more"), "{message}");
    assert!(!error.is_retryable());
    // Another batch is another matter.
    rig.obeys(&json!({"a": 1}));
}

#[test]
fn a_payload_without_records_gives_an_empty_tally() {
    let mut rig = Rig::new(short());
    let (receipt, passed) = rig.push(&["", " \n", "[]", "{\"value\":[]}", "{\"do\":\"trap\"}"]);
    let receipt = receipt.unwrap();
    assert_eq!(receipt.tallies[..4], [Tally::default(); 4]);
    assert_eq!(receipt.rejects.len(), 1);
    assert!(passed.documents.is_empty());
    let none: [&str; 0] = [];
    assert_eq!(rig.push(&none).0.unwrap(), Receipt::default());
}
