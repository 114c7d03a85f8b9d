//! The latest state of each vulnerability on each machine, for Kibana's page of findings.

use std::time::Duration;

use serde_json::json;
use xxhash_rust::xxh3::xxh3_64;

use super::assets::{Asset, Kind, Maker};
use super::mappings::Mapping;

/// Ids of transforms have no `@`.
pub(super) const TRANSFORM: &str = "logs-m365_defender.vulnerability_latest-defenderbeat";
/// The template of the index that it writes.
pub(super) const TEMPLATE: &str = "security_solution-m365_defender.vulnerability_latest@defenderbeat";
/// The index that the transform writes.
const INDEX: &str = "security_solution-m365_defender.vulnerability_latest-v1";
/// What Kibana reads.
pub(super) const ALIAS: &str = "security_solution-m365_defender.vulnerability_latest";

/// Above what Fleet gives the templates of indices that its transforms write (250).
const PRIORITY: u32 = 300;

/// What the transform depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Latest {
    /// From one full sync to the next, the longest of all inputs.
    pub(super) interval: Duration,
}

impl Default for Latest {
    fn default() -> Self {
        Self { interval: Duration::from_secs(24 * 3600) }
    }
}

/// The transform, and the template of the index that it writes.
pub(super) fn assets(maker: &Maker<'_>, latest: &Latest, mapping: &Mapping) -> [Asset; 2] {
    let vulnerability = "m365_defender.vulnerability";
    let mappings = super::assets::template_name("vulnerability") + "-mappings";
    let template = json!({
        "index_patterns": [INDEX],
        "priority": PRIORITY,
        // Findings of all namespaces are in the one index, whose constants would have to be the same.
        "template": {
            "settings": { "index": maker.index_settings(mapping) },
            "mappings": { "properties": { "data_stream": { "properties": {
                "namespace": { "type": "keyword", "ignore_above": 1024 },
            }}}},
        },
        "_meta": maker.meta(),
    });
    let template = Asset {
        kind: Kind::IndexTemplate,
        name: TEMPLATE.to_owned(),
        body: maker.composed(template, &[mappings], &format!("{ALIAS}@custom")),
    };
    // Documents are searched by when they came. The collector tells this when it gets a record, so the delivery has to be over by
    // then, which a server that was away may put off; the server itself tells it when it indexes.
    let delay = if maker.choices.ingested { "1m" } else { "15m" };
    let transform = Asset {
        kind: Kind::Transform,
        name: TRANSFORM.to_owned(),
        body: json!({
            "description": "The latest state of each vulnerability of a product on a machine.",
            "source": {
                "index": ["logs-m365_defender.vulnerability-*"],
                "query": { "exists": { "field": "vulnerability.id" } },
            },
            "dest": { "index": INDEX, "aliases": [{ "alias": ALIAS, "move_on_creation": true }] },
            "latest": {
                "unique_key": [
                    "host.id", "vulnerability.id", "package.name", "package.version",
                    // The vendor, of a product row and of a line of the export.
                    format!("{vulnerability}.affected_machine.product_vendor"), format!("{vulnerability}.software_vendor"),
                ],
                "sort": format!("{vulnerability}.sync.start"),
            },
            // Not by @timestamp, which all documents of a sync share: those that come after a checkpoint would be skipped.
            "sync": { "time": { "field": "event.ingested", "delay": delay } },
            "retention_policy": { "time": {
                "field": "event.ingested", "max_age": format!("{}s", 2 * latest.interval.as_secs()),
            }},
            "frequency": "5m",
            "settings": { "deduce_mappings": false, "unattended": true },
        }),
    };
    [template, with_digest(transform, maker)]
}

/// A transform that says what it is made of, because what servers say of one is spelt in other ways.
fn with_digest(mut transform: Asset, maker: &Maker<'_>) -> Asset {
    let mut meta = maker.meta();
    let digest = xxh3_64(transform.body.to_string().as_bytes());
    if let (Some(meta), Some(body)) = (meta.as_object_mut(), transform.body.as_object_mut()) {
        meta.insert("digest".to_owned(), format!("{digest:016x}").into());
        body.insert("_meta".to_owned(), meta.clone().into());
    }
    transform
}
