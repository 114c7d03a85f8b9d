//! Whether a document has only fields of ECS and of its pipeline, with values that fit their types.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDateTime};
use defenderbeat_runtime::Document;

use super::json::Json;
use crate::fields::{self, Field};

/// Whether keyword fields take numbers.
pub(super) enum Numbers {
    /// They do, as in Elasticsearch.
    AsKeywords,
    /// These do.
    Listed(BTreeSet<String>),
}

/// What documents of a dataset are checked by.
pub(super) struct Rules {
    fields: BTreeMap<&'static str, &'static Field>,
    /// Fields that the settings add, with all below them.
    added: Vec<String>,
    numbers: Numbers,
}

impl Rules {
    /// The rules for documents of a dataset, such as `alert`, that are made with `settings`.
    pub(super) fn new(dataset: &str, settings: &str, numbers: Numbers) -> Result<Self> {
        let own = fields::own(dataset).with_context(|| format!("the fields of {dataset} are not known"))?;
        let fields = fields::ecs().iter().chain(own.iter()).map(|field| (field.path, field)).collect();
        let settings = if settings.trim().is_empty() { "{}" } else { settings };
        let settings = Json::parse(settings).map_err(|cause| anyhow::anyhow!("the settings: {cause}"))?;
        Ok(Self { fields, added: added(&settings), numbers })
    }

    /// What is wrong with a document, field by field. `facts` are those that left beside it, with its data stream.
    pub(super) fn check(&self, document: &Json, facts: Option<(&Document, &str)>) -> Vec<String> {
        let mut problems = Vec::new();
        empties("", document, &mut problems);
        match document {
            Json::Object(members) => {
                members.iter().for_each(|(key, value)| self.walk(key, value, false, &mut problems))
            }
            _ => problems.push("is not an object".to_owned()),
        }
        if let Some((facts, route)) = facts {
            let time = DateTime::from_timestamp_millis(facts.time)
                .map(|time| format!("{}Z", time.format("%Y-%m-%dT%H:%M:%S%.3f")));
            for (path, fact) in [("@timestamp", time.as_deref()), ("data_stream.dataset", Some(route))] {
                let value = document.get(path).and_then(Json::text);
                // A site may take the field away.
                if value.is_some() && value != fact {
                    let fact = fact.unwrap_or("out of range");
                    problems
                        .push(format!("{path}: {} beside {fact} outside of the document", value.unwrap_or_default()));
                }
            }
        }
        problems
    }

    fn walk(&self, path: &str, value: &Json, open: bool, problems: &mut Vec<String>) {
        if let Json::List(items) = value {
            items.iter().for_each(|item| self.walk(path, item, open, problems));
            return;
        }
        match (self.fields.get(path), value) {
            (Some(field), value) if matches!(field.kind, "object" | "nested") => match value {
                Json::Object(members) => {
                    // What ECS calls an object and lists no fields of takes any.
                    let open = open || field.open || !self.is_above(path);
                    members.iter().for_each(|(key, value)| self.walk(&format!("{path}.{key}"), value, open, problems));
                }
                _ => problems.push(format!("{path}: {value} is not an object")),
            },
            (Some(field), value) => {
                if let Some(cause) = self.misfit(field, value) {
                    problems.push(format!("{path}: {value} {cause}"));
                }
            }
            (None, Json::Object(members)) if self.is_above(path) => {
                members.iter().for_each(|(key, value)| self.walk(&format!("{path}.{key}"), value, open, problems));
            }
            (None, _) if open || self.is_added(path) => {}
            (None, Json::Object(members)) if self.added.iter().any(|added| is_below(added, path)) => {
                members.iter().for_each(|(key, value)| self.walk(&format!("{path}.{key}"), value, open, problems));
            }
            (None, _) => problems.push(format!("{path}: is no field of ECS, nor of the pipeline")),
        }
    }

