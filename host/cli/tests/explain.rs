//! `explain`, and the explanations of components: which row made each field, and which columns nothing was made of.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use defenderbeat_sdk::{Batch, Document, Driver, Guest, Host, Memory};
use serde_json::{Map, Value, json};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A golden case: its payloads by feed, its settings and answers to lookups, and what is expected of it.
struct Case {
    name: String,
    pushes: Vec<(Option<String>, Vec<u8>)>,
    settings: Map<String, Value>,
    answers: BTreeMap<(String, String), String>,
    expected: String,
}

/// The cases of a dataset.
fn cases(dataset: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for entry in fs::read_dir(root("testdata").join(dataset)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        // What the names of files beside the input begin with.
        let (beside, pushes) = if path.is_dir() {
            let mut files: Vec<PathBuf> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
            files.sort();
            let feed = |file: &PathBuf| {
                let (number, feed) = file.file_stem()?.to_str()?.split_once('-')?;
                number.parse::<u32>().ok()?;
                Some((Some(feed.to_owned()), fs::read(file).unwrap()))
            };
            (format!("{}/", path.display()), files.iter().filter_map(feed).collect())
        } else if let Some(stem) = name.strip_suffix(".ndjson").filter(|stem| !stem.ends_with(".expected")) {
            (format!("{}.", path.with_file_name(stem).display()), vec![(None, fs::read(&path).unwrap())])
        } else {
            continue;
        };
        let read = |what: &str| fs::read_to_string(format!("{beside}{what}")).ok();
        let answers: Vec<BTreeMap<String, String>> =
            read("lookups.json").map(|text| serde_json::from_str(&text).unwrap()).unwrap_or_default();
        let answer = |answer: BTreeMap<String, String>| {
            ((answer["kind"].clone(), answer["key"].clone()), answer["fragment"].clone())
        };
        cases.push(Case {
            pushes,
            settings: read("settings.json").map(|text| serde_json::from_str(&text).unwrap()).unwrap_or_default(),
            answers: answers.into_iter().map(answer).collect(),
            expected: read("expected.ndjson").unwrap_or_else(|| panic!("{name} has no expectation")),
            name,
        });
    }
    assert!(cases.len() > 10);
    cases
}

/// A host that answers lookups as a case does.
struct Answering<'c>(Memory, &'c Case);

impl Host for Answering<'_> {
    fn write(&mut self, ndjson: &[u8], documents: &[Document]) {
        self.0.write(ndjson, documents);
    }

    fn find(&mut self, kind: &str, key: &str) -> Option<String> {
        self.1.answers.get(&(kind.to_owned(), key.to_owned())).cloned()
    }
}

/// What a guest makes of a case with the setting `explain`: lines.
fn explain<G: Guest>(case: &Case) -> Vec<String> {
    let mut settings = case.settings.clone();
    settings.insert("explain".to_owned(), Value::Bool(true));
    let mut driver = Driver::<G>::open(&Value::Object(settings).to_string()).unwrap();
    let mut host = Answering(Memory::default(), case);
    for (feed, payload) in &case.pushes {
        let number = |feed: &String| G::DESCRIPTOR.feeds.iter().position(|known| known.name == feed).unwrap();
        let feed = feed.as_ref().map_or(0, number);
        let batch = Batch { feed, received_at: 1_735_689_600_000, payloads: std::slice::from_ref(payload) };
        let receipt = driver.push(&batch, &mut host);
        driver.learn(&receipt.facts);
    }
    if case.pushes.iter().any(|(feed, _)| feed.is_some()) {
        driver.finish(&mut host);
    }
    String::from_utf8(host.0.ndjson).unwrap().lines().map(str::to_owned).collect()
}

/// Paths of the values of a document, lists with indexes.
fn leaves(path: &str, value: &Value, all: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            leaves(&if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, value, all);
        }),
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().enumerate().for_each(|(index, item)| leaves(&format!("{path}[{index}]"), item, all));
        }
        _ => all.push(path.to_owned()),
    }
}

