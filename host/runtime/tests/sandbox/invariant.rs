//! Whatever a batch consists of: its tallies balance, and its documents pass exactly once and in order.

use defenderbeat_runtime::{Code, Tally};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::rig::{Rig, bytes_of, short};

#[derive(Clone, Debug)]
enum Form {
    Lines,
    Array,
    Envelope,
    Pretty,
}

fn command() -> impl Strategy<Value = Value> {
    let number = any::<u16>();
    prop_oneof![
        5 => number.prop_map(|number| json!({ "echo": number })),
        2 => (number, 1..4_u32, prop_oneof![Just(0_usize), Just(100 << 10)]).prop_map(|(number, n, pad)| {
            json!({"do": "documents", "n": n, "number": number, "pad": "x".repeat(pad)})
        }),
        1 => Just(json!({"do": "panic", "text": "x"})),
        1 => Just(json!({"do": "trap"})),
        1 => Just(json!({"do": "drop"})),
        1 => Just(json!({"do": "reject"})),
        1 => number.prop_map(|n| json!({"do": "position", "n": n})),
    ]
}

fn payload() -> impl Strategy<Value = (Form, Vec<Value>)> {
    let form = prop_oneof![Just(Form::Lines), Just(Form::Array), Just(Form::Envelope), Just(Form::Pretty)];
    (form, prop::collection::vec(command(), 0..6))
}

/// The payload, and its records as they stand in it.
fn written(form: &Form, commands: &[Value]) -> (String, Vec<String>) {
    let pretty = |command: &Value| serde_json::to_string_pretty(command).unwrap();
    let records: Vec<String> = match form {
        Form::Pretty => commands.iter().map(pretty).collect(),
        _ => commands.iter().map(Value::to_string).collect(),
    };
    let payload = match form {
        Form::Lines => records.join("\n"),
        Form::Pretty => records.join("\r\n\r\n"),
        Form::Array => format!("[{}]", records.join(", ")),
        Form::Envelope => format!("{{\"before\":{{}},\"value\":[{}],\"after\":1}}", records.join(",")),
    };
    (payload, records)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_record_has_one_fate_and_every_document_passes_once(batch in prop::collection::vec(payload(), 0..6)) {
        let mut payloads = Vec::new();
        let mut expected = Vec::new();
        let mut tallies = Vec::new();
        let mut rejects = Vec::new();
        for (number, (form, commands)) in batch.iter().enumerate() {
            let (payload, records) = written(form, commands);
            let mut tally = Tally::default();
            for (command, record) in commands.iter().zip(records) {
                tally.records += 1;
                let documents = match command["do"].as_str() {
                    Some("panic" | "trap") => {
                        tally.rejected += 1;
                        rejects.push((number as u32, Code::Trap, record));
                        continue;
                    }
                    Some("reject") => {
                        tally.rejected += 1;
                        rejects.push((number as u32, Code::Malformed, record));
                        continue;
                    }
                    Some("drop") => {
                        tally.dropped += 1;
                        continue;
                    }
                    Some("documents") => command["n"].as_u64().unwrap() as u32,
                    Some("position") => {
                        tally.position = tally.position.max(command["n"].as_u64().unwrap());
                        1
                    }
                    _ => 1,
                };
                tally.mapped += 1;
                tally.documents += documents;
                // The guest writes a record as it stands, without line breaks.
                let line = record.replace('\n', "");
                expected.extend((0..documents).map(|_| (number as u32, line.clone())));
            }
            payloads.push(payload);
            tallies.push(tally);
        }
        let (receipt, passed) = Rig::new(short()).push(&payloads);
        let receipt = receipt.unwrap();
        prop_assert_eq!(&receipt.tallies, &tallies);
        prop_assert!(passed.documents == expected, "{:?}", passed.parts);
        let found: Vec<_> = receipt.rejects.iter().map(|reject| {
            (reject.payload, reject.code, bytes_of(reject, &payloads[reject.payload as usize]).to_owned())
        }).collect();
        prop_assert_eq!(found, rejects);
    }
}
