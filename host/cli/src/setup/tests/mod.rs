//! What the assets promise, and what `setup` does with servers of all kinds.

mod documents;
mod fake;
mod kibana;
mod server;

use std::path::Path;
use std::time::Duration;

use defenderbeat_collector::config::Config;
use serde_json::{Value as Json, json};

use super::abilities::{Abilities, Feature};
use super::assets::{self, Asset, Choices, Kind, Lifecycle};
use super::latest::Latest;
use crate::{components, fields};

fn made(choices: &Choices, abilities: &Abilities) -> Vec<Asset> {
    assets::all(&components::names(), abilities, choices)
}

fn find<'a>(assets: &'a [Asset], kind: Kind, name: &str) -> &'a Json {
    let found = assets.iter().find(|asset| asset.kind == kind && asset.name == name);
    &found.unwrap_or_else(|| panic!("there is no {kind} {name}")).body
}

/// The mapping of a dataset.
fn mapping(dataset: &str, abilities: &Abilities) -> Json {
    let name = assets::template_name(dataset) + "-mappings";
    find(&made(&Choices::default(), abilities), Kind::ComponentTemplate, &name)["template"]["mappings"].clone()
}

/// The mapping of a field, or of the multi-field of one.
fn resolve<'a>(mapping: &'a Json, path: &str) -> Option<&'a Json> {
    path.split('.').try_fold(mapping, |node, name| {
        node.get("properties").and_then(|below| below.get(name)).or_else(|| node.get("fields")?.get(name))
    })
}

fn config(text: &str) -> Config {
    let input = "tenant_id: t\n    client_id: c\n    client_secret: s\n";
    let text = text.replace("CREDENTIALS", input) + "\noutput.discard: {}\n";
    Config::parse("test", &text, &[], &|_| None).unwrap()
}

#[test]
fn templates_win_over_fleet_and_end_with_what_the_site_wants() {
    let assets = made(&Choices::default(), &Abilities::full());
    for dataset in components::names() {
        let template = find(&assets, Kind::IndexTemplate, &format!("logs-m365_defender.{dataset}@defenderbeat"));
        assert!(template["priority"].as_u64() > Some(200));
        assert_eq!(template["index_patterns"], json!([format!("logs-m365_defender.{dataset}-*")]));
        assert_eq!(template["data_stream"], json!({}));
        let composed = template["composed_of"].as_array().unwrap();
        let custom = format!("logs-m365_defender.{dataset}@custom");
        assert_eq!(composed.last(), Some(&json!(custom)));
        assert_eq!(template["ignore_missing_component_templates"], json!([custom]));
        // Whatever else it is composed of is made too, and before it.
        let at = |name: &Json| assets.iter().position(|asset| json!(asset.name) == *name).unwrap();
        let own = assets.iter().position(|asset| asset.body == *template).unwrap();
        assert!(composed[..composed.len() - 1].iter().all(|name| at(name) < own));
    }
}

#[test]
fn everything_says_whose_it_is_and_of_which_version() {
    let assets = made(&Choices { ingested: true, ..Choices::default() }, &Abilities::full());
    for asset in &assets {
        let meta = asset.body.get("_meta").unwrap_or(&asset.body["policy"]["_meta"]);
        assert_eq!(meta["managed_by"], "defenderbeat", "{}", asset.name);
        assert_eq!(meta["version"], assets::version(), "{}", asset.name);
    }
    assert!(assets::version().starts_with(concat!(env!("CARGO_PKG_VERSION"), "-")));
}

#[test]
fn every_own_field_is_mapped_as_its_type_says() {
    for dataset in components::names() {
        let mapping = mapping(dataset, &Abilities::full());
        for field in fields::own(dataset).unwrap() {
            let found = resolve(&mapping, field.path).unwrap_or_else(|| panic!("{} is not mapped", field.path));
            match field.kind {
                "any" => assert_eq!(found["enabled"], false, "{}", field.path),
                // New keys of what a source delivers make no fields.
                "object" | "nested" => assert_eq!(found["dynamic"], false, "{}", field.path),
                kind => assert_eq!(found["type"], kind, "{}", field.path),
            }
        }
    }
}

/// The list of what the integration maps lies outside of the project: where it is not there, this says so and passes.
#[test]
#[allow(clippy::print_stdout, reason = "says what it skips")]
fn types_agree_with_those_of_the_integration() {
    // A value of any form would be refused by the one and is kept by the other.
    const ANY: [&str; 4] =
        ["event.detection.methods", "event.confidence_level", "alert.evidence.urls", "incident.alert.evidence.urls"];
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/elastic-fields.csv");
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: {} is not there", file.display());
        return;
    };
    let mut compared = 0;
    for line in text.lines() {
        let [dataset, _, _, field, kind, ..] = line.split(',').collect::<Vec<_>>()[..] else { continue };
        let own = fields::own(dataset).and_then(|own| own.iter().find(|own| own.path == field));
        let Some(own) = own.filter(|_| !kind.is_empty()) else { continue };
        let known = ANY.iter().any(|path| field == format!("m365_defender.{path}"));
        let agrees = own.kind == kind || (own.kind, kind) == ("double", "float") || known && own.kind == "any";
        assert!(agrees, "{field} is {} and not {kind}", own.kind);
        compared += 1;
    }
    assert!(compared > 500, "{compared}");
}