    /// Why a single value does not fit a field.
    fn misfit(&self, field: &Field, value: &Json) -> Option<&'static str> {
        let fits = |fits: bool, cause| (!fits).then_some(cause);
        match field.kind {
            "keyword" | "constant_keyword" | "wildcard" | "match_only_text" | "text" | "version" => match value {
                Json::Text(_) => None,
                Json::Number(_) | Json::Bool(_) => match &self.numbers {
                    Numbers::AsKeywords => None,
                    Numbers::Listed(listed) => fits(
                        listed.contains(field.path),
                        "is not text; if that is right, say so under numeric_keyword_fields",
                    ),
                },
                _ => Some("is not text"),
            },
            "long" | "integer" | "short" => fits(
                matches!(value, Json::Number(text) if text.parse::<i64>().is_ok()),
                "is not a whole number of 64 bits",
            ),
            "unsigned_long" => fits(
                matches!(value, Json::Number(text) if text.parse::<u64>().is_ok()),
                "is not a whole number of 64 bits without a sign",
            ),
            "float" | "double" | "scaled_float" => fits(
                matches!(value, Json::Number(text) if text.parse::<f64>().is_ok_and(f64::is_finite)),
                "is not a number",
            ),
            "boolean" => fits(matches!(value, Json::Bool(_)), "is not true or false"),
            "ip" => fits(value.text().is_some_and(|text| text.parse::<IpAddr>().is_ok()), "is not an IP address"),
            "date" if field.as_delivered => fits(value.text().is_some_and(is_iso_8601), "is not an ISO 8601 date"),
            "date" => fits(
                value.text().is_some_and(is_utc_millis),
                "is not a date in UTC with three decimals, such as 2025-01-01T00:00:00.000Z",
            ),
            "flattened" => fits(matches!(value, Json::Object(_)), "is not an object"),
            "geo_point" => {
                let number = |path| matches!(value.get(path), Some(Json::Number(_)));
                fits(number("lat") && number("lon"), "is not an object of lat and lon")
            }
            "any" => None,
            _ => Some("cannot be checked: the type is not known"),
        }
    }

    /// Whether fields lie below a path.
    fn is_above(&self, path: &str) -> bool {
        let below = format!("{path}.");
        self.fields.range(below.as_str()..).next().is_some_and(|(field, _)| field.starts_with(&below))
    }

    fn is_added(&self, path: &str) -> bool {
        self.added.iter().any(|added| path == added || is_below(path, added))
    }
}

fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with('.'))
}

/// Fields that rows and processors of the settings write.
fn added(settings: &Json) -> Vec<String> {
    let list = |value: Option<&Json>| match value {
        Some(Json::List(items)) => items.clone(),
        _ => Vec::new(),
    };
    let text = |value: &Json, path: &str| value.get(path).and_then(Json::text).map(str::to_owned);
    let mut added: Vec<String> = list(settings.get("rows")).iter().filter_map(|row| text(row, "to")).collect();
    for processor in list(settings.get("processors")) {
        added.extend(text(&processor, "add_tags.target"));
        for renaming in list(processor.get("rename.fields")) {
            added.extend(text(&renaming, "to"));
        }
        if let Some(Json::Object(fields)) = processor.get("add_fields.fields") {
            match text(&processor, "add_fields.target").unwrap_or_else(|| "fields".to_owned()) {
                target if target.is_empty() => added.extend(fields.keys().cloned()),
                target => added.push(target),
            }
        }
    }
    added
}

/// Reports what is empty: it should not be there at all.
fn empties(path: &str, value: &Json, problems: &mut Vec<String>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Json::Object(members) if !members.is_empty() => {
            members.iter().for_each(|(key, value)| empties(&below(key), value, problems));
        }
        Json::List(items) if !items.is_empty() => items.iter().for_each(|item| empties(path, item, problems)),
        Json::Text(text) if !text.is_empty() => {}
        Json::Number(_) | Json::Bool(_) => {}
        _ => problems.push(format!("{path}: {value} is empty")),
    }
}

fn is_utc_millis(text: &str) -> bool {
    text.len() == 24
        && text.ends_with('Z')
        && text.get(19..20) == Some(".")
        && DateTime::parse_from_rfc3339(text).is_ok()
}

