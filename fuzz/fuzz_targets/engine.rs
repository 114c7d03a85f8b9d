//! The alert component, run natively: whatever the bytes are, every record has one fate, an object that is JSON leaves
//! as a document, documents are JSON lines without empty values, and the same bytes give the same again.
//!
//! The first byte chooses the settings, the second cuts the rest into two payloads.
#![no_main]

use defenderbeat_alert::Alert;
use defenderbeat_records::{Piece, split};
use defenderbeat_sdk::{Batch, Code, DEFAULT_MAX_RECORD_SIZE, Driver, Guest, Memory, Receipt, Tally, hash};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

/// Received at 2024-05-06T07:08:09.123Z.
const RECEIVED_AT: i64 = 1_714_979_289_123;

/// Settings, the size of a record that they allow, and whether they drop documents.
const SETTINGS: [(&str, usize, bool); 6] = [
    ("{}", DEFAULT_MAX_RECORD_SIZE, false),
    (
        r#"{"namespace":"soc","tags":["a","forwarded"],"agent":{"name":"n","version":"1"},
            "preserve_original_event":true,"preserve_duplicate_custom_fields":true}"#,
        DEFAULT_MAX_RECORD_SIZE,
        false,
    ),
    (r#"{"max_record_size":64}"#, 64, false),
    (
        r#"{"rows":[{"from":"$.evidence[*].roles[*]","to":"labels.roles","as":"list"},
            {"from":"$..createdDateTime","to":"site.created","as":"date"},
            {"from":"$.incidentId","to":"site.incident.id","as":"long"},
            {"from":"$[?@.vendor]","to":"event.reason","as":"json"}]}"#,
        DEFAULT_MAX_RECORD_SIZE,
        false,
    ),
    (
        r#"{"processors":[{"add_tags":{"tags":["p","q"],"when":{"has_fields":["host.name"]}}},
            {"add_fields":{"target":"","fields":{"labels.site":"x","message":{"a":[1,""]}}}},
            {"drop_fields":{"fields":["related.ip","process","@timestamp"],"ignore_missing":true}},
            {"rename":{"fields":[{"from":"event.id","to":"event.code.x"},{"from":"user","to":"source.user"}]}}]}"#,
        DEFAULT_MAX_RECORD_SIZE,
        false,
    ),
    (
        r#"{"processors":[{"drop_event":{"when":{"or":[{"range":{"event.severity.gte":47}},
            {"regexp":{"message":"^M.*e"}},{"network":{"source.ip":"10.0.0.0/8"}},
            {"not":{"equals":{"event.kind":"alert"}}}]}}}]}"#,
        DEFAULT_MAX_RECORD_SIZE,
        true,
    ),
];

fn push(driver: &mut Driver<Alert>, payloads: &[&[u8]]) -> (Receipt, Memory) {
    let mut host = Memory::default();
    let receipt = driver.push(&Batch { feed: 0, received_at: RECEIVED_AT, payloads }, &mut host);
    (receipt, host)
}

/// The tally that a payload must have, as far as it can be known without mapping it, and whether documents may be
/// dropped.
fn expected(payload: &[u8], max: usize) -> Tally {
    let mut tally = Tally::default();
    for piece in split(payload, Alert::DESCRIPTOR.feeds[0].keys, max) {
        tally.records += 1;
        match piece {
            Piece::Record { bytes, .. } if serde_json::from_slice::<&RawValue>(bytes).is_ok() => tally.mapped += 1,
            _ => tally.rejected += 1,
        }
    }
    tally
}

fn check_receipt(receipt: &Receipt, host: &Memory, payloads: &[&[u8]], max: usize, drops: bool) {
    assert_eq!(receipt.tallies.len(), payloads.len());
    assert!(receipt.facts.is_empty());
    assert!(receipt.drift.is_sorted_by(|a, b| a.name < b.name) && receipt.drift.iter().all(|drift| drift.count > 0));
    for (payload, (tally, bytes)) in (0u32..).zip(receipt.tallies.iter().zip(payloads)) {
        let expected = expected(bytes, max);
        assert_eq!(tally.held, 0);
        assert_eq!(tally.rejected, expected.rejected);
        assert_eq!(tally.mapped + tally.dropped, expected.mapped, "a JSON object leaves as a document");
        assert_eq!(tally.records, expected.records);
        assert!(drops || tally.dropped == 0);
        assert_eq!(tally.documents, tally.mapped);
        let documents = host.documents.iter().filter(|document| document.payload == payload);
        let (mut count, mut position) = (0, 0);
        for document in documents {
            count += 1;
            position = position.max(document.position);
        }
        assert_eq!(count, tally.documents);
        assert!(if tally.dropped == 0 { position == tally.position } else { position <= tally.position });
        let rejects = receipt.rejects.iter().filter(|reject| reject.payload == payload);
        assert_eq!(rejects.count(), tally.rejected as usize);
    }
    for reject in &receipt.rejects {
        let from = reject.offset as usize;
        let bytes = &payloads[reject.payload as usize][from..from + reject.length as usize];
        assert_eq!(reject.id, hash(bytes));
        assert_eq!(reject.code == Code::Oversized, bytes.len() > max);
        assert!(!reject.message.is_empty());
    }
}

/// Documents are JSON objects, one a line, of the lengths that lie beside them.
fn check_documents(host: &Memory) {
    let mut rest = host.ndjson.as_slice();
    assert!(host.documents.is_sorted_by_key(|document| document.payload));
    for document in &host.documents {
        assert_eq!(document.route, 0);
        let (line, tail) = rest.split_at(document.length as usize);
        rest = tail;
        let line = line.strip_suffix(b"\n").unwrap();
        assert!(line.starts_with(b"{") && !line.contains(&b'\n'));
        serde_json::from_slice::<&RawValue>(line).unwrap();
        check_values(line);
    }
    assert!(rest.is_empty());
}

/// No null, empty text or empty container, and no white space outside of text, in valid JSON.
fn check_values(mut json: &[u8]) {
    while let [first, rest @ ..] = json {
        json = match first {
            b'"' => {
                let mut escaped = false;
                let end = rest.iter().position(|&byte| {
                    let closes = byte == b'"' && !escaped;
                    escaped = byte == b'\\' && !escaped;
                    closes
                });
                let after = &rest[end.unwrap() + 1..];
                assert!(end != Some(0) || after.starts_with(b":"), "an empty text");
                after
            }
            b'{' => {
                assert!(!rest.starts_with(b"}"), "an empty object");
                rest
            }
            b'[' => {
                assert!(!rest.starts_with(b"]"), "an empty list");
                rest
            }
            b'n' => panic!("a null"),
            _ => {
                assert!(!first.is_ascii_whitespace(), "white space");
                rest
            }
        };
    }
}

fuzz_target!(|data: &[u8]| {
    let [choice, cut, input @ ..] = data else { return };
    let (settings, max, drops) = SETTINGS[usize::from(*choice) % SETTINGS.len()];
    let (first, second) = input.split_at(usize::from(*cut) * input.len() / 255);
    let payloads = [first, second];
    let mut driver = Driver::open(settings).unwrap();
    let (receipt, host) = push(&mut driver, &payloads);
    check_receipt(&receipt, &host, &payloads, max, drops);
    check_documents(&host);
    // What was mapped before leaves no trace.
    assert_eq!(push(&mut driver, &payloads), (receipt, host));
    let finished = driver.finish(&mut Memory::default());
    assert_eq!(finished, Receipt { tallies: vec![Tally::default()], ..Receipt::default() });
});
