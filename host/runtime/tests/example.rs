//! `examples/transform.rs`, which the documentation shows, does what it says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs};

/// Where cargo puts examples: beside the folder that this test is in. None, with a message, where it was not built, as by
/// `cargo test --test example`; never in CI.
fn example() -> Option<PathBuf> {
    let test = env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap().join("examples");
    let example = folder.join(format!("transform{}", env::consts::EXE_SUFFIX));
    if !example.exists() {
        let in_ci = env::var_os("CI").is_some_and(|value| value == "true");
        assert!(!in_ci, "{} is not there", example.display());
        // The macros' output is shown for tests that fail only.
        let _ = writeln!(std::io::stderr(), "skipped: {} is not there: `make test` builds it", example.display());
        return None;
    }
    Some(example)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn transform(feed: &str, payload: &[u8]) -> Option<Output> {
    let mut process = Command::new(example()?)
        .args([root().join("target/components/alert.wasm").to_str().unwrap(), feed])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(payload).unwrap();
    Some(process.wait_with_output().unwrap())
}

#[test]
fn the_example_maps_a_payload() {
    let case = |name: &str| fs::read(root().join("testdata/alert").join(name)).unwrap();
    let Some(output) = transform("alerts", &case("severities.ndjson")) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made = String::from_utf8(output.stdout).unwrap();
    // It says that records were received in 1970.
    let expected = String::from_utf8(case("severities.expected.ndjson")).unwrap();
    assert_eq!(made.replace("1970-01-01T00:00:00.000Z", "2025-01-01T00:00:00.000Z"), expected);
}

#[test]
fn the_example_names_a_feed_that_is_not_there() {
    let Some(output) = transform("incidents", b"{}") else { return };
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("incidents"));
}
