//! The options `setup`: what `defenderbeat setup` makes in Elasticsearch.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema::in_order;

/// What `defenderbeat setup` makes in Elasticsearch, with the hosts and the account of `output.elasticsearch`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(transform = in_order::<Self>)]
pub struct SetupOptions {
    /// What starts new backing indices and deletes old ones. Vulnerabilities are deleted after seven days; everything else
    /// stays.
    pub lifecycle: Lifecycle,

    /// Sets `event.ingested` by the server's clock, instead of the collector's. Takes an ingest node.
    pub ingest_pipeline: bool,

    /// Makes and starts the transform that keeps the latest state of each vulnerability, which Kibana's page of findings reads.
    /// For inputs of vulnerabilities only.
    pub transform: bool,
}

impl Default for SetupOptions {
    fn default() -> Self {
        Self { lifecycle: Lifecycle::default(), ingest_pipeline: false, transform: true }
    }
}

/// What starts new backing indices and deletes old ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// Index lifecycle management where the server has it, else the lifecycle of data streams.
    #[default]
    Auto,
    /// Policies of index lifecycle management.
    Ilm,
    /// The lifecycle of data streams, which serverless projects have.
    DataStream,
    /// Nothing: indices grow until you do something about it.
    None,
}
