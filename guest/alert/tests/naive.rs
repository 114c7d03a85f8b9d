//! The engine against a naive interpreter: the rows of `pipelines/alert.yml` read as they are written, applied to a
//! `serde_json::Value`, give the same fields as the compiled table. Functions (`by:`) that fill items are read as well;
//! the others have tests of their own and are left out here.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use defenderbeat_alert::Alert;
use defenderbeat_sdk::{Batch, Driver, Memory};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A pipeline as plain YAML.
struct Pipeline {
    dataset: String,
    rows: Vec<Value>,
    lists: Vec<Value>,
    lookups: Value,
}

fn read(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines").join(name);
    serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn array(value: &Value, key: &str) -> Vec<Value> {
    value.get(key).and_then(Value::as_array).cloned().unwrap_or_default()
}

impl Pipeline {
    fn load() -> Self {
        let yaml = read("alert.yml");
        Self {
            dataset: yaml["dataset"].as_str().unwrap().to_owned(),
            rows: shaped(array(&yaml, "rows"), false),
            lists: array(&yaml, "lists").into_iter().map(resolve).collect(),
            lookups: yaml["lookups"].clone(),
        }
    }
}

/// Replaces `include` by what it includes.
fn resolve(mut list: Value) -> Value {
    let included = list.get("include").and_then(Value::as_str).map(read).unwrap_or(json!({}));
    let rows = [array(&list, "rows"), array(&included, "rows")].concat();
    let lists: Vec<Value> =
        [array(&list, "lists"), array(&included, "lists")].concat().into_iter().map(resolve).collect();
    list["rows"] = Value::Array(shaped(rows, true));
    list["lists"] = Value::Array(lists);
    list
}

/// Notes at each row what its source may hold: that follows from the fields to which some row copies it.
fn shaped(mut rows: Vec<Value>, in_item: bool) -> Vec<Value> {
    let copied = |row: &&Value| {
        let mut targets = targets(row).into_iter().filter(|target| !in_item || target.starts_with('.'));
        row.get("as").is_none() && row.get("by").is_none() && targets.next().is_some()
    };
    let shapes: BTreeMap<String, Value> = rows
        .iter()
        .filter(copied)
        .map(|row| (row["from"].to_string(), row.get("type").cloned().unwrap_or(json!("keyword"))))
        .collect();
    for row in &mut rows {
        let shape = row.get("from").and_then(|from| shapes.get(&from.to_string())).cloned();
        row["shape"] = shape.unwrap_or(json!("any"));
    }
    rows
}

/// The value, unless no field that it is copied to can hold it.
fn fitting(row: &Value, value: Value) -> Value {
    fn holds_object(value: &Value) -> bool {
        value.is_object() || value.as_array().is_some_and(|items| items.iter().any(holds_object))
    }
    let fits = match row["shape"].as_str() {
        Some("any") => true,
        Some("flattened") => match &value {
            Value::Array(items) => items.iter().all(|item| item.is_object() || item.is_null()),
            single => single.is_object(),
        },
        _ => !holds_object(&value),
    };
    if fits { value } else { Value::Null }
}

/// `a.b`, `['odd']` and `list[].a` as steps; lists are `"[]"`.
fn steps(path: &str) -> Vec<String> {
    path.replace(".['", "\0")
        .replace("['", "\0")
        .replace("']", "\0")
        .replace("[]", "\0[]\0")
        .split('\0')
        .flat_map(|part| {
            if part.contains('@') || part == "[]" {
                vec![part.to_owned()]
            } else {
                part.split('.').map(str::to_owned).collect()
            }
        })
        .filter(|step| !step.is_empty())
        .collect()
}

fn get(value: &Value, steps: &[String]) -> Value {
    steps.iter().try_fold(value, |value, step| value.as_object()?.get(step)).cloned().unwrap_or(Value::Null)
}

fn items(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.iter().filter(|item| item.is_object()).cloned().collect(),
        Value::Object(_) => vec![value.clone()],
        _ => Vec::new(),
    }
}