fn is_iso_8601(text: &str) -> bool {
    DateTime::parse_from_rfc3339(text).is_ok() || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(document: &str, settings: &str) -> Vec<String> {
        let rules = Rules::new("alert", settings, Numbers::AsKeywords).unwrap();
        rules.check(&Json::parse(document).unwrap(), None)
    }

    #[test]
    fn what_fits_is_valid() {
        let document = r#"{
            "@timestamp": "2025-01-01T00:00:00.000Z", "event": { "kind": ["alert", "pipeline_error"], "severity": 73 },
            "host": { "ip": ["10.0.0.1", "::1"], "geo": { "location": { "lat": 1.5, "lon": 2 } } },
            "labels": { "site": "x" }, "process": { "pid": [1, 2] },
            "m365_defender": { "alert": {
                "evidence": [{ "created_datetime": "2025-01-01T00:00:00.000Z", "neverHeardOf": { "deep": [1] },
                               "startDateTime": "2025-01-01T00:00:00.1234567Z", "location": "here" }],
                "additional_data": { "any": { "thing": 1 } }, "unmapped": { "a.b": "c" } } }
        }"#;
        assert_eq!(problems(document, ""), [""; 0]);
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_path() {
        for (document, cause) in [
            (r#"{"process":{"pidd":1}}"#, "process.pidd: is no field of ECS, nor of the pipeline"),
            (r#"{"m365_defender":{"alert":{"titel":"x"}}}"#, "m365_defender.alert.titel: is no field"),
            (r#"{"process":{"pid":"1"}}"#, r#"process.pid: "1" is not a whole number"#),
            (r#"{"process":{"pid":[1,1.5]}}"#, "process.pid: 1.5 is not a whole number"),
            (r#"{"host":{"ip":["10.0.0.1","x"]}}"#, r#"host.ip: "x" is not an IP address"#),
            (r#"{"@timestamp":"2025-01-01T00:00:00Z"}"#, "@timestamp: \"2025-01-01T00:00:00Z\" is not a date in UTC"),
            (r#"{"@timestamp":"2025-13-01T00:00:00.000Z"}"#, "is not a date in UTC"),
            (r#"{"@timestamp":"2025-01-01T00:00:00.000+00:00"}"#, "is not a date in UTC"),
            (r#"{"message":""}"#, "message: \"\" is empty"),
            (r#"{"event":{"action":["x",null]}}"#, "event.action: null is empty"),
            (r#"{"m365_defender":{"alert":{"additional_data":{"a":[{}]}}}}"#, "additional_data.a: {} is empty"),
            (r#"{"m365_defender":{"alert":{"title":{"a":1}}}}"#, "is not text"),
            (r#"{"m365_defender":{"alert":{"additional_data":"a"}}}"#, "is not an object"),
            (r#"{"m365_defender":{"alert":{"evidence":["a"]}}}"#, "is not an object"),
            (
                r#"{"m365_defender":{"alert":{"evidence":[{"process":{"id":"x"}}]}}}"#,
                "evidence.process.id: \"x\" is not",
            ),
        ] {
            let found = problems(document, "");
            assert!(found.len() == 1 || document.contains("null"), "{document}: {found:?}");
            assert!(found.iter().any(|problem| problem.contains(cause)), "{document}: {found:?}");
        }
    }

    #[test]
    fn a_site_may_add_its_own_fields_and_no_others() {
        let settings = r#"{
            "rows": [{ "from": "$.x", "to": "site.x" }],
            "processors": [{ "add_fields": { "fields": { "a": 1 } } },
                           { "add_fields": { "target": "", "fields": { "b.c": 1 } } }]
        }"#;
        let document = r#"{"site":{"x":"1"},"fields":{"a":1},"b":{"c":1}}"#;
        assert_eq!(problems(document, settings), [""; 0]);
        assert_eq!(problems(r#"{"site":{"y":"1"},"b":{"d":1}}"#, settings).len(), 2);
    }

    #[test]
    fn numbers_are_keywords_only_where_listed() {
        let check = |listed: &[&str]| {
            let listed = listed.iter().map(|path| (*path).to_owned()).collect();
            let rules = Rules::new("alert", "", Numbers::Listed(listed)).unwrap();
            rules.check(&Json::parse(r#"{"event":{"id":7}}"#).unwrap(), None)
        };
        assert_eq!(check(&[]).len(), 1);
        assert!(check(&["event.id"]).is_empty());
    }
}
