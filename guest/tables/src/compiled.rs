//! What compiling gives.

use std::collections::BTreeMap;

use crate::Field;
use crate::model::OnErrorKind;
use crate::places::Row;
use crate::scope::Scope;

/// A compiled pipeline.
#[derive(Debug)]
pub struct Compiled {
    pub(crate) dataset: String,
    pub(crate) ecs: String,
    pub(crate) digest: String,
    pub(crate) scope: Scope,
    pub(crate) accumulators: Vec<Gather>,
    pub(crate) identity: Vec<u16>,
    pub(crate) identity_members: u16,
    pub(crate) below: String,
    pub(crate) time: Vec<u16>,
    pub(crate) position: u16,
    pub(crate) kind: u16,
    pub(crate) on_error: OnErrorKind,
    pub(crate) preserve_original: bool,
    pub(crate) lookups: Vec<(bool, BTreeMap<String, String>)>,
    pub(crate) json_paths: Vec<(String, u16)>,
    pub(crate) timestamp: u16,
    pub(crate) sides: Vec<Side>,
    pub(crate) labels: Vec<String>,
    pub(crate) rows: Vec<Row>,
    pub(crate) retention: Option<u16>,
    pub(crate) fields: Vec<Field>,
}

impl Compiled {
    /// Rust source that defines `static TABLE: Table`.
    pub fn rust(&self) -> String {
        crate::generate::rust(self)
    }

    /// Every field that a document may have, sorted by path.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Days for which documents are of use; none: for ever.
    pub fn retention(&self) -> Option<u16> {
        self.retention
    }

    /// Digest of the pipeline's files: 128 bits, hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// A side of a join: `defenderbeat_mapping::table::Side`, sets as sorted numbers.
#[derive(Debug, Default)]
pub(crate) struct Side {
    pub(crate) node: u16,
    pub(crate) members: Vec<u16>,
    pub(crate) without: Vec<u16>,
    /// Whether members of the object that no side names belong to it.
    pub(crate) rest: bool,
    pub(crate) values: Vec<u16>,
    pub(crate) cells: Vec<u16>,
    pub(crate) outputs: Vec<u16>,
    pub(crate) inputs: Vec<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gather {
    Set,
    Sorted,
    All,
}