/// All values of a path, through lists, each with the innermost item.
fn all(value: &Value, steps: &[String]) -> Vec<(Value, Value)> {
    match steps.iter().position(|step| step == "[]") {
        None => vec![(get(value, steps), value.clone())],
        Some(at) => items(&get(value, &steps[..at])).iter().flat_map(|item| all(item, &steps[at + 1..])).collect(),
    }
}

fn prune(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept: Map<_, _> = members
                .into_iter()
                .map(|(key, value)| (key, prune(value)))
                .filter(|(_, value)| !empty(value))
                .collect();
            if kept.is_empty() { Value::Null } else { Value::Object(kept) }
        }
        Value::Array(items) => {
            let kept: Vec<_> = items.into_iter().map(prune).filter(|value| !empty(value)).collect();
            if kept.is_empty() { Value::Null } else { Value::Array(kept) }
        }
        other if empty(&other) => Value::Null,
        other => other,
    }
}

fn empty(value: &Value) -> bool {
    value.is_null() || value == "" || *value == json!([]) || *value == json!({})
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn convert(pipeline: &Pipeline, row: &Value, value: Value) -> Value {
    let op = row.get("as").and_then(Value::as_str).unwrap_or("copy");
    if empty(&value) {
        return Value::Null;
    }
    if let (Value::Array(items), false) = (&value, matches!(op, "copy" | "list" | "json")) {
        return prune(Value::Array(items.iter().map(|item| convert(pipeline, row, item.clone())).collect()));
    }
    match op {
        "copy" => prune(value),
        "list" if value.is_array() => prune(value),
        "list" => prune(json!([value])),
        "object" => Some(prune(value)).filter(Value::is_object).unwrap_or_default(),
        "keyword" => text(&value).map_or(Value::Null, Value::from),
        "long" => text(&value).and_then(|text| text.trim().parse::<i64>().ok()).map_or(Value::Null, Value::from),
        "date" => value
            .as_str()
            .and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok())
            .map_or(Value::Null, |time| {
                Value::from(time.to_utc().format("%Y-%m-%dT%H:%M:%S%.9fZ").to_string()[..23].to_owned() + "Z")
            }),
        "ip" => value.as_str().filter(|text| text.parse::<std::net::IpAddr>().is_ok()).map_or(Value::Null, Value::from),
        "boolean" => match text(&value).map(|text| text.to_lowercase()).as_deref() {
            Some("true") => json!(true),
            Some("false") => json!(false),
            _ => Value::Null,
        },
        "lookup" => {
            let table = &pipeline.lookups[row["lookup"].as_str().unwrap()];
            let ignore_case = table.get("ignore_case").and_then(Value::as_bool).unwrap_or(false);
            let key = text(&value).map(|text| if ignore_case { text.to_lowercase() } else { text }).unwrap_or_default();
            table["values"]
                .as_object()
                .unwrap()
                .iter()
                .find(|(name, _)| **name == key)
                .map_or(Value::Null, |(_, value)| value.clone())
        }
        "url" => value.as_str().filter(|text| is_url(text)).map_or(Value::Null, |text| json!({ "original": text })),
        other => panic!("the naive interpreter does not know `as: {other}`"),
    }
}

/// Enough of RFC 3987 for the texts that this test makes.
fn is_url(text: &str) -> bool {
    text.chars().all(|letter| letter.is_alphanumeric() || "/.:#".contains(letter))
        && (!text.contains(':') || text.starts_with("https://"))
}

fn targets(row: &Value) -> Vec<String> {
    match row.get("to") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().map(|target| target.as_str().unwrap().to_owned()).collect(),
        _ => Vec::new(),
    }
}

fn counts(row: &Value, list: Option<&Value>, item: &Value) -> bool {
    let of = array(row, "of");
    if of.is_empty() {
        return true;
    }
    let kind = list.and_then(|list| list.get("kind")).and_then(Value::as_str).unwrap();
    let kind = get(item, &steps(kind));
    of.iter().any(|of| kind.as_str().is_some_and(|kind| kind.rsplit('.').next() == of.as_str()))
}

#[derive(Default)]
struct Document {
    fields: BTreeMap<String, Value>,
    sets: BTreeMap<String, BTreeSet<String>>,
}

