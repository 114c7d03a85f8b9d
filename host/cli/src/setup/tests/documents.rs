//! Whether the mapping takes the documents of the golden cases.

use std::net::IpAddr;
use std::path::Path;

use chrono::{DateTime, NaiveDateTime};
use serde_json::Value as Json;

use super::mapping;
use crate::components;
use crate::setup::abilities::Abilities;

/// Documents of a dataset's golden cases; `plain`: only those that are made without settings of a site.
pub(super) fn golden(dataset: &str, plain: bool) -> Vec<Json> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(dataset);
    let (mut documents, mut odd) = (Vec::<Json>::new(), 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_str().unwrap();
        let (file, settings) = match name.strip_suffix(".expected.ndjson") {
            Some(case) => (path.clone(), format!("{case}.settings.json").into()),
            None => (path.join("expected.ndjson"), path.join("settings.json")),
        };
        if !file.is_file() || plain && Path::new(&settings).is_file() {
            continue;
        }
        let text = std::fs::read_to_string(file).unwrap();
        for line in text.lines() {
            // Numbers beyond doubles and halves of surrogate pairs, which some cases have, are none to serde_json.
            match serde_json::from_str(line) {
                Ok(document) => documents.push(document),
                Err(_) => odd += 1,
            }
        }
    }
    assert!(documents.len() > 50 && odd < 10, "{} {odd}", documents.len());
    documents
}

/// What Elasticsearch would refuse in a value, or leave out as malformed.
fn misfits(path: &str, node: &Json, value: &Json, problems: &mut Vec<String>) {
    match value {
        Json::Array(items) => items.iter().for_each(|item| misfits(path, node, item, problems)),
        Json::Object(members) if node.get("enabled") != Some(&false.into()) => match node["type"].as_str() {
            None | Some("object" | "nested") => {
                for (name, value) in members {
                    // Where there is none, a new field is made or the value only kept.
                    if let Some(below) = node["properties"].get(name) {
                        misfits(&format!("{path}.{name}"), below, value, problems);
                    }
                }
            }
            Some("flattened") => {}
            Some("geo_point") if members["lat"].is_number() && members["lon"].is_number() => {}
            Some(kind) => problems.push(format!("{path}: an object in a field of type {kind}")),
        },
        _ => {
            let text = || value.as_str().unwrap_or_default();
            let fits = match node["type"].as_str() {
                Some("keyword" | "wildcard" | "match_only_text") => true,
                Some("constant_keyword") => node.get("value").is_none_or(|constant| constant == value),
                Some("long" | "unsigned_long") => value.is_i64() || value.is_u64(),
                Some("float" | "double" | "scaled_float") => value.is_number(),
                Some("boolean") => value.is_boolean(),
                Some("ip") => text().parse::<IpAddr>().is_ok(),
                Some("date") => {
                    DateTime::parse_from_rfc3339(text()).is_ok()
                        || NaiveDateTime::parse_from_str(text(), "%Y-%m-%dT%H:%M:%S%.f").is_ok()
                }
                Some("object") => node.get("enabled") == Some(&false.into()),
                _ => false,
            };
            if !fits {
                problems.push(format!("{path}: {value} in {node}"));
            }
        }
    }
}

#[test]
fn every_golden_document_fits_the_mapping() {
    for dataset in components::names() {
        let mapping = mapping(dataset, &Abilities::full());
        for document in golden(dataset, true) {
            let mut problems = Vec::new();
            misfits("", &mapping, &document, &mut problems);
            assert!(problems.is_empty(), "{dataset}: {problems:?}");
        }
    }
}

#[test]
fn every_field_of_a_golden_document_is_mapped() {
    /// Paths of a document that would make a new field.
    fn unmapped(path: &str, node: &Json, dynamic: bool, value: &Json, found: &mut Vec<String>) {
        let kind = node["type"].as_str().unwrap_or("object");
        match value {
            Json::Array(items) => items.iter().for_each(|item| unmapped(path, node, dynamic, item, found)),
            Json::Object(members) if matches!(kind, "object" | "nested") && node.get("enabled").is_none() => {
                // It holds for the objects below too.
                let dynamic = node.get("dynamic").map_or(dynamic, |own| own == true);
                for (name, value) in members {
                    let path = format!("{path}.{name}");
                    match node["properties"].get(name) {
                        Some(below) => unmapped(&path, below, dynamic, value, found),
                        None if dynamic => found.push(path),
                        None => {}
                    }
                }
            }
            _ => {}
        }
    }
    for dataset in components::names() {
        let mapping = mapping(dataset, &Abilities::full());
        for document in golden(dataset, true) {
            let mut found = Vec::new();
            unmapped("", &mapping, true, &document, &mut found);
            assert_eq!(found, [""; 0], "{dataset}");
        }
    }
}
