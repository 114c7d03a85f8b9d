//! Setting the server up. It lacks lifecycle policies, transforms and some field types, so this is what is left of setup without
//! them; the rest is tested against a fake.

use std::path::Path;
use std::process::Output;

use defenderbeat_elasticsearch::User;
use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Server, server};

/// Inputs of all datasets; what they collect from is not asked.
const INPUTS: &str = "
inputs:
  - {id: a, type: alert, tenant_id: t, client_id: c, client_secret: s, data_stream.namespace: setup}
  - {id: i, type: incident, tenant_id: t, client_id: c, client_secret: s, data_stream.namespace: setup}
  - {id: v, type: vulnerability, tenant_id: t, client_id: c, client_secret: s, data_stream.namespace: setup}
  - id: e
    type: event
    eventhub: defender
    connection_string: Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=a2V5
    data_stream.namespace: setup
";

fn run(server: &Server, user: &User, command: &[&str]) -> Output {
    // Overlapping templates must not have the same priority; this one is for the tests that need no mapping.
    let template = json!({"index_patterns": ["logs-m365_defender.*-*"], "data_stream": {}, "priority": 1});
    server.ask(Method::PUT, "/_index_template/logs-m365_defender", &template.to_string());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("defenderbeat.yml");
    std::fs::write(&file, INPUTS).unwrap();
    let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_defenderbeat"));
    process.args(command).arg("-c").arg(&file).args(["-E", &server.output(user)]);
    process.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What it prints; it has to succeed.
fn said(server: &Server, command: &[&str]) -> String {
    let output = run(server, server.elasticsearch.admin(), command);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Documents of the golden cases of a dataset.
fn golden(dataset: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(dataset);
    let mut documents = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file = if path.is_dir() { path.join("expected.ndjson") } else { path };
        if file.to_str().unwrap().ends_with("expected.ndjson") {
            documents.extend(std::fs::read_to_string(file).unwrap().lines().map(str::to_owned));
        }
    }
    documents
}

/// Adds documents to a data stream, all of which have to be taken.
fn add(server: &Server, stream: &str, documents: &[String]) {
    for some in documents.chunks(200) {
        let body: String = some.iter().map(|document| format!("{{\"create\":{{}}}}\n{document}\n")).collect();
        let answer = server.ask(Method::POST, &format!("/{stream}/_bulk?refresh=true"), &body);
        for item in answer["items"].as_array().unwrap() {
            assert_eq!(item["create"]["status"], 201, "{stream}: {item}");
        }
    }
}

#[test]
fn all_golden_documents_are_taken_by_what_setup_makes() {
    let Some(server) = server() else { return };
    let first = said(&server, &["setup"]);
    assert!(first.contains("lacks the field type wildcard: keyword takes its place"), "{first}");
    assert!(first.contains("lacks transforms"), "{first}");
    assert!(first.contains("data streams get a lifecycle of their own"), "{first}");
    let second = said(&server, &["setup"]);
    assert!(second.ends_with("created 0, changed 0, unchanged 12, left alone 0\n"), "{second}");

    for dataset in ["alert", "incident", "event", "vulnerability"] {
        let stream = format!("logs-m365_defender.{dataset}-setup");
        let path = format!("/_index_template/_simulate_index/{stream}");
        let template = server.ask(Method::POST, &path, "")["template"].clone();
        let retention = if dataset == "vulnerability" { json!("7d") } else { Value::Null };
        assert_eq!(template["lifecycle"]["data_retention"], retention);
        assert_eq!(template["lifecycle"]["enabled"], true);

        let documents = golden(dataset);
        add(&server, &stream, &documents);
        // A data stream, as its backing index shows.
        let count = server.ask(Method::GET, &format!("/.ds-{stream}-*/_count"), "")["count"].clone();
        assert_eq!(count, documents.len());
        // A query that names no field asks all texts.
        let found = server.ask(Method::GET, &format!("/{stream}/_search?q=word&size=0"), "");
        assert_eq!(found["_shards"]["failed"], 0, "{stream}: {found}");
        // Only texts that are too long are left out of the index.
        let ignored = json!({"size": 100, "_source": false, "stored_fields": ["_ignored"], "query": {"exists": {"field": "_ignored"}}});
        let hits = server.ask(Method::POST, &format!("/{stream}/_search"), &ignored.to_string());
        for hit in hits["hits"]["hits"].as_array().unwrap() {
            let fields = hit["_ignored"].to_string();
            assert!(fields.contains("command_line") || fields.contains("args"), "{fields}");
        }
    }
    let query = json!({"query": {"term": {"process.name.caseless": "powershell.exe"}}});
    let found = server.ask(Method::POST, "/logs-m365_defender.event-setup/_count", &query.to_string());
    assert!(found["count"].as_u64() > Some(0), "{found}");

    let tested = said(&server, &["test", "output"]);
    assert!(tested.contains("template logs-m365_defender.event@defenderbeat"), "{tested}");
}

/// Whatever a source or a site invents, documents are taken.
#[test]
fn what_nobody_foresaw_is_taken_and_makes_few_fields() {
    let Some(server) = server() else { return };
    said(&server, &["setup"]);
    let document =
        |own: Value| json!({"@timestamp": "2026-01-01T00:00:00.000Z", "m365_defender": {"alert": own}}).to_string();
    let many: serde_json::Map<String, Value> =
        (0..2500).map(|number| (format!("field_{number}"), "x".into())).collect();
    let documents = [
        document(json!({"unmapped": {"a": {"b": [1, {"c": "d"}]}, "x".repeat(500): "y".repeat(40_000)}})),
        document(json!({"evidence": [{"new": "text"}, {"new": {"object": 1}}, {"new": 7}]})),
        document(json!({"evidence": [{"registry": "text", "urls": [{"a": 1}], "location": 5}]})),
        document(json!({"created_datetime": "not a date"})),
        json!({"@timestamp": "2026-01-01T00:00:00.000Z", "client": {"ip": "10.0.0.1"}, "site": {"name": "x"}})
            .to_string(),
        json!({"@timestamp": "2026-01-01T00:00:00.000Z", "site": many}).to_string(),
    ];
    let stream = "logs-m365_defender.alert-unforeseen";
    add(&server, stream, &documents);
    let capabilities = server.ask(Method::GET, &format!("/{stream}/_field_caps?fields=*"), "");
    let fields = capabilities["fields"].as_object().unwrap();
    assert!(fields.len() < 2200, "{}", fields.len());
    assert!(fields["client.ip"].get("ip").is_some(), "{}", fields["client.ip"]);
    assert!(!fields.contains_key("m365_defender.alert.evidence.new"));
}

#[test]
fn an_account_that_may_not_set_up_is_told_so_and_nothing_is_written() {
    let Some(server) = server() else { return };
    let output = run(&server, server.elasticsearch.writer(), &["setup"]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("the account may not") && error.contains("docs/elasticsearch.md"), "{error}");
    assert!(!error.contains(&server.elasticsearch.writer().password));
}

#[test]
fn a_dry_run_makes_nothing() {
    let Some(server) = server() else { return };
    let templates = || {
        let request = server.elasticsearch.request(Method::GET, "/_component_template/logs-m365_defender.*", "");
        server.runtime.block_on(request).unwrap().body
    };
    let before = templates();
    let said = said(&server, &["setup", "--dry-run"]);
    assert!(said.contains("nothing was written"), "{said}");
    assert_eq!(templates(), before);
}
