//! Asks a server what it can do. Nothing is written: templates are simulated.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value as Json, json};

use super::abilities::{Abilities, Feature, KINDS};
use super::server::{Server, takes};

/// What the server can do; features that are not asked for are taken to be there.
pub(super) async fn ask(server: &impl Server, features: &[Feature]) -> Result<Abilities> {
    let mut abilities = Abilities::full();
    let kinds = || KINDS.iter().map(|(kind, _)| *kind);
    // Most servers know all of them.
    if !simulates(server, fields(kinds())).await? {
        // Else what takes a type's place may be missing too.
        for kind in kinds().chain(["flat_object"]) {
            if simulates(server, fields([kind])).await? {
                abilities = abilities.with_kind(kind);
            } else {
                abilities = abilities.without_kind(kind);
            }
        }
    }
    for feature in features.iter().copied() {
        if !has(server, feature).await? {
            abilities = abilities.without(feature);
        }
    }
    Ok(abilities)
}

async fn has(server: &impl Server, feature: Feature) -> Result<bool> {
    match feature {
        Feature::PathLists => {
            let lists = json!({ "path_match": ["probe.a", "probe.b"], "mapping": { "type": "ip" } });
            let mappings = json!({ "dynamic_templates": [{ "probe": lists }] });
            simulates(server, json!({ "template": { "mappings": mappings } })).await
        }
        Feature::MissingComponents => {
            let names = ["defenderbeat-probe@custom"];
            let template = json!({ "composed_of": names, "ignore_missing_component_templates": names });
            simulates(server, template).await
        }
        Feature::BeyondLimit => {
            let settings = json!({ "index.mapping.total_fields.ignore_dynamic_beyond_limit": true });
            simulates(server, json!({ "template": { "settings": settings } })).await
        }
        Feature::DataStreamLifecycle => {
            simulates(server, json!({ "template": { "lifecycle": { "data_retention": "7d" } } })).await
        }
        Feature::Ilm => takes(server, Method::GET, "_ilm/status", None).await,
        Feature::Transforms => takes(server, Method::GET, "_transform?size=1", None).await,
        Feature::IngestSet => {
            let set = json!({ "set": { "field": "event.ingested", "value": "{{{_ingest.timestamp}}}" } });
            let body = json!({ "pipeline": { "processors": [set] }, "docs": [{ "_source": {} }] });
            takes(server, Method::POST, "_ingest/pipeline/_simulate", Some(&body)).await
        }
    }
}

/// Whether the server would take a template.
async fn simulates(server: &impl Server, mut template: Json) -> Result<bool> {
    if let Some(template) = template.as_object_mut() {
        // No data stream has such a name, and no other template has to give way.
        template.insert("index_patterns".to_owned(), json!(["defenderbeat-probe-*"]));
        template.insert("data_stream".to_owned(), json!({}));
        template.insert("priority".to_owned(), 0.into());
    }
    takes(server, Method::POST, "_index_template/_simulate", Some(&template)).await
}

/// A template with a field of each type.
fn fields<'a>(kinds: impl IntoIterator<Item = &'a str>) -> Json {
    let properties: serde_json::Map<String, Json> = kinds
        .into_iter()
        .map(|kind| {
            let field = match kind {
                "scaled_float" => json!({ "type": kind, "scaling_factor": 1000 }),
                _ => json!({ "type": kind }),
            };
            (format!("probe_{kind}"), field)
        })
        .collect();
    json!({ "template": { "mappings": { "properties": properties } } })
}
