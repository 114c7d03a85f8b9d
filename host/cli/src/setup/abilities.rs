//! What a server can do, and what takes the place of what it cannot.

use std::collections::BTreeSet;

/// Field types that servers may lack, with what takes their place: the first that is there.
pub(super) const KINDS: &[(&str, &[&str])] = &[
    ("constant_keyword", &["keyword"]),
    ("wildcard", &["keyword"]),
    ("match_only_text", &["text"]),
    ("scaled_float", &["double"]),
    // A double would not be exact, a long too small.
    ("unsigned_long", &["keyword"]),
    // OpenSearch has its own. An object that is not indexed holds anything.
    ("flattened", &["flat_object", "object"]),
];

/// What a server may lack besides field types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Feature {
    /// `path_match` of a dynamic template takes a list.
    PathLists,
    /// A template may name component templates that are not there.
    MissingComponents,
    /// New fields beyond the limit are left out instead of refused.
    BeyondLimit,
    /// Data streams have a lifecycle of their own.
    DataStreamLifecycle,
    /// Index lifecycle management.
    Ilm,
    /// Transforms.
    Transforms,
    /// The ingest processors `set`.
    IngestSet,
}

impl Feature {
    pub(super) const ALL: [Self; 7] = [
        Self::PathLists,
        Self::MissingComponents,
        Self::BeyondLimit,
        Self::DataStreamLifecycle,
        Self::Ilm,
        Self::Transforms,
        Self::IngestSet,
    ];
}

/// What a server can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Abilities {
    lacking: BTreeSet<&'static str>,
    features: BTreeSet<Feature>,
}

impl Abilities {
    /// Those of a full Elasticsearch of a current version.
    pub(super) fn full() -> Self {
        // `flat_object` is OpenSearch's.
        Self { lacking: BTreeSet::from(["flat_object"]), features: Feature::ALL.into() }
    }

    /// Without a field type, or the one that may take its place.
    pub(super) fn without_kind(mut self, kind: &'static str) -> Self {
        self.lacking.insert(kind);
        self
    }

    /// With a field type that others may lack.
    pub(super) fn with_kind(mut self, kind: &str) -> Self {
        self.lacking.remove(kind);
        self
    }

    /// Without a feature.
    pub(super) fn without(mut self, feature: Feature) -> Self {
        self.features.remove(&feature);
        self
    }

    /// Whether it has a feature.
    pub(super) fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// What templates do without, a sentence each.
    pub(super) fn remarks(&self) -> Vec<String> {
        let replaced = KINDS.iter().map(|(kind, _)| (*kind, self.kind(kind))).filter(|(kind, nearest)| kind != nearest);
        let kinds = replaced
            .map(|(kind, nearest)| format!("the server lacks the field type {kind}: {nearest} takes its place"));
        let features = [
            (
                Feature::PathLists,
                "the server lacks lists in dynamic templates: ECS fields that only a site's own rows write get the type of \
                 their first value",
            ),
            (
                Feature::MissingComponents,
                "the server lacks ignore_missing_component_templates: run setup again once you have made an @custom template",
            ),
            (
                Feature::BeyondLimit,
                "the server lacks ignore_dynamic_beyond_limit: documents with too many new fields are refused",
            ),
        ];
        let features = features.into_iter().filter(|(feature, _)| !self.has(*feature));
        kinds.chain(features.map(|(_, remark)| remark.to_owned())).collect()
    }

    /// A type, or the nearest one that the server knows.
    pub(super) fn kind<'a>(&self, kind: &'a str) -> &'a str {
        if !self.lacking.contains(kind) {
            return kind;
        }
        let (_, nearest) = KINDS.iter().find(|(name, _)| *name == kind).unwrap_or(&("", &[]));
        nearest.iter().copied().find(|name| !self.lacking.contains(name)).unwrap_or("keyword")
    }
}
