//! What the output was sent.

use std::collections::{BTreeMap, HashSet};

use defenderbeat_elasticsearch::Sent;

use crate::source::Counts;

/// What stands before the start of the sync in a finding.
const SYNC: &[u8] = br#""sync":{"start":""#;
/// What is in a document that tells of a cycle that failed. Any other that had it would be missing among those expected.
const FAILURE: &[u8] = br#""kind":"pipeline_error""#;

/// Identities of documents.
#[derive(Default)]
pub(crate) struct Arrived {
    pub(crate) alerts: HashSet<u128>,
    pub(crate) incidents: HashSet<u128>,
    pub(crate) events: HashSet<u128>,
    /// Findings by the start of their sync.
    pub(crate) syncs: BTreeMap<String, HashSet<u128>>,
    /// Documents that each tell of a cycle that failed.
    pub(crate) failures: HashSet<u128>,
    /// Documents that had arrived before.
    pub(crate) again: u64,
}

impl Arrived {
    /// Whether a document is new.
    pub(crate) fn look(&mut self, sent: Sent<'_>) -> bool {
        let id = u128::from_str_radix(sent.id, 16).expect("an id has 32 hexadecimal digits");
        let dataset = sent.stream.split(['.', '-']).nth(2);
        let of_dataset = match dataset {
            _ if find(sent.source, FAILURE).is_some() => &mut self.failures,
            Some("alert") => &mut self.alerts,
            Some("incident") => &mut self.incidents,
            Some("event") => &mut self.events,
            Some("vulnerability") => self.syncs.entry(sync_start(sent.source)).or_default(),
            _ => panic!("no stream is called {}", sent.stream),
        };
        let new = of_dataset.insert(id);
        self.again += u64::from(!new);
        new
    }

    /// How many there are, without findings.
    pub(crate) fn counts(&self) -> Counts {
        [&self.alerts, &self.incidents, &self.events].map(|ids| ids.len() as u64)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        let findings: usize = self.syncs.values().map(HashSet::len).sum();
        self.counts().iter().sum::<u64>() + findings as u64
    }

    /// How many of these have not arrived.
    pub(crate) fn behind(&self, due: Counts) -> u64 {
        due.iter().zip(self.counts()).map(|(due, arrived)| due.saturating_sub(arrived)).sum()
    }
}

fn find(source: &[u8], part: &[u8]) -> Option<usize> {
    source.windows(part.len()).position(|bytes| bytes == part)
}

fn sync_start(source: &[u8]) -> String {
    let begin = find(source, SYNC).expect("a finding tells its sync");
    let rest = &source[begin + SYNC.len()..];
    let length = rest.iter().position(|byte| *byte == b'"').unwrap();
    String::from_utf8(rest[..length].to_vec()).unwrap()
}
