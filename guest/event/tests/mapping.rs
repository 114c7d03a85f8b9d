//! What the event component promises whatever the table: identities, unknown names, failures, the inventory.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

use defenderbeat_event::Event;
use defenderbeat_sdk::{Batch, Driver, Memory, Receipt};
use proptest::prelude::*;
use serde_json::{Value, json};

struct Mapped {
    documents: Vec<Value>,
    ids: Vec<u128>,
    receipt: Receipt,
}

fn push(driver: &mut Driver<Event>, payload: &str) -> Mapped {
    let mut host = Memory::default();
    let batch = Batch { feed: 0, received_at: 1_700_000_000_000, payloads: &[payload.as_bytes()] };
    let receipt = driver.push(&batch, &mut host);
    let documents = host.ndjson.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Mapped {
        documents: documents.map(|line| serde_json::from_slice(line).unwrap()).collect(),
        ids: host.documents.iter().map(|document| document.id).collect(),
        receipt,
    }
}

fn map(record: &Value) -> Mapped {
    push(&mut Driver::open("{}").unwrap(), &record.to_string())
}

fn record(table: &str, properties: Value) -> Value {
    json!({"time": "2025-01-02T03:04:05.1234567Z", "tenantId": "t", "category": format!("AdvancedHunting-{table}"), "properties": properties})
}

#[test]
fn a_record_that_is_sent_again_has_the_same_id() {
    let first = r#"{"time":"2025-01-01T00:00:00Z","tenantId":"t","category":"AdvancedHunting-DeviceEvents","properties":{"DeviceId":"d","ReportId":7,"New":{"a": 1}}}"#;
    let again = r#"{ "properties" : { "New" : {"a": 1}, "ReportId":7 , "DeviceId" : "d" }, "category":"AdvancedHunting-DeviceEvents","tenantId":"t","_TimeReceivedBySvc":"x","time":"2025-01-01T00:09:00Z"}"#;
    let ids = push(&mut Driver::open("{}").unwrap(), &format!("{first}\n{again}\n")).ids;
    assert_eq!(ids[0], ids[1]);
    let others = [
        first.replace("\"d\"", "\"e\""),
        first.replace("DeviceEvents", "DeviceFileEvents"),
        first.replace("\"t\"", "\"u\""),
        first.replace("\"a\": 1", "\"a\": 2"),
        first.replace("New", "Newer"),
        first.replace(",\"ReportId\":7", ""),
    ];
    for other in others {
        assert_ne!(push(&mut Driver::open("{}").unwrap(), &other).ids[0], ids[0], "{other}");
    }
    let settings = r#"{"tags":["preserve_original_event"],"namespace":"x","inventory":false}"#;
    assert_eq!(push(&mut Driver::open(settings).unwrap(), first).ids[0], ids[0]);
}

