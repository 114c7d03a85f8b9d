//! Whether the saved objects lead to each other and to fields that exist.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::documents::golden;
use super::{mapping, resolve};
use crate::components;
use crate::setup::abilities::Abilities;
use crate::setup::kibana::{SHEETS, ndjson};

fn objects() -> Vec<Json> {
    ndjson(&components::names()).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_reference_leads_to_an_object_and_every_panel_to_a_reference() {
    let objects = objects();
    let ids: BTreeSet<(&str, &str)> =
        objects.iter().map(|one| (one["type"].as_str().unwrap(), one["id"].as_str().unwrap())).collect();
    assert_eq!(ids.len(), objects.len());
    for object in &objects {
        let references = object["references"].as_array().unwrap();
        for reference in references {
            let key = (reference["type"].as_str().unwrap(), reference["id"].as_str().unwrap());
            assert!(ids.contains(&key), "{key:?}");
        }
        let Some(panels) = object["attributes"]["panelsJSON"].as_str() else { continue };
        for panel in serde_json::from_str::<Vec<Json>>(panels).unwrap() {
            let name = format!("{}:{}", panel["panelIndex"].as_str().unwrap(), panel["panelRefName"].as_str().unwrap());
            assert!(references.iter().any(|reference| reference["name"] == name), "{name}");
            let grid = &panel["gridData"];
            assert!(grid["x"].as_u64().unwrap() + grid["w"].as_u64().unwrap() <= 48);
        }
    }
    let count = |kind: &str| objects.iter().filter(|object| object["type"] == kind).count();
    assert_eq!((count("index-pattern"), count("dashboard")), (4, 4));
}

#[test]
fn every_chart_reads_columns_that_its_layer_has() {
    for object in objects().iter().filter(|object| object["type"] == "lens") {
        let state = &object["attributes"]["state"];
        let layer = &state["datasourceStates"]["formBased"]["layers"]["layer"];
        let order = layer["columnOrder"].as_array().unwrap();
        assert_eq!(order.len(), layer["columns"].as_object().unwrap().len());
        assert!(order.iter().all(|name| layer["columns"].get(name.as_str().unwrap()).is_some()));
        let visualization = state["visualization"].to_string();
        assert!(order.iter().all(|name| visualization.contains(&name.to_string())), "{visualization}");
        assert_eq!(object["references"][0]["name"], "indexpattern-datasource-layer-layer");
    }
}

/// A field that is left out by default would leave its chart empty.
#[test]
fn every_field_is_in_documents_by_default_and_can_be_grouped_by() {
    for sheet in &SHEETS {
        let mapping = mapping(sheet.dataset, &Abilities::full());
        let documents = golden(sheet.dataset, true);
        let grouped = [sheet.split, sheet.share, sheet.tops[0].0, sheet.tops[1].0].into_iter().chain(sheet.distinct);
        for field in grouped.clone() {
            let kind = &resolve(&mapping, field).unwrap()["type"];
            assert!(kind == "keyword" || kind == "constant_keyword", "{field} is {kind}");
        }
        for field in grouped.chain(sheet.columns.iter().copied()) {
            assert!(resolve(&mapping, field).is_some(), "{field}");
            let pointer = format!("/{}", field.replace('.', "/"));
            assert!(documents.iter().any(|document| document.pointer(&pointer).is_some()), "{field} is in no document");
        }
    }
}
