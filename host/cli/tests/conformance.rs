//! Documents against those of other people's tests, which lie outside of the project: where they are not there, this
//! says so and passes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, its helpers too, and says what it skips"
)]

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// Sets with the percentage of leaves that has to be equal. What is missing are leaves that differ on purpose.
const ALERTS: [(&str, &str); 2] = [("elastic-recent", "99"), ("elastic-2.15.0", "97")];
const INCIDENTS: [(&str, &str); 2] = ALERTS;
const EVENTS: [(&str, &str); 2] = [("elastic-recent", "100"), ("elastic-2.15.0", "99")];

const VULNERABILITIES: [(&str, &str); 1] = [("elastic-recent", "99")];

#[test]
fn alerts_are_mapped_as_expected() {
    compare("alert", &ALERTS);
}

#[test]
fn incidents_are_mapped_as_expected() {
    compare("incident", &INCIDENTS);
}

#[test]
fn events_are_mapped_as_expected() {
    compare("event", &EVENTS);
}

#[test]
fn vulnerabilities_are_mapped_as_expected() {
    compare("vulnerability", &VULNERABILITIES);
}

fn compare(dataset: &str, sets: &[(&str, &str)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance");
    if !folder.is_dir() {
        // The macros' output is shown for tests that fail only.
        let _ = writeln!(std::io::stderr(), "skipped: there is no {}", folder.display());
        return;
    }
    for (set, minimum) in sets {
        score(&folder, set, dataset, minimum);
    }
}

/// Maps each file of a dataset and compares.
fn score(conformance: &Path, set: &str, dataset: &str, minimum: &str) {
    let folder = conformance.join(set).join(dataset);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "ndjson"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} has no records", folder.display());
    let scratch = tempfile::tempdir().unwrap();
    for file in files {
        let mapped = Command::new(env!("CARGO_BIN_EXE_defenderbeat"))
            .args(["transform", dataset, "--preserve-original-event", "--preserve-duplicate-custom-fields"])
            .arg("--geoip")
            .arg(conformance.join("../geoip"))
            .arg(&file)
            .output()
            .unwrap();
        assert!(mapped.status.success(), "{}", String::from_utf8_lossy(&mapped.stderr));
        let made = scratch.path().join("made.ndjson");
        std::fs::write(&made, &mapped.stdout).unwrap();
        let mut compare = Command::new("python3");
        compare.arg(conformance.join("score.py")).arg(file.with_extension("expected.json")).arg(&made);
        if folder.join("ignore.txt").exists() {
            compare.arg("--ignore").arg(folder.join("ignore.txt"));
        }
        let compared = compare.args(["--show", "20", "--min", minimum]).output().unwrap();
        let said = String::from_utf8_lossy(&compared.stdout);
        println!("{said}");
        assert!(compared.status.success(), "{}: {said}{}", file.display(), String::from_utf8_lossy(&compared.stderr));
    }
}
