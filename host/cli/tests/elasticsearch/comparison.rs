//! What a data stream holds beside what it should hold.

use std::collections::HashMap;

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

use crate::stream::Held;

/// Stands for a document without what every run has its own of.
pub(crate) type Digest = u128;

/// `agent` says which process sent a document, `event.ingested` when its record was read; all else follows from the record.
pub(crate) fn digest(mut document: Value) -> Digest {
    assert!(document["agent"]["id"].is_string() || document["agent"].is_null(), "{document}");
    document.as_object_mut().unwrap().remove("agent");
    document["event"].as_object_mut().unwrap().remove("ingested");
    xxh3_128(document.to_string().as_bytes())
}

/// Ids at fault, five of each kind at most.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    pub(crate) lost: Few,
    pub(crate) doubled: Few,
    /// Of no record.
    pub(crate) foreign: Few,
    /// Not what the component makes of their record.
    pub(crate) different: Few,
}

/// How many, and some of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Few {
    count: usize,
    some: Vec<String>,
}

impl Few {
    fn add(&mut self, id: u128) {
        self.count += 1;
        if self.some.len() < 5 {
            self.some.push(format!("{id:032x}"));
        }
    }
}

/// Compares.
pub(crate) fn compare(expected: &HashMap<u128, Digest>, held: &Held) -> Comparison {
    let mut comparison = Comparison::default();
    for (id, digest) in expected {
        match held.documents.get(id).map(Vec::as_slice) {
            None => comparison.lost.add(*id),
            Some([one]) if one == digest => {}
            Some([_]) => comparison.different.add(*id),
            Some(_) => comparison.doubled.add(*id),
        }
    }
    for id in held.documents.keys().filter(|id| !expected.contains_key(id)) {
        comparison.foreign.add(*id);
    }
    comparison
}
