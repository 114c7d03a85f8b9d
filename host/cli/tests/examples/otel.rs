//! The OpenTelemetry Collector (`host/examples/otel`): a file of payloads in, a file of log records with documents out.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::{go, root, run_or_skip, text};

/// A copy of the example beside that of the Go host, on which it stands, or why there is none.
static PROJECT: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    go::PROJECT.clone()?;
    go::copy("otel")
});

/// The built collector.
static COLLECTOR: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    let project = PROJECT.clone()?;
    let built = Command::new("sh").arg("build.sh").current_dir(&project).output();
    let built = built.map_err(|error| format!("sh does not run: {error}"))?;
    if !built.status.success() {
        return Err(format!("the collector cannot be built: {}", text(&built)));
    }
    Ok(project.join("collector/collector"))
});

/// Ends the collector with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Where it has ended there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What becomes of records, one a line, in a collector that is configured as `collector.yaml` and this say.
struct Run {
    folder: tempfile::TempDir,
    command: Command,
}

impl Run {
    fn new(collector: &PathBuf, records: &str, processor: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::write(file("records.ndjson"), records).unwrap();
        fs::write(file("more.yaml"), format!("processors: {{defenderbeat: {processor}}}")).unwrap();
        let mut command = Command::new(collector);
        command
            .arg("--config")
            .arg(root().join("host/examples/otel/collector.yaml"))
            .arg("--config")
            .arg(file("more.yaml"))
            .env("RECORDS", file("records.ndjson"))
            .env("DOCUMENTS", file("documents.json"))
            .env("COMPONENTS", root().join("target/components"))
            .stdout(Stdio::null());
        Self { folder, command }
    }

    /// Runs until so many log records have come out.
    fn records(&mut self, count: usize) -> Vec<Value> {
        let log = self.folder.path().join("log");
        let _running = Running(self.command.stderr(fs::File::create(&log).unwrap()).spawn().unwrap());
        let ends = Instant::now() + Duration::from_secs(120);
        loop {
            let written = fs::read_to_string(self.folder.path().join("documents.json")).unwrap_or_default();
            // The last line may not be all there yet.
            let lines = written.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let found: Vec<Value> = lines.flat_map(|line| log_records(&serde_json::from_str(line).unwrap())).collect();
            if found.len() >= count {
                return found;
            }
            assert!(Instant::now() < ends, "{} of {count}: {}", found.len(), fs::read_to_string(&log).unwrap());
            thread::sleep(Duration::from_millis(100));
        }
    }
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

fn log_records(line: &Value) -> Vec<Value> {
    list(line, "resourceLogs")
        .flat_map(|resource| list(resource, "scopeLogs"))
        .flat_map(|scope| list(scope, "logRecords"))
        .cloned()
        .collect()
}

/// A value of OTLP as JSON.
fn plain(value: &Value) -> Value {
    let Some((kind, value)) = value.as_object().and_then(|object| object.iter().next()) else { return Value::Null };
    match kind.as_str() {
        "kvlistValue" => Value::Object(members(value, "values")),
        "arrayValue" => list(value, "values").map(plain).collect(),
        "intValue" => value.as_str().unwrap().parse::<i64>().unwrap().into(),
        _ => value.clone(),
    }
}

fn members(value: &Value, name: &str) -> Map<String, Value> {
    list(value, name).map(|member| (member["key"].as_str().unwrap().to_owned(), plain(&member["value"]))).collect()
}

/// A golden case of which each line is a record.
const CASE: &str = "alert/severities";
/// When the records of golden cases were received, which is told in each document.
const RECEIVED: &str = "2025-01-01T00:00:00.000Z";

fn case(ending: &str) -> String {
    fs::read_to_string(root().join(format!("testdata/{CASE}.{ending}"))).unwrap()
}

/// A document as if it had been received when the records of golden cases were.
fn received(document: &str) -> String {
    let value: Value = serde_json::from_str(document).unwrap();
    document.replace(value["event"]["ingested"].as_str().unwrap(), RECEIVED)
}

#[test]
fn the_otel_examples_own_tests_pass() {
    let Some(project) = run_or_skip(&PROJECT) else { return };
    go::test(project);
}

#[test]
fn a_collector_makes_the_documents_of_golden_cases() {
    let Some(collector) = run_or_skip(&COLLECTOR) else { return };
    let expected = case("expected.ndjson");
    let expected: Vec<&str> = expected.lines().collect();
    let records = format!("{}not a record\n", case("ndjson"));
    let as_in_golden_cases = "{body: text, settings: {tags: [], preserve_original_event: false}}";
    let found = Run::new(&collector.to_owned(), &records, as_in_golden_cases).records(expected.len() + 1);
    for (record, expected) in found.iter().zip(&expected) {
        let document = received(record["body"]["stringValue"].as_str().unwrap());
        assert_eq!(document, *expected);
        let attributes = members(record, "attributes");
        assert_eq!(attributes["data_stream.dataset"], "m365_defender.alert");
        assert_eq!(attributes["log.file.name"], "records.ndjson");
        assert_eq!(attributes["elasticsearch.document_id"].as_str().unwrap().len(), 32);
    }
    let rejected = found.last().unwrap();
    assert_eq!(rejected["body"]["stringValue"], "not a record");
    assert_eq!(members(rejected, "attributes")["defenderbeat.reject.code"], "malformed");
}

#[test]
fn a_document_is_a_body_of_fields() {
    let Some(collector) = run_or_skip(&COLLECTOR) else { return };
    let expected = case("expected.ndjson");
    let found = Run::new(&collector.to_owned(), &case("ndjson"), "{settings: {preserve_original_event: false}}")
        .records(expected.lines().count());
    for (record, expected) in found.iter().zip(expected.lines()) {
        let document = plain(&record["body"]);
        let mut expected: Value = serde_json::from_str(expected).unwrap();
        // What collector.yaml and the collector's clock make different.
        expected["tags"] = serde_json::json!(["soc"]);
        let mut document: Value = serde_json::from_str(&received(&document.to_string())).unwrap();
        document["tags"].as_array_mut().unwrap().retain(|tag| tag == "soc");
        assert_eq!(document, expected);
    }
}

#[test]
fn a_collector_does_not_start_with_settings_that_are_refused() {
    let Some(collector) = run_or_skip(&COLLECTOR) else { return };
    let mut run = Run::new(&collector.to_owned(), "", "{settings: {tag: []}}");
    let output = run.command.output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output).contains("settings refused at $.tag"), "{}", text(&output));
}