/// Whether a field that is listed is, or has in it, the value at a path.
fn covers(field: &str, path: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The text of the row at a place.
fn row(file: &str, line: usize) -> String {
    let text = fs::read_to_string(root("pipelines").join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    text.lines().skip(line - 1).take(6).collect::<Vec<_>>().join("\n")
}

fn check<G: Guest>(dataset: &str) {
    for case in cases(dataset) {
        let lines = explain::<G>(&case);
        let name = format!("{dataset}/{}", case.name);
        assert_eq!(lines.len(), case.expected.lines().count(), "{name}");
        for (line, expected) in lines.iter().zip(case.expected.lines()) {
            // Half a surrogate pair, numbers beyond double precision and more than 127 levels cannot be compared as values.
            let values = (serde_json::from_str::<Value>(expected), serde_json::from_str::<Value>(line));
            let (Ok(mut expected), Ok(explanation)) = values else {
                assert!(line.starts_with(&format!("{{\"document\":{expected},\"fields\":[")), "{name}");
                continue;
            };
            let mut document = explanation["document"].clone();
            if case.pushes.len() > 1 && document["error"].is_object() {
                // A join keeps the records at fault, an explanation the whole record, and errors come in another order.
                for document in [&mut document, &mut expected] {
                    document["event"].as_object_mut().unwrap().remove("original");
                    if let Some(messages) = document["error"]["message"].as_array_mut() {
                        messages.sort_by_key(ToString::to_string);
                    }
                }
            }
            assert_eq!(document, expected, "{name}");
            let fields = explanation["fields"].as_array().unwrap();
            let mut all = Vec::new();
            leaves("", &explanation["document"], &mut all);
            for path in all {
                let count = fields.iter().filter(|field| covers(field["field"].as_str().unwrap(), &path)).count();
                assert_eq!(count, 1, "{name}: {path}");
            }
            for origin in fields.iter().flat_map(|field| field["origins"].as_array().unwrap()) {
                let by = origin["by"].as_str().unwrap();
                match (by, &origin["file"], origin["line"].as_u64()) {
                    ("engine", Value::Null, None) => {}
                    ("settings", Value::Null, None) => assert!(origin["setting"].as_str().unwrap().starts_with("$.")),
                    (by, Value::String(file), Some(line)) => {
                        let row = row(file, usize::try_from(line).unwrap());
                        let first = row.lines().next().unwrap();
                        assert!(
                            first.trim_start().starts_with("- ") || first.starts_with("time:"),
                            "{name}: {origin}: {row}"
                        );
                        assert!(!by.contains("::") || row.contains(by), "{name}: {origin}: {row}");
                    }
                    _ => panic!("{name}: {origin}"),
                }
            }
            for column in explanation["columns"].as_array().unwrap() {
                let why = column["why"].as_str().unwrap();
                let known = ["empty", "unmapped", "duplicate", "no result", "ignored"];
                assert!(known.contains(&why) && column["column"].is_string(), "{name}: {column}");
            }
        }
    }
}

#[test]
fn every_field_of_every_golden_document_is_explained() {
    check::<defenderbeat_alert::Alert>("alert");
    check::<defenderbeat_incident::Incident>("incident");
    check::<defenderbeat_event::Event>("event");
    check::<defenderbeat_vulnerability::Vulnerability>("vulnerability");
}

fn run(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_defenderbeat"));
    command.arg("explain").args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A process that refuses its arguments does not read.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

/// Explanations as JSON, one a document.
fn explained(arguments: &[&str], input: &str) -> Vec<Value> {
    let output = run(&[arguments, &["--json"]].concat(), input);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Value and origins of a field.
fn field<'e>(explanation: &'e Value, name: &str) -> (&'e Value, &'e Value) {
    let found = explanation["fields"].as_array().unwrap().iter().find(|field| field["field"] == name);
    let found = found.unwrap_or_else(|| panic!("{name} is not explained"));
    (&found["value"], &found["origins"])
}

/// Why nothing was made of a column.
fn why<'e>(explanation: &'e Value, column: &str) -> &'e str {
    let found = explanation["columns"].as_array().unwrap().iter().find(|one| one["column"] == column);
    found.map_or("", |found| found["why"].as_str().unwrap())
}

const ALERT: &str = r##"{"id":"a-1","lastUpdateDateTime":"2024-05-06T07:08:09Z","severity":"High","unheardOf":{"x":1},
  "actorDisplayName":"","firstActivityDateTime":"2024-05-06T07:00:00Z","alertWebUrl":"https://portal.example/a?b",
  "evidence":[{"@odata.type":"#microsoft.graph.security.userEvidence","mdeDeviceId":"d-0"},
              {"@odata.type":"#microsoft.graph.security.deviceEvidence","mdeDeviceId":"d-1","mine":7}]}"##;

