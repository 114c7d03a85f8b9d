//! What became of all records, in one line.

use std::collections::BTreeMap;
use std::fmt;

use defenderbeat_runtime::{Drift, Tally};

/// Unknown names that are shown one by one.
const SHOWN: usize = 10;
/// Unknown names that are remembered, so that a pipe of years needs no more memory; of further ones it is only said that there are.
const REMEMBERED: usize = 1_000;
/// How names of drift begin that count what a join did not find.
const UNMATCHED: &str = "unmatched ";

#[derive(Default)]
pub(super) struct Summary {
    pub(super) bytes: u64,
    pub(super) records: u64,
    pub(super) rejected: u64,
    documents: u64,
    held: u64,
    dropped: u64,
    unmatched: BTreeMap<String, u64>,
    unknown: BTreeMap<String, u64>,
    /// Whether there were unknown names that are not remembered.
    forgot: bool,
}

impl Summary {
    pub(super) fn count(&mut self, tallies: &[Tally], drift: Vec<Drift>) {
        for tally in tallies {
            self.records += u64::from(tally.records);
            self.documents += u64::from(tally.documents);
            self.held += u64::from(tally.held);
            self.dropped += u64::from(tally.dropped);
        }
        for drift in drift {
            let (names, name) = match drift.name.strip_prefix(UNMATCHED) {
                Some(what) => (&mut self.unmatched, what.to_owned()),
                None if self.unknown.len() >= REMEMBERED && !self.unknown.contains_key(&drift.name) => {
                    self.forgot = true;
                    continue;
                }
                None => (&mut self.unknown, drift.name),
            };
            *names.entry(name).or_default() += u64::from(drift.count);
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, records, rejected, documents, held, dropped, unmatched, unknown, forgot } = self;
        write!(
            formatter,
            "{bytes} bytes, {records} records, {documents} documents, {dropped} dropped, {rejected} rejected"
        )?;
        if *held > 0 {
            write!(formatter, ", {held} held")?;
        }
        for (what, count) in unmatched {
            write!(formatter, ", {count} unmatched ({what})")?;
        }
        if !unknown.is_empty() {
            let names: Vec<&str> = unknown.keys().take(SHOWN).map(String::as_str).collect();
            let more = if unknown.len() > SHOWN { ", .." } else { "" };
            let count = if *forgot { "more than " } else { "" };
            write!(formatter, ", {count}{} unknown properties ({}{more})", unknown.len(), names.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_end_are_not_remembered_without_end() {
        let mut summary = Summary::default();
        for number in 0..2 * REMEMBERED {
            summary.count(&[], vec![Drift { name: format!("name-{number:05}"), count: 1 }]);
        }
        assert_eq!(summary.unknown.len(), REMEMBERED);
        let text = summary.to_string();
        assert!(text.contains("more than 1000 unknown properties (name-00000, name-00001,"), "{text}");
    }
}