#[test]
fn rules_find_names_in_any_case_and_command_lines_by_parts() {
    let event = mapping("event", &Abilities::full());
    let caseless = resolve(&event, "process.name.caseless").unwrap();
    assert_eq!((&caseless["type"], &caseless["normalizer"]), (&json!("keyword"), &json!("lowercase")));
    assert_eq!(resolve(&event, "process.command_line").unwrap()["type"], "wildcard");
    assert_eq!(resolve(&event, "process.command_line.text").unwrap()["type"], "match_only_text");
    assert_eq!(resolve(&event, "data_stream.dataset").unwrap()["value"], "m365_defender.event");
    assert_eq!(resolve(&event, "event.original").unwrap()["index"], false);
}

#[test]
fn an_ecs_field_that_only_a_site_writes_gets_its_type() {
    let mapping = mapping("alert", &Abilities::full());
    let template = |name: &str| {
        let mut all = mapping["dynamic_templates"].as_array().unwrap().iter();
        all.find_map(|template| template.get(name)).unwrap().clone()
    };
    assert_eq!(resolve(&mapping, "client.ip"), None);
    assert!(template("ecs_ip")["path_match"].as_array().unwrap().contains(&json!("client.ip")));
    assert_eq!(template("ecs_ip")["mapping"]["type"], "ip");
    // What is mapped needs no template.
    assert!(!template("ecs_ip")["path_match"].as_array().unwrap().contains(&json!("host.ip")));
    assert_eq!(template("texts")["mapping"], json!({ "type": "keyword", "ignore_above": 1024 }));
}

#[test]
fn a_mapping_is_within_its_own_limits() {
    fn count(node: &Json) -> usize {
        let below = ["properties", "fields"].iter().filter_map(|name| node.get(name)?.as_object());
        below.flat_map(|below| below.values()).map(|node| 1 + count(node)).sum()
    }
    let assets = made(&Choices::default(), &Abilities::full());
    for dataset in components::names() {
        let name = assets::template_name(dataset) + "-settings";
        let index = &find(&assets, Kind::ComponentTemplate, &name)["template"]["settings"]["index"];
        let limit = usize::try_from(index["mapping"]["total_fields"]["limit"].as_u64().unwrap()).unwrap();
        let mapping = mapping(dataset, &Abilities::full());
        assert!((count(&mapping) + 1000..=count(&mapping) + 2000).contains(&limit), "{dataset}: {limit}");
        assert_eq!(index["mapping"]["total_fields"]["ignore_dynamic_beyond_limit"], true);
        // A query that names no field has one clause for each of these; 1024 are possible on the smallest server.
        let texts = index["query"]["default_field"].as_array().unwrap();
        assert!((1..1024).contains(&texts.len()));
        for path in texts {
            // Such a query fails as a whole on a field that is not indexed.
            assert_ne!(resolve(&mapping, path.as_str().unwrap()).unwrap()["index"], false, "{path}");
        }
        assert!(!texts.contains(&json!("event.original")));
    }
}

#[test]
fn a_server_without_a_type_gets_the_nearest_one() {
    let lacking = ["constant_keyword", "wildcard", "match_only_text", "scaled_float", "unsigned_long"];
    let minimal = lacking.iter().fold(Abilities::full(), |abilities, kind| abilities.without_kind(kind));
    let event = mapping("event", &minimal);
    let text = event.to_string();
    assert!(lacking.iter().all(|kind| !text.contains(&format!("\"type\":\"{kind}\""))));
    assert_eq!(
        resolve(&event, "process.command_line").unwrap(),
        &json!({
            "type": "keyword", "ignore_above": 8191, "fields": { "text": { "type": "text", "norms": false } },
        })
    );
    assert_eq!(resolve(&event, "data_stream.type").unwrap(), &json!({ "type": "keyword", "ignore_above": 1024 }));

    let unmapped = "m365_defender.event.unmapped";
    let flat = mapping("event", &Abilities::full().without_kind("flattened").with_kind("flat_object"));
    assert_eq!(resolve(&flat, unmapped).unwrap(), &json!({ "type": "flat_object" }));
    let none = mapping("event", &Abilities::full().without_kind("flattened"));
    assert_eq!(resolve(&none, unmapped).unwrap(), &json!({ "type": "object", "enabled": false }));
    assert_eq!(minimal.remarks().len(), lacking.len());
}

