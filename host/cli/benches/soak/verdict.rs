//! Whether all went well.

use std::collections::HashSet;

use crate::arrived::Arrived;
use crate::expected::Ids;
use crate::fleet::NAMES;
use crate::median::median;
use crate::sample::Sample;
use crate::table::Table;

/// By how much a median of the last quarter may be above that of the second: this part, and for each measure a constant.
const GROWTH: f64 = 0.05;
const MEBIBYTES: f64 = 8.0;
const FILES: f64 = 8.0;
const THREADS: f64 = 2.0;
/// A few intervals.
const SECONDS: f64 = 15.0;

type Measure = (&'static str, f64, fn(&Sample) -> Option<f64>);

const MEASURES: [Measure; 4] = [
    ("MiB of resident memory", MEBIBYTES, |sample| Some(sample.memory)),
    ("open files", FILES, |sample| Some(sample.files)),
    ("threads", THREADS, |sample| Some(sample.threads)),
    ("seconds of lag", SECONDS, |sample| Some(sample.told.as_ref()?.lag)),
];

/// Says how it went; gives what went wrong.
pub(crate) fn of(table: &Table, expected: Ids, arrived: &Arrived, dead_letters: usize) -> Vec<String> {
    let mut failures = Vec::new();
    println!("{:<8} {:<24} {:>14} {:>14} {:>8}", "", "medians", "second quarter", "last quarter", "at most");
    for (process, name) in NAMES.iter().enumerate() {
        for (measure, constant, of) in MEASURES {
            let quarters = [(0.25, 0.5), (0.75, 1.0)].map(|(from, to)| table.values(process, from, to, of));
            // It was not there, as may be in a run of minutes.
            if quarters.iter().any(Vec::is_empty) {
                continue;
            }
            let [before, after] = quarters.map(|values| median(&values));
            let most = before * (1.0 + GROWTH) + constant;
            println!("{name:<8} {measure:<24} {before:>14.1} {after:>14.1} {most:>8.1}");
            if after > most {
                failures.push(format!("{name}: {after:.1} {measure} after {before:.1}"));
            }
        }
    }
    println!("{:<26} {:>10} {:>10} {:>10} {:>10}", "documents", "expected", "arrived", "missing", "doubled");
    let mut compare = |name: &str, expected: &[u128], arrived: &HashSet<u128>, whole: bool| {
        let missing = expected.iter().filter(|id| !arrived.contains(id)).count();
        // An id that nothing has is a second one of some document.
        let doubled = arrived.len() + missing - expected.len();
        println!("{name:<26} {:>10} {:>10} {missing:>10} {doubled:>10}", expected.len(), arrived.len());
        if (whole && missing > 0) || doubled > 0 {
            failures.push(format!("{name}: {missing} documents are missing, {doubled} were not expected"));
        }
    };
    compare("alerts", &expected.alerts, &arrived.alerts, true);
    compare("incidents", &expected.incidents, &arrived.incidents, true);
    compare("events", &expected.events, &arrived.events, true);
    let newest = arrived.syncs.keys().next_back();
    for (start, findings) in &arrived.syncs {
        // The last one may have been under way.
        compare(start, &expected.of_sync(start), findings, newest != Some(start));
    }
    println!(
        "{} documents tell of cycles that failed, of two tokens in turn that were revoked for example",
        arrived.failures.len()
    );
    if dead_letters > 0 {
        failures.push(format!("{dead_letters} dead letters"));
    }
    failures
}
