//! The components in other hosts (`host/examples`, `docs/playground`) give what they give in our sandbox: documents and receipts, byte for byte.
//! Where a host's tool is absent or cannot install what it needs, its tests are skipped with a message, but never in CI.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

mod go;
mod node;
mod otel;
mod playground;
mod python;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Where an example is ready to run; none, with a message, where its tool is absent.
fn run_or_skip(project: &Result<PathBuf, String>) -> Option<&Path> {
    match project {
        Ok(project) => Some(project),
        Err(cause) => {
            let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
            assert!(!in_ci, "{cause}");
            // The macros' output is shown for tests that fail only.
            let _ = writeln!(std::io::stderr(), "skipped: {cause}");
            None
        }
    }
}

/// Copies the files of an example, not what was installed or built beside them.
fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let file = entry.unwrap().path();
        if file.is_file() {
            fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
}

fn testdata(file: &str) -> Vec<u8> {
    fs::read(root().join("testdata").join(file)).unwrap()
}

/// What a filter makes of a payload.
fn pipe(filter: &mut Command, payload: &[u8]) -> Output {
    let mut filter = filter.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that refuses its arguments reads nothing.
    let _ = filter.stdin.take().unwrap().write_all(payload);
    filter.wait_with_output().unwrap()
}

/// Asserts what every example's filter makes of `alert/malformed-lines`, received when golden cases are.
fn assert_is_a_filter(output: Output) {
    assert_eq!(output.status.code(), Some(3), "records were rejected: {}", text(&output));
    assert_eq!(output.stdout, testdata("alert/malformed-lines.expected.ndjson"));
    let summary = String::from_utf8(output.stderr).unwrap();
    assert!(summary.ends_with("10 records: 3 mapped, 0 held, 0 dropped, 7 rejected; 3 documents\n"), "{summary}");
}
