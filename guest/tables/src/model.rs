//! The YAML shapes, as they are written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_saphyr::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pipeline {
    pub(crate) dataset: String,
    pub(crate) ecs: String,
    #[serde(default, rename = "about")]
    pub(crate) _about: String,
    #[serde(default)]
    pub(crate) identity: Vec<String>,
    pub(crate) identity_members: Option<String>,
    pub(crate) time: Option<Spanned<OneOrMany<String>>>,
    pub(crate) position: Option<String>,
    #[serde(default)]
    pub(crate) on_error: OnError,
    #[serde(default)]
    pub(crate) lookups: BTreeMap<String, Lookup>,
    #[serde(default)]
    pub(crate) labels: Vec<String>,
    #[serde(default)]
    pub(crate) pascal_case: bool,
    pub(crate) retention: Option<String>,
    #[serde(default)]
    pub(crate) sides: Vec<Spanned<Side>>,
    #[serde(default)]
    pub(crate) include: Vec<String>,
    pub(crate) below: Option<String>,
    #[serde(default)]
    pub(crate) rows: Vec<Spanned<Row>>,
    #[serde(default)]
    pub(crate) lists: Vec<Spanned<List>>,
}

/// What one feed contributes to a record that is joined.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Side {
    #[serde(rename = "feed")]
    pub(crate) _feed: String,
    pub(crate) at: Option<String>,
    #[serde(default)]
    pub(crate) members: Vec<String>,
    #[serde(default)]
    pub(crate) without: Vec<String>,
}

/// A file that a list or a pipeline includes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fragment {
    #[serde(default, rename = "about")]
    pub(crate) _about: String,
    #[serde(default)]
    pub(crate) rows: Vec<Spanned<Row>>,
    #[serde(default)]
    pub(crate) lists: Vec<Spanned<List>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OnError {
    #[serde(default)]
    pub(crate) kind: OnErrorKind,
    #[serde(default)]
    pub(crate) preserve_original: bool,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnErrorKind {
    #[default]
    Keep,
    Append,
    Replace,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lookup {
    #[serde(default)]
    pub(crate) ignore_case: bool,
    pub(crate) values: BTreeMap<String, serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    #[serde(default)]
    pub(crate) from: OneOrMany<Arg>,
    #[serde(rename = "as")]
    pub(crate) conversion: Option<String>,
    pub(crate) by: Option<String>,
    #[serde(rename = "const")]
    pub(crate) constant: Option<serde_json::Value>,
    pub(crate) lookup: Option<String>,
    #[serde(default)]
    pub(crate) to: OneOrMany<String>,
    #[serde(default)]
    pub(crate) of: Vec<String>,
    #[serde(default)]
    pub(crate) collect: Collect,
    pub(crate) related: Option<String>,
    #[serde(default)]
    pub(crate) dup: bool,
    #[serde(default, rename = "else")]
    pub(crate) otherwise: bool,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) about: String,
}

impl Row {
    /// Whether the row copies what another row gave, whatever its type.
    pub(crate) fn is_copy_of_field(&self) -> bool {
        self.conversion.as_deref().is_none_or(|name| name == "list")
            && matches!(self.from.as_slice(), [Arg::Path(path)] if path.starts_with('@'))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Collect {
    #[default]
    Set,
    Sorted,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Arg {
    Path(String),
    Filtered { path: String, of: Vec<String> },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        OneOrMany::Many(Vec::new())
    }
}

impl<T> OneOrMany<T> {
    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(many) => many,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct List {
    pub(crate) from: String,
    pub(crate) to: Option<String>,
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) rest: Rest,
    pub(crate) include: Option<String>,
    #[serde(default)]
    pub(crate) rows: Vec<Spanned<Row>>,
    #[serde(default)]
    pub(crate) lists: Vec<Spanned<List>>,
    #[serde(default)]
    pub(crate) about: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Rest {
    #[default]
    Unmapped,
    Keep,
}
