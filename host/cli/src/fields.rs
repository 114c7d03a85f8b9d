//! The fields that documents may have, as the pipelines and the ECS list say (made by `build.rs`).

/// A field that documents may have.
pub(crate) struct Field {
    /// Full path.
    pub(crate) path: &'static str,
    /// Elasticsearch type; `any` where it is not indexed.
    pub(crate) kind: &'static str,
    /// What it means.
    pub(crate) about: &'static str,
    /// Whose it is: `ECS`; `Elastic`, where only lists beside ECS have it; or `own`.
    pub(crate) of: &'static str,
    /// Paths of the record that it is made of.
    pub(crate) sources: &'static [&'static str],
    /// The rows that give it a value, such as `event/device.yml:12`; none where the engine does.
    pub(crate) rows: &'static [&'static str],
    /// Whether dates are in any form of ISO 8601, as delivered, instead of UTC milliseconds.
    pub(crate) as_delivered: bool,
    /// Whether its objects may hold keys that no row names.
    pub(crate) open: bool,
}

include!(concat!(env!("OUT_DIR"), "/fields.rs"));

/// Fields of the Elastic Common Schema, sorted by path, with path and type only.
pub(crate) fn ecs() -> &'static [Field] {
    ECS
}

/// The own fields of a dataset, such as `alert`, sorted by path.
pub(crate) fn own(dataset: &str) -> Option<&'static [Field]> {
    of(DATASETS, dataset).copied()
}

/// The ECS fields that documents of a dataset may have, sorted by path.
pub(crate) fn written(dataset: &str) -> &'static [Field] {
    of(WRITTEN, dataset).copied().unwrap_or_default()
}

/// The days for which documents of a dataset are of use; none: for ever.
pub(crate) fn retention(dataset: &str) -> Option<u16> {
    of(RETENTION, dataset).copied().flatten()
}

fn of<T>(all: &'static [(&str, T)], dataset: &str) -> Option<&'static T> {
    all.iter().find(|(name, _)| *name == dataset).map(|(_, value)| value)
}