#[test]
fn vulnerabilities_are_deleted_after_seven_days_and_nothing_else_is() {
    let ilm = made(&Choices::default(), &Abilities::full());
    let own = made(&Choices { lifecycle: Lifecycle::DataStream, ..Choices::default() }, &Abilities::full());
    for dataset in components::names() {
        let name = assets::template_name(dataset);
        let phases = &find(&ilm, Kind::IlmPolicy, &name)["policy"]["phases"];
        let settings = |assets| find(assets, Kind::ComponentTemplate, &format!("{name}-settings"))["template"].clone();
        assert_eq!(settings(&ilm)["settings"]["index"]["lifecycle"]["name"], json!(name));
        assert_eq!(settings(&ilm).get("lifecycle"), None);
        assert_eq!(settings(&own)["settings"]["index"].get("lifecycle"), None);
        let (age, delete, retention) = match dataset {
            "vulnerability" => ("1d", json!("7d"), json!("7d")),
            _ => ("30d", Json::Null, Json::Null),
        };
        assert_eq!(phases["hot"]["actions"]["rollover"]["max_age"], age, "{dataset}");
        assert_eq!(phases["delete"]["min_age"], delete, "{dataset}");
        assert_eq!(settings(&own)["lifecycle"]["data_retention"], retention, "{dataset}");
        assert_eq!(settings(&own)["lifecycle"]["enabled"], true);
    }
    assert!(own.iter().all(|asset| asset.kind != Kind::IlmPolicy));
}

#[test]
fn the_latest_vulnerabilities_outlive_two_syncs() {
    let transform = |interval| {
        let choices = Choices { latest: Some(Latest { interval }), ..Choices::default() };
        let assets = made(&choices, &Abilities::full());
        find(&assets, Kind::Transform, super::latest::TRANSFORM).clone()
    };
    let body = transform(Duration::from_secs(3600));
    assert_eq!(body["retention_policy"]["time"], json!({ "field": "event.ingested", "max_age": "7200s" }));
    assert_eq!(body["sync"]["time"]["field"], "event.ingested");
    // Another interval is another transform, whatever the server makes of its body.
    assert_ne!(body["_meta"], transform(Duration::from_secs(7200))["_meta"]);
    let mapping = mapping("vulnerability", &Abilities::full());
    for field in body["latest"]["unique_key"].as_array().unwrap() {
        assert_eq!(resolve(&mapping, field.as_str().unwrap()).unwrap()["type"], "keyword", "{field}");
    }
    assert_eq!(resolve(&mapping, body["latest"]["sort"].as_str().unwrap()).unwrap()["type"], "date");

    let assets = made(&Choices::default(), &Abilities::full());
    let name = "security_solution-m365_defender.vulnerability_latest@defenderbeat";
    let template = find(&assets, Kind::IndexTemplate, name);
    assert_eq!(template["index_patterns"], json!([body["dest"]["index"]]));
    assert_eq!(template.get("data_stream"), None);
    // Namespaces differ within the index.
    let namespace = resolve(&template["template"]["mappings"], "data_stream.namespace").unwrap();
    assert_eq!(namespace["type"], "keyword");
}

#[test]
fn intervals_come_from_the_configuration() {
    let interval = |options: &str| {
        let text = format!("inputs:\n  - id: a\n    type: vulnerability\n    CREDENTIALS{options}");
        super::choices::of(&config(&text), &Abilities::full()).0.latest.map(|latest| latest.interval)
    };
    let hours = |hours: u64| Some(Duration::from_secs(hours * 3600));
    assert_eq!(interval("    interval: 12h"), hours(12));
    assert_eq!(interval("    mode: changes\n    interval: 6h\n    full_interval: 48h"), hours(48));
    assert_eq!(interval("setup.transform: false"), None);
    let alerts = config("inputs:\n  - id: a\n    type: alert\n    CREDENTIALS");
    assert_eq!(super::choices::of(&alerts, &Abilities::full()).0.latest, None);
}

#[test]
fn a_lifecycle_that_the_server_lacks_is_replaced_and_that_is_said() {
    let chosen = |lifecycle: &str, abilities: Abilities| {
        let text = format!("inputs:\n  - id: a\n    type: alert\n    CREDENTIALS\nsetup.lifecycle: {lifecycle}");
        let (choices, remarks) = super::choices::of(&config(&text), &abilities);
        (choices.lifecycle, remarks.join("\n"))
    };
    let without_ilm = || Abilities::full().without(Feature::Ilm);
    assert_eq!(chosen("auto", Abilities::full()), (Lifecycle::Ilm, String::new()));
    let (lifecycle, said) = chosen("auto", without_ilm());
    assert!(lifecycle == Lifecycle::DataStream && said.contains("lacks index lifecycle management"), "{said}");
    let (lifecycle, said) = chosen("ilm", without_ilm());
    assert!(lifecycle == Lifecycle::None && said.contains("lacks index lifecycle management"), "{said}");
    let (lifecycle, said) = chosen("auto", without_ilm().without(Feature::DataStreamLifecycle));
    assert!(lifecycle == Lifecycle::None && said.contains("backing indices grow"), "{said}");
    assert_eq!(chosen("none", without_ilm()), (Lifecycle::None, String::new()));
}
