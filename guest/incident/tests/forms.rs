//! The forms in which an incident and its alerts come give the same documents.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking, its helpers too")]

use defenderbeat_incident::Incident;
use defenderbeat_sdk::{Batch, Driver, Guest, Memory, PART_SIZE, Receipt};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn push(feed: &str, payload: &[u8]) -> (Receipt, Memory) {
    let feed = Incident::DESCRIPTOR.feeds.iter().position(|known| known.name == feed).unwrap();
    let mut host = Memory::default();
    let batch = Batch { feed, received_at: 1_700_000_000_000, payloads: &[payload] };
    let receipt = Driver::<Incident>::open("{}").unwrap().push(&batch, &mut host);
    (receipt, host)
}

fn text(values: &[Value], separator: &str) -> String {
    values.iter().map(Value::to_string).collect::<Vec<_>>().join(separator)
}

/// Alerts, and what else may stand among them.
fn element() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        r#"[a-z"\\\[\]{},:é ]{0,12}"#.prop_map(Value::from),
    ];
    scalar.prop_recursive(3, 24, 4, |inner| {
        let key =
            prop::sample::select(vec!["id", "lastUpdateDateTime", "title", "evidence", "comments", "userAccount"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..5).prop_map(|members| {
                Value::from(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn a_document_for_each_alert_whatever_it_is_and_however_it_comes(
        elements in prop::collection::vec(element(), 0..6),
        id in prop::option::of("[0-9]{1,4}"),
    ) {
        let mut incident = json!({ "displayName": "x", "lastUpdateDateTime": "2024-06-03T11:40:19.88Z" });
        if let Some(id) = &id {
            incident["id"] = json!(id);
        }
        let bare = incident.to_string();
        let whole = format!("{},\"alerts\":[{}]}}", bare.strip_suffix('}').unwrap(), text(&elements, " , "));
        let (receipt, expanded) = push("incidents", whole.as_bytes());
        let alerts = elements.iter().filter(|element| !element.is_null()).count();
        prop_assert_eq!(expanded.documents.len(), alerts.max(1));
        prop_assert_eq!((receipt.tallies[0].mapped, receipt.rejects.len()), (1, 0));
        for line in expanded.ndjson.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            serde_json::from_slice::<Value>(line).unwrap();
        }

        // A list in a line would be taken apart.
        let apart = (!elements.iter().any(Value::is_array)).then(|| format!("{bare}\n{}", text(&elements, "\n")));
        let again = format!("{bare}\n{whole}\n");
        for payload in apart.into_iter().chain([again]) {
            let (receipt, joined) = push("incident-alerts", payload.as_bytes());
            prop_assert_eq!((receipt.tallies[0].records, receipt.tallies[0].mapped), (1, 1));
            prop_assert_eq!(joined.documents.len(), alerts.max(1));
            if id.is_some() && alerts > 0 {
                prop_assert_eq!(&joined, &expanded, "{}", payload);
            }
        }
    }
}

/// Documents leave while the incident is mapped: what is held is one alert and one part.
#[test]
fn each_document_leaves_as_it_is_made() {
    struct Parts(Vec<usize>);
    impl defenderbeat_sdk::Host for Parts {
        fn write(&mut self, ndjson: &[u8], _: &[defenderbeat_sdk::Document]) {
            self.0.push(ndjson.len());
        }
    }
    let alerts: Vec<Value> =
        (0..2_000).map(|number| json!({ "id": format!("da{number}"), "title": "x".repeat(1_000) })).collect();
    let incident = json!({ "id": "1", "alerts": alerts }).to_string();
    let mut parts = Parts(Vec::new());
    let batch = Batch { feed: 0, received_at: 0, payloads: &[incident.as_bytes()] };
    let receipt = Driver::<Incident>::open("{}").unwrap().push(&batch, &mut parts);
    assert_eq!(receipt.tallies[0].documents, 2_000);
    assert!(parts.0.len() > 8 && parts.0.iter().all(|length| *length < PART_SIZE + 4_096), "{:?}", parts.0);
}
