//! `docs fields`: the reference of fields is complete, and docs/reference is what the program prints.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};

const DATASETS: [&str; 4] = ["alert", "incident", "event", "vulnerability"];

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn docs(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_defenderbeat")).args(["docs", "fields"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn references() -> Vec<Value> {
    serde_json::from_str(&docs(&["all", "--format", "json"])).unwrap()
}

#[test]
fn the_pages_are_what_the_program_prints() {
    for dataset in DATASETS {
        let page = root("docs/reference").join(format!("{dataset}.md"));
        let text = fs::read_to_string(&page).unwrap_or_default();
        assert!(text == docs(&[dataset]), "{} is out of date: run `make reference`", page.display());
    }
    let all: Vec<String> = DATASETS.iter().map(|dataset| docs(&[dataset])).collect();
    assert_eq!(docs(&["all"]), all.join("\n"));
}

#[test]
fn every_field_says_what_it_means_and_where_it_comes_from() {
    let references = references();
    assert_eq!(references.iter().map(|reference| reference["dataset"].as_str().unwrap()).collect::<Vec<_>>(), DATASETS);
    for reference in references {
        let example = &reference["example"];
        assert_eq!(example["data_stream"]["dataset"], reference["data_stream"]);
        let mut before = String::new();
        for field in reference["fields"].as_array().unwrap() {
            let (name, about) = (field["name"].as_str().unwrap(), field["description"].as_str().unwrap());
            assert!(before.as_str() < name, "{name} comes behind {before}");
            assert!(about.len() > 5 && about.ends_with('.') && !field["type"].as_str().unwrap().is_empty(), "{field}");
            let of = match name {
                own if own.starts_with("m365_defender.") => "own",
                "resource.id" | "application.name" | "Target.process.pid" => "Elastic",
                _ if field["of"] == "Elastic" => "Elastic",
                _ => "ECS",
            };
            assert_eq!(field["of"], of, "{name}");
            for row in field["rows"].as_array().unwrap() {
                let (file, line) = row.as_str().unwrap().rsplit_once(':').unwrap();
                let text = fs::read_to_string(root("pipelines").join(file)).unwrap();
                let line: usize = line.parse().unwrap();
                assert!(text.lines().nth(line - 1).is_some_and(|line| !line.trim().is_empty()), "{field}");
            }
            before = name.to_owned();
        }
    }
}

/// Paths of all values of a document, lists without indexes.
fn leaves(path: &str, value: &Value, all: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| {
            leaves(&if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, value, all);
        }),
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            items.iter().for_each(|item| leaves(path, item, all));
        }
        _ => all.push(path.to_owned()),
    }
}

/// The golden documents of a dataset, without those of cases whose settings add fields.
fn documents(folder: &Path) -> Vec<(PathBuf, Value)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(documents(&path));
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(case) = name.strip_suffix("expected.ndjson") else { continue };
        let settings =
            fs::read_to_string(path.with_file_name(format!("{case}settings.json"))).unwrap_or("{}".to_owned());
        let settings: Map<String, Value> = serde_json::from_str(&settings).unwrap();
        if ["rows", "processors", "agent"].iter().any(|key| settings.contains_key(*key)) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // What JSON cannot hold, such as half a surrogate pair, is text of values.
        let parsed = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        all.extend(parsed.map(|document| (path.clone(), document)));
    }
    all
}

#[test]
fn every_field_of_every_golden_document_is_listed() {
    for reference in references() {
        let listed: BTreeMap<&str, &Value> = reference["fields"]
            .as_array()
            .unwrap()
            .iter()
            .map(|field| (field["name"].as_str().unwrap(), field))
            .collect();
        let is_listed = |path: &str| {
            let above = path.match_indices('.').map(|(at, _)| &path[..at]);
            let holds_any = |field: &&Value| {
                let kind = field["type"].as_str().unwrap();
                field["open"] == true || ["flattened", "any", "object", "nested", "geo_point"].contains(&kind)
            };
            listed.contains_key(path) || above.filter_map(|path| listed.get(path)).any(holds_any)
        };
        let dataset = reference["dataset"].as_str().unwrap();
        let documents = documents(&root("testdata").join(dataset));
        assert!(documents.len() > 30);
        for (file, document) in documents {
            let mut all = Vec::new();
            leaves("", &document, &mut all);
            for path in all {
                assert!(is_listed(&path), "{}: {path} is not in `docs fields {dataset}`", file.display());
            }
        }
    }
}

#[test]
fn an_unknown_dataset_is_wrong_usage() {
    let output = Command::new(env!("CARGO_BIN_EXE_defenderbeat")).args(["docs", "fields", "alerts"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("vulnerability"));
}

#[test]
fn the_page_of_metrics_is_what_the_program_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_defenderbeat")).args(["docs", "metrics"]).output().unwrap();
    let page = root("docs/metrics.md");
    let text = fs::read_to_string(&page).unwrap_or_default();
    assert!(
        text == String::from_utf8(output.stdout).unwrap(),
        "{} is out of date: run `make reference`",
        page.display()
    );
}

/// The words of an expression that are no functions, labels or variables of Grafana.
fn metrics_of(expression: &str) -> Vec<&str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c| !word(c));
    words.filter(|word| word.starts_with("defenderbeat_") || word.starts_with("process_")).collect()
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    let known: Vec<&str> = defenderbeat_collector::metrics::definitions().map(|definition| definition.name).collect();
    let text = fs::read_to_string(root("docs/dashboards/grafana.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row");
    let mut asked = 0;
    for panel in panels {
        let targets = panel["targets"].as_array().unwrap();
        let expressions = targets.iter().map(|target| target["expr"].as_str().unwrap());
        for expression in expressions {
            let metrics = metrics_of(expression);
            assert!(!metrics.is_empty(), "{}: {expression}", panel["title"]);
            for metric in metrics {
                assert!(known.contains(&metric), "{}: there is no metric {metric}", panel["title"]);
                let is_counter = metric.ends_with("_total");
                assert!(
                    !is_counter || expression.contains("rate(") || expression.contains("increase("),
                    "{expression}"
                );
                asked += 1;
            }
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        for metric in metrics_of(variable["definition"].as_str().unwrap_or_default()) {
            assert!(known.contains(&metric), "there is no metric {metric}");
        }
    }
    assert!(asked > 25);
    // What operations.md says is worth an alarm can be asked for too.
    let operations = fs::read_to_string(root("docs/operations.md")).unwrap();
    for metric in metrics_of(&operations) {
        assert!(known.contains(&metric), "docs/operations.md: there is no metric {metric}");
    }
}