proptest! {
    #[test]
    fn columns_in_any_order_have_the_same_id(columns in prop::collection::btree_map("[A-Z][a-z]{1,6}", "[a-z\\\\\"é]{0,12}", 1..12), turn in 0usize..12) {
        let mut members: Vec<String> =
            columns.iter().map(|(key, text)| format!("{}:{}", json!(key), json!(text))).collect();
        let text = |members: &[String]| {
            format!(r#"{{"tenantId":"t","category":"AdvancedHunting-EmailEvents","properties":{{{}}}}}"#, members.join(" , "))
        };
        let straight = push(&mut Driver::open("{}").unwrap(), &text(&members)).ids;
        let turn = turn % members.len();
        members.rotate_left(turn);
        members.reverse();
        prop_assert_eq!(straight, push(&mut Driver::open("{}").unwrap(), &text(&members)).ids);
    }
}

#[test]
fn integers_keep_all_digits() {
    let mapped = map(&record("DeviceInfo", json!({"DeviceId": "d", "ReportId": 638_123_456_789_012_345_i64})));
    assert_eq!(mapped.documents[0]["m365_defender"]["event"]["report_id"], "638123456789012345");
}

#[test]
fn a_table_or_column_that_is_not_known_is_kept_and_reported() {
    let mapped =
        map(&record("DeviceTvmSecureConfiguration", json!({"DeviceId": "d", "IsCompliant": true, "Empty": ""})));
    let document = &mapped.documents[0];
    assert_eq!(document["m365_defender"]["event"]["unmapped"], json!({"DeviceId": "d", "IsCompliant": true}));
    assert_eq!(document["m365_defender"]["event"]["tenant"]["id"], "t");
    assert_eq!(
        document["error"]["message"],
        json!(["The event category AdvancedHunting-DeviceTvmSecureConfiguration is not supported."])
    );
    assert_eq!(document["event"]["kind"], "event");
    let names: Vec<&str> = mapped.receipt.drift.iter().map(|drift| drift.name.as_str()).collect();
    assert_eq!(names, ["AdvancedHunting-DeviceTvmSecureConfiguration"]);

    let mapped = map(&record("DeviceEvents", json!({"DeviceId": "d", "Newest": 1})));
    assert_eq!(mapped.documents[0]["m365_defender"]["event"]["unmapped"], json!({"Newest": 1}));
    assert_eq!(mapped.receipt.drift[0].name, "DeviceEvents.Newest");

    let mapped = map(&json!({"tenantId": "t", "properties": {"A": 1}}));
    assert_eq!(
        mapped.documents[0]["error"]["message"],
        json!(["Missing required field: m365_defender.event.category."])
    );
}

#[test]
fn a_failure_of_a_record_says_so_and_loses_nothing() {
    let fields = r#"{"query":"a.b","answers":"[\"1.2.3.4\"]","TTLs":"[]","AA":"true"}"#;
    let properties = json!({"ActionType": "DnsConnectionInspected", "DeviceName": "PC", "AdditionalFields": fields});
    for fields in [fields.to_owned(), fields.replace("\"[]\"", "\"[1,2]\"")] {
        let mut properties = properties.clone();
        properties["AdditionalFields"] = json!(fields);
        let lists = fields.contains("[1,2]");
        let record = record("DeviceNetworkEvents", properties);
        let document = map(&record).documents.remove(0);
        assert_eq!(document["host"]["name"], "pc");
        assert_eq!(document["dns"]["question"]["name"], "a.b");
        assert_eq!(document["dns"]["header_flags"], json!(["AA"]));
        assert_eq!(document["event"]["kind"], if lists { "pipeline_error" } else { "event" });
        assert_eq!(document["event"]["original"].is_string(), lists);
        assert_eq!(document["error"].is_object(), lists);
    }
}

#[test]
fn additional_fields_stay_without_what_is_empty_or_has_a_field_of_its_own() {
    for (table, action, text, stays) in [
        ("DeviceFileEvents", "FileCreated", r#"{"a":1,"b":"x y"}"#, json!({"a": 1, "b": "x y"})),
        ("DeviceFileEvents", "FileCreated", r#" { "a" : 1 , "b":[ {} , 2 ] } "#, json!({"a": 1, "b": [2]})),
        ("DeviceFileEvents", "FileCreated", r#"{"a":null,"b":2,"c":"","d":{"e":[]},"f":3}"#, json!({"b": 2, "f": 3})),
        ("DeviceFileEvents", "FileCreated", r#"{"\u0061":1,"b\"":2,"":3}"#, json!({"a": 1, "b\"": 2, "": 3})),
        // Of members with one name the last counts.
        ("DeviceFileEvents", "FileCreated", r#"{"a":1,"b":2,"\u0061":3}"#, json!({"a": 3, "b": 2})),
        (
            "DeviceNetworkEvents",
            "x",
            r#"{"direction":"In","a":1,"direction":{"b":2}}"#,
            json!({"a": 1, "direction": {"b": 2}}),
        ),
        ("DeviceNetworkEvents", "x", r#"{"a":1,"direction":"In","b":2}"#, json!({"a": 1, "b": 2})),
        ("DeviceNetworkEvents", "x", r#"{"direction":"Out"}"#, Value::Null),
        (
            "DeviceNetworkEvents",
            "dnsconnectionINSPECTED",
            r#"{"query":"a.b","x":1,"TTLs":"[5,\"6\"]","answers":"[\"c\",[]]","AA":"true"}"#,
            json!({"x": 1, "answers": "[\"c\",[]]", "AA": "true"}),
        ),
        (
            "DeviceEvents",
            "OpenProcessApiCall",
            r#"{"DesiredAccess":"0x10","RegionSize":"-1"}"#,
            json!({"RegionSize": "-1"}),
        ),
        ("DeviceFileEvents", "FileCreated", "{}", Value::Null),
        ("DeviceFileEvents", "FileCreated", "null", Value::Null),
    ] {
        let document = map(&record(table, json!({"ActionType": action, "AdditionalFields": text}))).documents.remove(0);
        assert_eq!(document["m365_defender"]["event"]["additional_fields"], stays, "{text}");
        assert_eq!(document["error"], Value::Null, "{text}");
    }
}

#[test]
fn a_field_that_cannot_be_mapped_is_named_and_kept() {
    let properties =
        json!({"RemoteIP": "999.1.1.1", "LocalIP": "-", "RemotePort": "443", "AdditionalFields": "{broken"});
    let document = map(&record("DeviceNetworkEvents", properties)).documents.remove(0);
    let messages = document["error"]["message"].as_array().unwrap();
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().any(|text| text.as_str().unwrap().starts_with("properties.RemoteIP: ")));
    assert_eq!(
        document["m365_defender"]["event"]["unmapped"],
        json!({"RemoteIP": "999.1.1.1", "AdditionalFields": "{broken"})
    );
    assert_eq!(document["destination"]["port"], 443);
    assert_eq!(document["event"]["kind"], "event");
}

#[test]
fn what_was_learned_fills_events_of_the_device_and_the_file() {
    let info = record(
        "DeviceInfo",
        json!({"DeviceId": "D1", "DeviceName": "Mac-7", "OSPlatform": "macOS", "OSVersion": "14.2"}),
    );
    let certificate = record(
        "DeviceFileCertificateInfo",
        json!({"SHA1": "AB12", "Signer": "Example Corp", "IsSigned": true, "IsTrusted": false}),
    );
    let event = record(
        "DeviceProcessEvents",
        json!({"DeviceId": "d1", "ActionType": "ProcessCreated", "SHA1": "ab12", "FileName": "tool", "InitiatingProcessAccountSid": "S-1-5-21-1"}),
    );
    let mut finder = Driver::<Event>::open("{}").unwrap();
    let facts = push(&mut finder, &format!("{info}\n{certificate}\n")).receipt.facts;
    assert!(!facts.is_empty());

    let mut driver = Driver::<Event>::open("{}").unwrap();
    let before = push(&mut driver, &event.to_string()).documents.remove(0);
    assert_eq!(before["host"]["os"]["type"], "windows");
    assert!(before["process"]["code_signature"].is_null());

    driver.learn(&facts);
    let document = push(&mut driver, &event.to_string()).documents.remove(0);
    assert_eq!(document["host"]["os"], json!({"type": "macos", "family": "macos", "full": "macOS", "version": "14.2"}));
    assert_eq!(document["host"]["name"], "mac-7");
    assert_eq!(
        document["process"]["code_signature"],
        json!({"subject_name": "Example Corp", "exists": true, "trusted": false})
    );
    let mut whole = Driver::<Event>::open("{}").unwrap();
    whole.learn(&driver.facts());
    assert_eq!(push(&mut whole, &event.to_string()).documents[0], document);

    let mut off = Driver::<Event>::open(r#"{"inventory":false}"#).unwrap();
    off.learn(&facts);
    assert!(push(&mut off, &info.to_string()).receipt.facts.is_empty());
    assert_eq!(push(&mut off, &event.to_string()).documents[0]["host"]["os"]["type"], "windows");
}

#[test]
fn a_process_has_one_entity_id_in_every_table() {
    let actor = json!({"DeviceId": "d", "InitiatingProcessId": 10, "InitiatingProcessCreationTime": "2025-01-01T00:00:00.1234567Z"});
    let with = |more: Value| {
        let mut properties = actor.clone();
        properties.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        properties
    };
    let id = |record: Value, path: &str| map(&record).documents[0].pointer(path).cloned();
    let created = record(
        "DeviceProcessEvents",
        with(json!({"ActionType": "ProcessCreated", "ProcessId": 20, "ProcessCreationTime": "2025-01-01T00:00:01Z"})),
    );
    let network = record("DeviceNetworkEvents", with(json!({"ActionType": "ConnectionSuccess"})));
    let call = record("DeviceEvents", with(json!({"ActionType": "OpenProcessApiCall", "ProcessId": 4})));
    let parent = id(created.clone(), "/process/parent/entity_id");
    assert!(parent.is_some());
    assert_eq!(id(network, "/process/entity_id"), parent);
    assert_eq!(id(call, "/process/entity_id"), parent);
    let child = record(
        "DeviceFileEvents",
        json!({"DeviceId": "d", "ActionType": "FileCreated", "InitiatingProcessId": "20", "InitiatingProcessCreationTime": "2025-01-01T00:00:01.000Z"}),
    );
    assert_eq!(id(child, "/process/entity_id"), id(created, "/process/entity_id"));
}
