//! `transform`: what it makes of its input, and what it says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use defenderbeat_simulator::{EventOptions, events};
use serde_json::Value;

mod pipe;

fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_defenderbeat"));
    command.arg("transform").args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn transform(arguments: &[&str], input: &str) -> Output {
    let mut child = start(arguments);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.as_bytes().to_vec();
    // A process that refuses its arguments does not read.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn documents(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn alert(id: usize) -> String {
    format!(r#"{{"id":"alert-{id}","lastUpdateDateTime":"2024-05-06T07:08:09Z","severity":"high"}}"#)
}

#[test]
fn documents_leave_in_input_order_and_one_line_sums_up() {
    let lines: Vec<String> = (0..5000).map(alert).collect();
    let output = transform(&["alert"], &lines.join("\n"));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let ids: Vec<String> =
        documents(&output).iter().map(|document| document["event"]["id"].as_str().unwrap().to_owned()).collect();
    let expected: Vec<String> = (0..5000).map(|id| format!("alert-{id}")).collect();
    assert_eq!(ids, expected);
    assert_eq!(said(&output).lines().count(), 1, "{}", said(&output));
    assert!(said(&output).contains("5000 records, 5000 documents, 0 dropped, 0 rejected"), "{}", said(&output));
}

#[test]
fn options_reach_the_mapping() {
    let arguments = [
        "alert",
        "-",
        "--tag",
        "one",
        "--tag",
        "two",
        "--preserve-original-event",
        "--preserve-duplicate-custom-fields",
        "--received-at",
        "2024-05-06T09:08:09+02:00",
    ];
    let output = transform(&arguments, &alert(1));
    let document = documents(&output).remove(0);
    assert_eq!(
        document["tags"],
        serde_json::json!(["one", "two", "preserve_original_event", "preserve_duplicate_custom_fields"])
    );
    assert_eq!(document["event"]["original"], alert(1));
    assert_eq!(document["m365_defender"]["alert"]["id"], "alert-1");
    assert_eq!(document["event"]["ingested"], "2024-05-06T07:08:09.000Z");
}

#[test]
fn rejected_records_are_kept_with_place_and_reason_and_the_rest_is_mapped() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rejects.ndjson");
    let input = format!("{}\nnot JSON\n{{\"id\":01}}\n{}\n", alert(1), alert(2));
    let output = transform(&["alert", "--rejects", file.to_str().unwrap()], &input);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(documents(&output).len(), 2);
    let text = std::fs::read_to_string(&file).unwrap();
    let rejects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rejects.len(), 2, "{text}");
    for (reject, record) in rejects.iter().zip(["not JSON", "{\"id\":01}"]) {
        assert_eq!((&reject["record"], &reject["code"]), (&record.into(), &"malformed".into()));
        let offset = usize::try_from(reject["offset"].as_u64().unwrap()).unwrap();
        assert_eq!(&input[offset..offset + record.len()], record, "the offset is that of the input");
    }
}

