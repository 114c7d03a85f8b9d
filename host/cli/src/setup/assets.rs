//! What is made in Elasticsearch, from nothing but the fields of documents.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value as Json, json};
use xxhash_rust::xxh3::xxh3_64;

use super::abilities::{Abilities, Feature};
use super::latest::{self, Latest};
use super::mappings::{Mapping, mapping};
use crate::{components, fields};

/// Who makes our assets, in the `_meta` of each.
pub(super) const MANAGED_BY: &str = "defenderbeat";
/// Above the templates of the stack (100) and of Fleet (200).
pub(super) const PRIORITY: u32 = 250;
/// The ingest pipeline of all datasets.
const INGESTED: &str = "logs-m365_defender@defenderbeat-ingested";
/// When a new backing index is started, as by the stack's own policy for logs.
const ROLLOVER_AGE: &str = "30d";
const ROLLOVER_SIZE: &str = "50gb";
/// The same where old indices are deleted: an index is deleted as a whole, so it holds a day.
const ROLLOVER_AGE_RETAINED: &str = "1d";
/// Fields that a site may add before new ones stay unmapped.
const FIELDS_OF_A_SITE: usize = 1000;

/// A kind of asset, in the order in which they are made: each may name those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    IlmPolicy,
    IngestPipeline,
    ComponentTemplate,
    IndexTemplate,
    Transform,
}

impl Kind {
    /// Where assets of the kind are, without the `/` before it.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::IlmPolicy => "_ilm/policy",
            Self::IngestPipeline => "_ingest/pipeline",
            Self::ComponentTemplate => "_component_template",
            Self::IndexTemplate => "_index_template",
            Self::Transform => "_transform",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::IlmPolicy => "ILM policy",
            Self::IngestPipeline => "ingest pipeline",
            Self::ComponentTemplate => "component template",
            Self::IndexTemplate => "index template",
            Self::Transform => "transform",
        })
    }
}

/// One thing that is made.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asset {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// The body of the request that makes it.
    pub(super) body: Json,
}

/// How old indices are left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifecycle {
    Ilm,
    DataStream,
    None,
}

/// What a site chooses.
#[derive(Clone, Debug)]
pub(super) struct Choices {
    pub(super) lifecycle: Lifecycle,
    /// Whether `event.ingested` is set by the server's clock.
    pub(super) ingested: bool,
    /// The transform of the latest vulnerabilities, if there is to be one.
    pub(super) latest: Option<Latest>,
    /// The site's own component templates that are there, for servers that take no others.
    pub(super) customs: BTreeSet<String>,
}

impl Default for Choices {
    fn default() -> Self {
        Self { lifecycle: Lifecycle::Ilm, ingested: false, latest: Some(Latest::default()), customs: BTreeSet::new() }
    }
}

/// The name of a dataset's index template and, with more behind it, of what belongs to it.
pub(crate) fn template_name(dataset: &str) -> String {
    format!("logs-m365_defender.{dataset}@{MANAGED_BY}")
}

/// The version of all assets, in the `_meta` of each: that of the program, and a digest of what it makes by default. It changes
/// exactly where the assets do.
pub(crate) fn version() -> String {
    let assets = Maker { abilities: &Abilities::full(), choices: &Choices::default(), version: "" };
    let texts =
        components::names().into_iter().flat_map(|dataset| assets.of(dataset)).map(|asset| asset.body.to_string());
    let digest = xxh3_64(texts.collect::<String>().as_bytes());
    format!("{}-{digest:016x}", env!("CARGO_PKG_VERSION"))
}

/// Everything that the datasets, such as `alert`, need, in the order in which it is made.
pub(super) fn all(datasets: &[&str], abilities: &Abilities, choices: &Choices) -> Vec<Asset> {
    let version = version();
    let maker = Maker { abilities, choices, version: &version };
    let mut assets: Vec<Asset> = datasets.iter().flat_map(|dataset| maker.of(dataset)).collect();
    assets.sort_by_key(|asset| asset.kind);
    // The ingest pipeline is one for all.
    assets.dedup();
    assets
}

/// The site's own component template of a dataset, which comes last.
pub(super) fn custom(dataset: &str) -> String {
    format!("logs-m365_defender.{dataset}@custom")
}

/// Makes assets of one version.
pub(super) struct Maker<'a> {
    pub(super) abilities: &'a Abilities,
    pub(super) choices: &'a Choices,
    pub(super) version: &'a str,
}