#[test]
fn each_kind_of_row_is_named_with_its_place_and_its_columns() {
    let explanations = explained(&["alert", "--tag", "demo"], ALERT);
    let [alert] = explanations.as_slice() else { panic!("{explanations:?}") };
    let origin = |name: &str| field(alert, name).1[0].clone();
    assert_eq!(
        (origin("event.severity")["by"].as_str(), &origin("event.severity")["from"]),
        (Some("lookup"), &json!(["severity"]))
    );
    assert!(
        row("alert.yml", usize::try_from(origin("event.severity")["line"].as_u64().unwrap()).unwrap())
            .contains("lookup: severity")
    );
    assert_eq!(origin("@timestamp")["from"], json!(["lastUpdateDateTime"]));
    assert_eq!(origin("event.kind")["by"], "const");
    assert_eq!(origin("host.id")["from"], json!(["evidence[1].mdeDeviceId"]));
    assert_eq!(origin("m365_defender.alert.evidence[0].mde_device_id")["from"], json!(["evidence[0].mdeDeviceId"]));
    assert_eq!(origin("m365_defender.alert.evidence[1].mine")["by"], "keep");
    assert_eq!(origin("m365_defender.alert.evidence[1].mine")["from"], json!(["evidence[1].mine"]));
    let hosts: Vec<&Value> =
        field(alert, "related.hosts").1.as_array().unwrap().iter().map(|one| &one["from"]).collect();
    assert_eq!(hosts, [&json!(["evidence[0].mdeDeviceId"]), &json!(["evidence[1].mdeDeviceId"])]);
    assert_eq!(field(alert, "tags"), (&json!(["demo"]), &json!([{ "by": "settings", "setting": "$.tags" }])));
    assert_eq!(field(alert, "event.ingested").1, &json!([{ "by": "engine" }]));
    assert_eq!(field(alert, "m365_defender.alert.unmapped").0, &json!({ "unheardOf": { "x": 1 } }));
    assert_eq!(why(alert, "unheardOf"), "unmapped");
    assert_eq!(why(alert, "actorDisplayName"), "empty");
    assert_eq!(why(alert, "firstActivityDateTime"), "", "event.start is made of it");
}

#[test]
fn what_a_site_changes_is_told_as_its_settings() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let settings = json!({
        "rows": [{ "from": "$.unheardOf.x", "as": "keyword", "to": "site.x" }],
        "processors": [{ "add_fields": { "target": "", "fields": { "event.severity": 1 } } }, { "add_tags": { "tags": ["late"] } }],
        "namespace": "lab",
    });
    fs::write(file.path(), settings.to_string()).unwrap();
    let [alert] = &explained(&["alert", "--tag", "early", "--settings", file.path().to_str().unwrap()], ALERT)[..]
    else {
        panic!()
    };
    let setting = |path: &str| json!({ "by": "settings", "setting": path });
    assert_eq!(
        field(alert, "site.x"),
        (&json!("1"), &json!([{ "by": "settings", "setting": "$.rows[0]", "from": ["unheardOf.x"] }]))
    );
    let (severity, origins) = field(alert, "event.severity");
    assert_eq!(
        (severity, &origins[1], origins[0]["by"].as_str()),
        (&json!(1), &setting("$.processors[0]"), Some("lookup"))
    );
    assert_eq!(
        field(alert, "tags"),
        (&json!(["early", "late"]), &json!([setting("$.tags"), setting("$.processors[1]")]))
    );
    assert_eq!(field(alert, "data_stream.namespace").1, &json!([setting("$.namespace")]));
    assert_eq!(why(alert, "unheardOf"), "", "a row of the site took all of it");
}

