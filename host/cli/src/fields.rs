//! The fields that documents may have, as the pipelines declare them.

/// A field.
#[allow(dead_code, reason = "what a field means is shown by `docs fields`")]
pub(crate) struct Field {
    /// Full path.
    pub(crate) path: &'static str,
    /// Elasticsearch type; `any` where it is not indexed.
    pub(crate) kind: &'static str,
    /// What it means.
    pub(crate) about: &'static str,
    /// Paths of the record that it is made of.
    pub(crate) sources: &'static [&'static str],
    /// The rows that give it a value, such as `event/device.yml:12`; none where the engine does.
    pub(crate) rows: &'static [&'static str],
    /// Whether it is no field of our own.
    pub(crate) ecs: bool,
    /// Whether dates are in any form of ISO 8601, as delivered, instead of UTC milliseconds.
    pub(crate) as_delivered: bool,
    /// Whether its objects may hold keys that no row names.
    pub(crate) open: bool,
}

include!(concat!(env!("OUT_DIR"), "/fields.rs"));

/// The fields of a dataset's documents, sorted by path.
pub(crate) fn of(dataset: &str) -> Option<&'static [Field]> {
    DATASETS.iter().find(|(name, _)| *name == dataset).map(|(_, fields)| *fields)
}

/// All fields of the Elastic Common Schema, with path and type only.
pub(crate) fn ecs() -> &'static [Field] {
    ECS
}