impl Document {
    fn gather(&mut self, path: &str, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.gather(path, item)),
            scalar => {
                if let Some(text) = text(scalar).filter(|text| !text.is_empty()) {
                    self.sets.entry(path.to_owned()).or_default().insert(text);
                }
            }
        }
    }
}

fn put(object: &mut Map<String, Value>, path: &str, value: Value) {
    if value.is_null() {
        return;
    }
    match path.split_once('.') {
        None => {
            object.insert(path.to_owned(), value);
        }
        Some((key, below)) => {
            if let Value::Object(inner) = object.entry(key).or_insert_with(|| json!({})) {
                put(inner, below, value);
            }
        }
    }
}

fn map(pipeline: &Pipeline, record: &Value) -> Document {
    let mut document = Document::default();
    for row in pipeline.rows.iter().filter(|row| row.get("by").is_none()) {
        let Some(from) = row.get("from").and_then(Value::as_str) else { continue };
        let path = steps(from);
        let lifted = path.contains(&"[]".to_owned());
        let list = pipeline.lists.iter().find(|list| list["from"] == path[0].as_str());
        for (value, item) in all(record, &path) {
            let value = convert(pipeline, row, fitting(row, value));
            if lifted && !counts(row, list, &item) {
                continue;
            }
            if let Some(related) = row.get("related").and_then(Value::as_str) {
                document.gather(&format!("related.{related}"), &value);
            }
            for target in targets(row) {
                let full = if target.starts_with('.') { format!("{}{target}", pipeline.dataset) } else { target };
                if lifted {
                    document.gather(&full, &value);
                } else if !value.is_null() {
                    document.fields.insert(full, value.clone());
                }
            }
        }
    }
    for list in &pipeline.lists {
        let mapped: Vec<Value> = items(&get(record, &steps(list["from"].as_str().unwrap())))
            .iter()
            .map(|item| map_item(pipeline, list, item, &mut document))
            .filter(|item| !empty(item))
            .collect();
        if !mapped.is_empty() {
            document
                .fields
                .insert(format!("{}{}", pipeline.dataset, list["to"].as_str().unwrap()), Value::Array(mapped));
        }
    }
    document
}

fn map_item(pipeline: &Pipeline, list: &Value, item: &Value, document: &mut Document) -> Value {
    let mut own = Map::new();
    for row in &array(list, "rows") {
        let value = match row.get("by").and_then(Value::as_str) {
            None => convert(pipeline, row, fitting(row, get(item, &steps(row["from"].as_str().unwrap())))),
            Some("ip::address") => address(pipeline, row, item),
            Some(_) => continue,
        };
        if !counts(row, Some(list), item) {
            continue;
        }
        if let Some(related) = row.get("related").and_then(Value::as_str) {
            document.gather(&format!("related.{related}"), &value);
        }
        for target in targets(row) {
            match target.strip_prefix('.') {
                Some(path) => put(&mut own, path, value.clone()),
                None => document.gather(&target, &value),
            }
        }
    }
    for inner in array(list, "lists") {
        let mapped: Vec<Value> = items(&get(item, &steps(inner["from"].as_str().unwrap())))
            .iter()
            .map(|item| map_item(pipeline, &inner, item, document))
            .filter(|item| !empty(item))
            .collect();
        if let (Some(to), false) = (inner.get("to").and_then(Value::as_str), mapped.is_empty()) {
            put(&mut own, to.trim_start_matches('.'), Value::Array(mapped));
        }
    }
    Value::Object(own)
}

/// `ip::address`: text, or a member of an object in its place.
fn address(pipeline: &Pipeline, row: &Value, item: &Value) -> Value {
    let [place, member] = [0, 1].map(|at| get(item, &steps(row["from"][at].as_str().unwrap())));
    let value = if empty(&member) { place } else { member };
    if value.is_object() { Value::Null } else { convert(pipeline, &json!({ "as": "ip" }), value) }
}