#[test]
fn chains_functions_and_duplicates_of_the_other_datasets() {
    let device = fs::read_to_string(root("testdata/event/table-device-process-events.ndjson")).unwrap();
    let [event] = &explained(&["event"], &device)[..] else { panic!() };
    let (_, origins) = field(event, "process.args");
    assert!(origins[0]["by"].as_str().unwrap().contains("::") && origins[0]["file"] == "event/device.yml", "{origins}");
    assert_eq!(field(event, "@timestamp").1[0]["from"], json!(["properties.Timestamp"]));

    let line = r#"{"Id":"x","DeviceId":"m","CveId":"CVE-2024-1","SoftwareName":"tool","OSPlatform":"Windows11"}"#;
    let [finding] = &explained(&["vulnerability"], line)[..] else { panic!() };
    assert_eq!(field(finding, "host.id").1[0]["from"], json!(["deviceId"]), "the row behind `else`");
    assert_eq!(finding["columns"], json!([]));

    let incident = r#"{"id":"1","lastUpdateDateTime":"2024-05-06T07:08:09Z","alerts":[{"id":"a"},{"id":"b"}]}"#;
    let incidents = explained(&["incident"], incident);
    assert_eq!(incidents.len(), 2);
    assert_eq!(field(&incidents[1], "m365_defender.incident.alert.id").0, "b");
}

#[test]
fn a_sync_is_explained_by_whole_records() {
    let feed = |name: &str, number: u32| {
        format!("{name}={}", root(&format!("testdata/vulnerability/joined/0{number}-{name}.json")).display())
    };
    let (machines, vulnerabilities, products) = (feed("machines", 1), feed("vulnerabilities", 2), feed("products", 3));
    let findings =
        explained(&["vulnerability", "--feed", &machines, "--feed", &vulnerabilities, "--feed", &products], "");
    let finding = findings.iter().find(|finding| finding["document"]["host"]["id"].is_string()).unwrap();
    assert_eq!(field(finding, "host.id").1[0]["from"], json!(["affectedMachine.machineId"]));
}

#[test]
fn without_json_it_is_a_table() {
    let output = run(&["alert"], ALERT);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("document ") && text.contains("FIELD") && text.contains("COLUMN THAT NOTHING WAS MADE OF")
    );
    let line = text.lines().find(|line| line.starts_with("event.severity ")).unwrap();
    assert!(line.contains(" 73 ") && line.contains("severity as lookup") && line.contains("alert.yml:"), "{line}");
    let line = text.lines().find(|line| line.starts_with("unheardOf ")).unwrap();
    assert!(line.contains("kept under unmapped"), "{line}");
}

#[test]
fn rejects_are_shown_and_what_is_wrong_is_said() {
    let output = run(&["alert"], "{\"id\":\"1\"}\nnot json\n");
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("rejected at byte 11: malformed"), "{text}");
    let output = run(&["alert", "--json"], "not json");
    let reject: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&reject["rejected"]["code"], &reject["rejected"]["offset"]), (&json!("malformed"), &json!(0)));

    let said = |arguments: &[&str]| {
        let output = run(arguments, "");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = said(&["alert", "there-is-no-such-file"]);
    assert!(code == Some(1) && text.contains("there-is-no-such-file"), "{text}");
    let (code, text) = said(&["alert", "--feed", "machines=x"]);
    assert!(code == Some(2) && text.contains("no such feed"), "{text}");
    let (code, text) = said(&["alert", "--inventory"]);
    assert!(code == Some(2) && text.contains("--inventory: alert keeps none"), "{text}");
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), r#"{"tgas":[]}"#).unwrap();
    let (code, text) = said(&["alert", "--settings", file.path().to_str().unwrap()]);
    assert!(code == Some(1) && text.contains("tgas"), "{text}");
    fs::write(file.path(), "[]").unwrap();
    let (code, text) = said(&["alert", "--settings", file.path().to_str().unwrap()]);
    assert!(code == Some(1) && text.contains("no JSON object"), "{text}");
}