#[test]
fn a_record_beyond_the_limit_is_kept_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rejects.ndjson");
    let input = folder.path().join("input.ndjson");
    let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(64 << 20));
    std::fs::write(&input, format!("{}\n{long}\n{}\n", alert(1), alert(2))).unwrap();
    let output = transform(&["alert", input.to_str().unwrap(), "--rejects", file.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(documents(&output).len(), 2);
    let reject: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((&reject["code"], &reject["message"].as_str().unwrap()[..10]), (&"oversized".into(), "67108873 b"));
    assert_eq!(reject["record_base64"].as_str().unwrap().len(), long.len().div_ceil(3) * 4);
}

#[test]
fn wrong_usage_ends_with_2_and_what_cannot_be_read_with_1() {
    for (arguments, code, words) in [
        (&["allert"][..], 2, "possible values"),
        (&["vulnerability", "--feed", "machines"], 2, "NAME=FILE"),
        (&["vulnerability", "--feed", "machine=-"], 2, "its feeds are records, machines, vulnerabilities, products"),
        (&["vulnerability", "--feed", "machines=-", "--feed", "products=-"], 2, "standard input can be read for one"),
        (&["vulnerability", "file", "--feed", "machines=-"], 2, "cannot be used with"),
        (&["vulnerability", "--feed", "machines=/nonexistent/file"], 1, "/nonexistent/file"),
        (&["alert", "--received-at", "yesterday"], 2, "--received-at"),
        (&["alert", "/nonexistent/file"], 1, "/nonexistent/file"),
        (&["alert", "--rejects", "/nonexistent/file"], 1, "/nonexistent/file"),
        (&["alert", "--component", "/nonexistent/file"], 1, "/nonexistent/file"),
    ] {
        let output = transform(arguments, "");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(words), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn feeds_are_joined_in_the_order_of_the_component_whatever_the_order_of_options() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let machines = file("machines", "[{\"id\":\"m1\",\"computerDnsName\":\"one\"},\n{\"id\":\"m2\"}]");
    let more = file("more", "{\n  \"id\": \"m3\",\n  \"computerDnsName\": \"three\"\n}\n");
    let vulnerabilities = file(
        "vulnerabilities",
        r#"{"value":[{"id":"CVE-2025-0001","exposedMachines":2},{"id":"CVE-2025-0002","exposedMachines":1},{"id":"CVE-2025-0003","exposedMachines":0}]}"#,
    );
    let products = [
        r#"{"id":"a","machineId":"m1","cveId":"CVE-2025-0001"}"#,
        r#"{"id":"b","machineId":"m3","cveId":"CVE-2025-0009"}"#,
        r#"{"id":"c","machineId":"m9","cveId":null}"#,
        "not JSON",
    ];
    let arguments = [
        "vulnerability".to_owned(),
        "--received-at=2025-01-31T08:00:00Z".to_owned(),
        "--feed=products=-".to_owned(),
        format!("--feed=machines={machines}"),
        format!("--feed=vulnerabilities={vulnerabilities}"),
        format!("--feed=machines={more}"),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = transform(&arguments, &products.join("\n"));
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let found: Vec<(Value, Value)> = documents(&output)
        .into_iter()
        .map(|document| (document["vulnerability"]["id"].clone(), document["host"]["name"].clone()))
        .collect();
    let id = |number: u8| Value::from(format!("CVE-2025-000{number}"));
    let host = |name: &str| Value::from(name);
    let expected = [
        (id(3), Value::Null),
        (id(1), host("one")),
        (id(9), host("three")),
        (Value::Null, Value::Null),
        (id(2), Value::Null),
    ];
    assert_eq!(found, expected);
    let summary =
        "10 records, 5 documents, 0 dropped, 1 rejected, 5 held, 1 unmatched (machine), 1 unmatched (vulnerability)";
    assert!(said(&output).contains(summary), "{}", said(&output));
    assert!(documents(&output).iter().all(|document| document["@timestamp"] == "2025-01-31T08:00:00.000Z"));
}

#[test]
fn another_component_runs_in_place_of_the_embedded_one_unless_it_asks_for_more() {
    let components = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/components");
    let run = |name: &str| {
        let file = components.join(name);
        transform(&["alert", "--component", file.to_str().unwrap()], &alert(1))
    };
    let embedded = transform(&["alert", "--received-at", "2024-05-06T07:08:09Z"], &alert(1));
    let file = components.join("alert.wasm");
    let arguments = ["alert", "--component", file.to_str().unwrap(), "--received-at", "2024-05-06T07:08:09Z"];
    assert_eq!(transform(&arguments, &alert(1)).stdout, embedded.stdout);
    let greedy = run("hostile-import.wasm");
    assert_eq!(greedy.status.code(), Some(1));
    assert!(said(&greedy).contains("wasi:clocks/wall-clock"), "{}", said(&greedy));
}

#[test]
fn databases_and_inventory_that_cannot_be_had_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let output = transform(&["alert", "--geoip", path], &alert(1));
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains(&format!("--geoip: {path} has no City and no ASN database")), "{}", said(&output));
    std::fs::write(folder.path().join("city.mmdb"), "torn").unwrap();
    let output = transform(&["alert", "--geoip", path], &alert(1));
    assert!(said(&output).contains("city.mmdb is no whole MaxMind database"), "{}", said(&output));
    let output = transform(&["alert", "--inventory"], &alert(1));
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("--inventory: alert keeps none"), "{}", said(&output));
}

#[test]
fn every_column_of_every_table_of_events_has_a_field() {
    let options = EventOptions { count: Some(4_000), ..EventOptions::default() };
    let records: Vec<String> = events(&options).collect();
    let output = transform(&["event"], &records.join("\n"));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("4000 records, 4000 documents, 0 dropped, 0 rejected"), "{}", said(&output));
    for document in documents(&output) {
        assert!(document["error"].is_null(), "{document}");
        assert!(document["m365_defender"]["event"]["unmapped"].is_null(), "{document}");
    }
}