/// Every source path of the pipeline, with lists.
fn paths(pipeline: &Pipeline) -> Vec<Vec<String>> {
    fn add(prefix: &[String], rows: &[Value], lists: &[Value], paths: &mut Vec<Vec<String>>) {
        for row in rows {
            let from = match row.get("from") {
                Some(Value::String(one)) => vec![one.clone()],
                Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                _ => Vec::new(),
            };
            paths.extend(from.iter().filter(|path| !path.starts_with('$')).map(|path| [prefix, &steps(path)].concat()));
        }
        for list in lists {
            let inner = [prefix, &steps(list["from"].as_str().unwrap()), &["[]".to_owned()]].concat();
            add(&inner, &array(list, "rows"), &array(list, "lists"), paths);
        }
    }
    let mut paths = Vec::new();
    add(&[], &pipeline.rows, &pipeline.lists, &mut paths);
    paths.sort();
    paths.dedup();
    paths
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!("")),
        Just(json!("10.0.0.1")),
        Just(json!("2024-05-06T07:08:09.1234567Z")),
        Just(json!("High")),
        Just(json!("#microsoft.graph.security.userEvidence")),
        Just(json!("#microsoft.graph.security.processEvidence")),
        Just(json!("#microsoft.graph.security.mailboxEvidence")),
        Just(json!("https://example.com/a")),
        "[a-c\"\\\\\n\u{e9}/]{0,4}".prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(json!("4711")),
    ]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => scalar(),
        1 => proptest::collection::vec(scalar(), 0..3).prop_map(Value::from),
        1 => scalar().prop_map(|value| json!({ "x": value, "y": { "z": [] } })),
    ]
}

/// Puts a value at a path; `pick` chooses the item of each list.
fn plant(record: &mut Value, path: &[String], pick: usize, value: Value) {
    let Some((step, rest)) = path.split_first() else {
        *record = value;
        return;
    };
    if step == "[]" {
        if !record.is_array() {
            *record = json!([]);
        }
        let items = record.as_array_mut().unwrap();
        while items.len() <= pick % 3 {
            items.push(json!({}));
        }
        plant(&mut items[pick % 3], rest, pick / 3, value);
    } else {
        if !record.is_object() {
            *record = json!({});
        }
        plant(record.as_object_mut().unwrap().entry(step.clone()).or_insert(Value::Null), rest, pick, value);
    }
}

fn engine(record: &str) -> Value {
    let mut driver: Driver<Alert> = Driver::open(r#"{"preserve_duplicate_custom_fields":true}"#).unwrap();
    let mut host = Memory::default();
    let receipt = driver.push(&Batch { feed: 0, received_at: 0, payloads: &[record] }, &mut host);
    assert_eq!((receipt.tallies[0].mapped, host.documents.len()), (1, 1), "one record, one document");
    serde_json::from_slice(&host.ndjson).unwrap()
}

fn lookup<'d>(document: &'d Value, path: &str) -> &'d Value {
    path.split('.').fold(document, |value, key| value.get(key).unwrap_or(&Value::Null))
}

fn as_set(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(text).collect(),
        other => text(other).into_iter().collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_agrees_with_the_naive_interpreter(
        planted in proptest::collection::vec((any::<proptest::sample::Index>(), 0_usize..9, leaf()), 1..60),
    ) {
        let pipeline = Pipeline::load();
        let paths = paths(&pipeline);
        let mut record = json!({ "id": "x" });
        for (path, pick, value) in planted {
            let path: &Vec<String> = path.get(&paths);
            plant(&mut record, path, pick, value);
        }
        let expected = map(&pipeline, &record);
        let actual = engine(&record.to_string());
        for (path, value) in &expected.fields {
            if matches!(path.as_str(), "@timestamp") {
                continue;
            }
            let found = lookup(&actual, path);
            if value.get("original").is_some() {
                prop_assert_eq!(&found["original"], &value["original"], "{}", path);
            } else if value.get(0).and_then(|item| item.get("original")).is_none() {
                prop_assert_eq!(found, value, "{} of {}", path, record);
            }
        }
        for (path, values) in &expected.sets {
            let found = as_set(lookup(&actual, path));
            // Functions may add to a set, never take from it.
            prop_assert!(found.is_superset(values), "{}: {:?} lacks some of {:?}", path, found, values);
        }
    }
}