impl Maker<'_> {
    fn of(&self, dataset: &str) -> Vec<Asset> {
        let mapping = mapping(dataset, self.abilities, &self.meta());
        let settings = self.settings(dataset, &mapping);
        let name = template_name(dataset);
        let component = |suffix: &str, template: Json| Asset {
            kind: Kind::ComponentTemplate,
            name: format!("{name}-{suffix}"),
            body: json!({ "template": template, "_meta": self.meta() }),
        };
        let mut assets = Vec::new();
        if self.choices.lifecycle == Lifecycle::Ilm {
            assets.push(self.policy(dataset));
        }
        if self.choices.ingested {
            assets.push(self.ingest_pipeline());
        }
        assets.push(component("settings", settings));
        let latest = self.choices.latest.as_ref().filter(|_| dataset == "vulnerability");
        if let Some(latest) = latest {
            assets.extend(latest::assets(self, latest, &mapping));
        }
        assets.push(component("mappings", json!({ "mappings": mapping.json })));
        assets.push(self.index_template(dataset));
        assets
    }

    /// What tells our assets from those of others, and one version from the next.
    pub(super) fn meta(&self) -> Json {
        json!({ "managed_by": MANAGED_BY, "version": self.version })
    }

    fn settings(&self, dataset: &str, mapping: &Mapping) -> Json {
        let mut index = self.index_settings(mapping);
        let mut set = |name: &str, value: Json| {
            if let Some(index) = index.as_object_mut() {
                index.insert(name.to_owned(), value);
            }
        };
        if self.choices.ingested {
            // A final pipeline, because the output asks for no other one.
            set("final_pipeline", INGESTED.into());
        }
        match self.choices.lifecycle {
            Lifecycle::Ilm => {
                set("lifecycle", json!({ "name": template_name(dataset) }));
                json!({ "settings": { "index": index } })
            }
            Lifecycle::DataStream => {
                let lifecycle = match fields::retention(dataset) {
                    Some(days) => json!({ "enabled": true, "data_retention": format!("{days}d") }),
                    None => json!({ "enabled": true }),
                };
                json!({ "settings": { "index": index }, "lifecycle": lifecycle })
            }
            Lifecycle::None => json!({ "settings": { "index": index } }),
        }
    }

    /// Settings of any index with the mapping.
    pub(super) fn index_settings(&self, mapping: &Mapping) -> Json {
        let mut limit = json!({ "limit": (mapping.fields + FIELDS_OF_A_SITE).next_multiple_of(FIELDS_OF_A_SITE) });
        if let (Some(limit), true) = (limit.as_object_mut(), self.abilities.has(Feature::BeyondLimit)) {
            limit.insert("ignore_dynamic_beyond_limit".to_owned(), true.into());
        }
        json!({
            "codec": "best_compression",
            "mapping": { "ignore_malformed": true, "total_fields": limit },
            "query": { "default_field": mapping.texts },
        })
    }

    fn index_template(&self, dataset: &str) -> Asset {
        let name = template_name(dataset);
        let own = ["mappings", "settings"].map(|suffix| format!("{name}-{suffix}"));
        let body = json!({
            "index_patterns": [format!("logs-m365_defender.{dataset}-*")],
            "data_stream": {},
            "priority": PRIORITY,
            "_meta": self.meta(),
        });
        Asset { kind: Kind::IndexTemplate, body: self.composed(body, &own, &custom(dataset)), name }
    }

    /// An index template of component templates, the site's own last.
    pub(super) fn composed(&self, mut template: Json, own: &[String], custom: &str) -> Json {
        let missing = self.abilities.has(Feature::MissingComponents);
        let mut names = own.to_vec();
        if missing || self.choices.customs.contains(custom) {
            names.push(custom.to_owned());
        }
        if let Some(template) = template.as_object_mut() {
            template.insert("composed_of".to_owned(), json!(names));
            if missing {
                template.insert("ignore_missing_component_templates".to_owned(), json!([custom]));
            }
        }
        template
    }

    fn policy(&self, dataset: &str) -> Asset {
        let retention = fields::retention(dataset);
        let age = if retention.is_some() { ROLLOVER_AGE_RETAINED } else { ROLLOVER_AGE };
        let mut phases = json!({ "hot": {
            "min_age": "0ms",
            "actions": { "rollover": { "max_age": age, "max_primary_shard_size": ROLLOVER_SIZE } },
        }});
        if let (Some(phases), Some(days)) = (phases.as_object_mut(), retention) {
            let delete = json!({ "delete_searchable_snapshot": true });
            phases.insert(
                "delete".to_owned(),
                json!({
                    "min_age": format!("{days}d"), "actions": { "delete": delete },
                }),
            );
        }
        Asset {
            kind: Kind::IlmPolicy,
            name: template_name(dataset),
            body: json!({ "policy": { "_meta": self.meta(), "phases": phases } }),
        }
    }

    fn ingest_pipeline(&self) -> Asset {
        Asset {
            kind: Kind::IngestPipeline,
            name: INGESTED.to_owned(),
            body: json!({
                "description": "Sets event.ingested by the server's clock.",
                "processors": [{ "set": { "field": "event.ingested", "value": "{{{_ingest.timestamp}}}" } }],
                "_meta": self.meta(),
            }),
        }
    }
}
