//! Events from an event hub: each leaves once, and what records tell of devices and files is remembered.

use std::collections::BTreeSet;

use defenderbeat_simulator::{EventHubsOptions, Options};
use serde_json::{Value, json};

use crate::program::{Program, Tenant, log};

fn tenant(options: EventHubsOptions) -> Tenant {
    Tenant::start(Options { event_hubs: options, ..Options::default() })
}

fn once(program: &Program) {
    let output = program.once();
    assert!(output.status.success(), "{}", log(&output));
}

fn ids(documents: &[Value]) -> BTreeSet<String> {
    documents.iter().map(|document| document["@metadata"]["_id"].as_str().unwrap().to_owned()).collect()
}

/// A message of records of the tables named.
pub(crate) fn message(records: &[(&str, Value)]) -> String {
    let records: Vec<Value> = records
        .iter()
        .map(|(table, properties)| {
            json!({"time": "2025-01-01T00:00:00Z", "tenantId": "t", "category": format!("AdvancedHunting-{table}"), "properties": properties})
        })
        .collect();
    json!({ "records": records }).to_string()
}

#[test]
fn every_event_of_every_partition_leaves_once_and_the_next_run_goes_on() {
    let tenant = tenant(EventHubsOptions { events: 3_000, records_per_message: 100, ..EventHubsOptions::default() });
    let program = Program::of_events(&tenant, &["inputs.0.workers=3"]);
    once(&program);
    let documents = program.documents();
    assert_eq!((documents.len(), ids(&documents).len()), (3_000, 3_000));
    once(&program);
    assert_eq!(program.documents().len(), 3_000, "what was settled is not read again");
    let hub = tenant.simulator.event_hubs().hub("defender").unwrap();
    hub.publish(1, message(&[("DeviceEvents", json!({"DeviceId": "late"}))])).unwrap();
    once(&program);
    let documents = program.documents();
    assert_eq!(documents.len(), 3_001);
    assert!(documents.iter().any(|document| document["host"]["id"] == "late"));
}

#[test]
fn connections_that_break_lose_nothing() {
    let options = EventHubsOptions {
        events: 2_000,
        records_per_message: 20,
        drop_connection_after: 7,
        ..EventHubsOptions::default()
    };
    let tenant = tenant(options);
    let program = Program::of_events(&tenant, &[]);
    once(&program);
    assert_eq!(ids(&program.documents()).len(), 2_000);
}

/// Neither the system of the device nor the signer of the file comes with an event; both are known from other records,
/// which may have been mapped by another worker and before a restart.
#[test]
fn what_records_tell_of_devices_and_files_fills_events_after_a_restart() {
    let tenant = tenant(EventHubsOptions::default());
    let hub = tenant.simulator.event_hubs().hub("defender").unwrap();
    let program = Program::of_events(&tenant, &["inputs.0.workers=2"]);
    hub.publish(0, message(&[("DeviceInfo", json!({"DeviceId": "m1", "DeviceName": "Mac-1", "OSPlatform": "macOS"}))]))
        .unwrap();
    let signed = json!({"SHA1": "aa11", "Signer": "Example Corp", "IsSigned": true, "IsTrusted": true});
    hub.publish(1, message(&[("DeviceFileCertificateInfo", signed)])).unwrap();
    once(&program);
    let event = json!({
        "DeviceId": "m1", "ActionType": "ProcessCreated", "FileName": "tool", "SHA1": "AA11",
        "InitiatingProcessAccountSid": "S-1-5-21-1",
    });
    for partition in 0..hub.partitions() {
        let mut event = event.clone();
        event["ReportId"] = json!(partition);
        hub.publish(partition, message(&[("DeviceProcessEvents", event)])).unwrap();
    }
    once(&program);
    let documents = program.documents();
    let events: Vec<&Value> = documents.iter().filter(|document| document["event"]["category"] == "process").collect();
    assert_eq!(events.len(), hub.partitions() as usize);
    for event in events {
        assert_eq!(event["host"]["os"]["type"], "macos", "{event}");
        assert_eq!(event["process"]["code_signature"]["subject_name"], "Example Corp", "{event}");
    }
}

#[test]
fn a_message_that_is_no_json_is_kept_with_its_place() {
    let tenant = tenant(EventHubsOptions::default());
    let hub = tenant.simulator.event_hubs().hub("defender").unwrap();
    hub.publish(2, "no json").unwrap();
    let number = hub.last_sequence_number(2).unwrap();
    let program = Program::of_events(&tenant, &[]);
    once(&program);
    let letter: Value = serde_json::from_str(program.dead_letters().trim()).unwrap();
    assert_eq!(letter["origin"]["eventhub"], "defender", "{letter}");
    assert_eq!(letter["origin"]["partition"], "2", "{letter}");
    assert_eq!(letter["origin"]["sequence_number"], number, "{letter}");
}
