//! Lies about parts and receipts: none is believed, and the pipeline works on with a new instance.

use defenderbeat_runtime::{Error, Limits, Tally};
use serde_json::{Value, json};

use crate::rig::{Rig, mapped};

/// Pushes the command, then an honest record; gives the lie that was found out.
fn found_out(commands: &[Value]) -> (String, usize) {
    let mut rig = Rig::new(Limits::default());
    let (receipt, passed) = rig.push(commands);
    let error = receipt.unwrap_err();
    assert!(!error.is_retryable());
    assert!(error.to_string().starts_with("the component's answer cannot be true: "), "{error}");
    let Error::Lie(lie) = error else { panic!("{commands:?}: {error}") };
    rig.obeys(&json!({"honest": true}));
    (lie, passed.documents.len())
}

fn lie(about: &str) -> [Value; 2] {
    [json!({"do": "lie", "about": about}), json!({"honest": true})]
}

#[test]
fn a_part_that_cannot_be_true_is_not_passed_on() {
    for (about, expected) in [
        ("length-long", "document 0 of a part does not end where its length says"),
        ("length-short", "document 0 of a part does not end where its length says"),
        ("length-shifted", "document 0 of a part does not end where its length says"),
        ("length-zero", "document 2 of a part does not end where its length says"),
        ("line-feed", "document 1 of a part does not end where its length says"),
        ("unlisted", "documents of a part have 32 bytes together, the part has 48"),
        ("two-lines", "document 0 of a part is more than one line"),
        ("payload", "document 0 of a part is of payload 4294967295, there are 2"),
    ] {
        assert_eq!(found_out(&lie(about)), (expected.to_owned(), 0), "{about}");
    }
    let (lie, passed) = found_out(&[json!({"honest": true}), json!({"do": "route"})]);
    assert_eq!((lie.as_str(), passed), ("document 1 of a part has route 2, there are 2", 0));
}

#[test]
fn a_receipt_that_cannot_be_true_is_not_believed() {
    for (about, expected) in [
        ("tally-records", "payload 0 has 2 records and 1 fates"),
        ("tally-documents", "payload 0 has 2 documents in its tally, 1 were written"),
        ("tally-mapped", "payload 0 has 2 mapped records and 1 documents"),
        ("tally-rejected", "payload 0 has 1 rejected records and 0 rejects"),
        ("tally-wrapped", "payload 0 has 1 records and 4294967297 fates"),
        ("tally-more", "3 tallies for 2 payloads"),
        ("tally-fewer", "1 tallies for 2 payloads"),
        ("reject-payload", "a reject is of payload 2, there are 2"),
        ("reject-offset", "a reject lies outside payload 0"),
        ("reject-length", "a reject lies outside payload 0"),
        ("reject-wrapped", "a reject lies outside payload 0"),
    ] {
        assert_eq!(found_out(&lie(about)).0, expected, "{about}");
    }
}

#[test]
fn a_mapped_record_has_a_document() {
    let (lie, _) = found_out(&[json!({"do": "documents", "n": 0})]);
    assert_eq!(lie, "payload 0 has 1 mapped records and 0 documents");
}

#[test]
fn honest_fates_are_believed() {
    let mut rig = Rig::new(Limits::default());
    let commands = [
        json!({"do": "drop"}),
        json!({"do": "reject"}),
        json!({"do": "position", "n": 7}),
        json!([{"do": "drop"}, {"do": "documents", "n": 3}, {"do": "reject"}, {"do": "position", "n": 9}, {"do": "hold"}]),
    ];
    let (receipt, passed) = rig.push(&commands);
    let receipt = receipt.unwrap();
    let one = Tally { records: 1, ..Tally::default() };
    let all = Tally { records: 5, mapped: 2, held: 1, dropped: 1, rejected: 1, documents: 4, position: 9 };
    let expected = [Tally { dropped: 1, ..one }, Tally { rejected: 1, ..one }, Tally { position: 7, ..mapped(1) }, all];
    assert_eq!(receipt.tallies, expected);
    let places: Vec<_> = receipt.rejects.iter().map(|reject| (reject.payload, reject.path.as_str())).collect();
    assert_eq!(places, [(1, "$.do"), (3, "$.do")]);
    assert_eq!(passed.documents.len(), 5);
}

#[test]
fn finishing_is_checked_too() {
    let finish = |command: Value| Rig::open(&json!({ "finish": command }), Limits::default()).unwrap().finish();
    let (receipt, passed) = finish(json!({"do": "documents", "n": 3}));
    assert_eq!(receipt.unwrap().tallies, [Tally { documents: 3, ..Tally::default() }]);
    assert_eq!(passed.documents.len(), 3);
    for about in ["tally-records", "tally-documents", "tally-rejected", "tally-more", "tally-fewer", "length-long"] {
        let (receipt, _) = finish(json!({"do": "lie", "about": about}));
        assert!(matches!(receipt, Err(Error::Lie(_))), "{about}: {receipt:?}");
    }
    let (receipt, passed) = finish(json!({"do": "route"}));
    assert!(matches!(receipt, Err(Error::Lie(_))), "{receipt:?}");
    assert!(passed.documents.is_empty());
}
