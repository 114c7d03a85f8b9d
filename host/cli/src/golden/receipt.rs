//! Receipts as text that a person reviews: `<case>.receipt.json`.

use std::collections::BTreeMap;

use chrono::DateTime;
use defenderbeat_runtime::{Receipt, Reject, Tally};
use serde::Serialize;

use super::outcome::Outcome;

/// What is written of the receipts of a case, taken together.
#[derive(Serialize)]
struct Summary {
    records: u32,
    mapped: u32,
    #[serde(skip_serializing_if = "is_zero")]
    held: u32,
    #[serde(skip_serializing_if = "is_zero")]
    dropped: u32,
    #[serde(skip_serializing_if = "is_zero")]
    rejected: u32,
    /// The `_id` of each document, and its position where it has one.
    documents: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rejects: Vec<Rejected>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    drift: BTreeMap<String, u32>,
}

#[derive(Serialize)]
struct Rejected {
    /// The file, where the case has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    offset: u64,
    length: u64,
    id: String,
    code: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    path: String,
    message: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// The receipts of a case as JSON text. `files` names the input of each push.
pub(super) fn text(outcome: &Outcome, files: &[String]) -> Result<String, serde_json::Error> {
    let mut total = Tally::default();
    let mut rejects = Vec::new();
    let mut drift: BTreeMap<String, u32> = BTreeMap::new();
    for (at, receipt) in outcome.receipts.iter().enumerate() {
        let Receipt { tallies, rejects: rejected, drift: names, .. } = receipt;
        for tally in tallies {
            total.records += tally.records;
            total.mapped += tally.mapped;
            total.held += tally.held;
            total.dropped += tally.dropped;
            total.rejected += tally.rejected;
        }
        let file = files.get(at).filter(|_| files.len() > 1);
        rejects.extend(rejected.iter().map(|reject| self::reject(reject, file)));
        for name in names {
            *drift.entry(name.name.clone()).or_default() += name.count;
        }
    }
    let documents = outcome.documents.iter().map(|document| match document.position {
        0 => format!("{:032x}", document.id),
        position => format!("{:032x} at {}", document.id, instant(position)),
    });
    let summary = Summary {
        records: total.records,
        mapped: total.mapped,
        held: total.held,
        dropped: total.dropped,
        rejected: total.rejected,
        documents: documents.collect(),
        rejects,
        drift,
    };
    Ok(serde_json::to_string_pretty(&summary)? + "\n")
}

fn reject(reject: &Reject, file: Option<&String>) -> Rejected {
    Rejected {
        file: file.cloned(),
        offset: reject.offset,
        length: reject.length,
        id: format!("{:032x}", reject.id),
        code: reject.code.as_str(),
        path: reject.path.clone(),
        message: reject.message.clone(),
    }
}

/// A position (100 ns ticks) as a time; the number where it is none.
fn instant(ticks: u64) -> String {
    let seconds = i64::try_from(ticks / 10_000_000).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    match seconds {
        Some(time) => format!("{}.{:07}Z", time.format("%Y-%m-%dT%H:%M:%S"), ticks % 10_000_000),
        None => ticks.to_string(),
    }
}
