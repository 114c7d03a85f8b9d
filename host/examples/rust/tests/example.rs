//! This example gives what `defenderbeat` gives: documents and receipts, byte for byte.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").join(path)
}

fn component(name: &str) -> PathBuf {
    root("target/components").join(name).with_extension("wasm")
}

fn example(command: &str) -> Command {
    let mut example = Command::new(env!("CARGO_BIN_EXE_defenderbeat-example"));
    example.arg(command);
    example
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What `transform` makes of a payload.
fn transform(name: &str, arguments: &[&str], payload: &[u8]) -> Output {
    let mut filter = example("transform")
        .arg(component(name))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that refuses its arguments reads nothing.
    let _ = filter.stdin.take().unwrap().write_all(payload);
    filter.wait_with_output().unwrap()
}

#[test]
fn golden_cases_are_the_same() {
    let output = example("golden").arg(root("target/components")).arg(root("testdata")).output().unwrap();
    assert!(output.status.success(), "{}\nrun `make components` if they are old", text(&output));
}

#[test]
fn golden_cases_that_differ_are_named() {
    let folder = root("target/example-golden/alert");
    fs::create_dir_all(&folder).unwrap();
    for name in ["severities.ndjson", "severities.receipt.json", "severities.expected.ndjson"] {
        let bytes = fs::read(root("testdata/alert").join(name)).unwrap();
        let changed = String::from_utf8(bytes).unwrap().replace("\"severity\":\"high\"", "\"severity\":\"low\"");
        fs::write(folder.join(name), changed).unwrap();
    }
    fs::write(folder.join("severities.expected.ndjson"), "{}\n").unwrap();
    let output = example("golden").arg(root("target/components")).arg(&folder).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output);
    assert!(said.contains("severities.ndjson: documents differ from line 1 on"), "{said}");
    assert!(said.ends_with("0 passed, 1 failed\n"), "{said}");
}

#[test]
fn transform_is_a_filter() {
    let case = |name: &str| fs::read(root("testdata/alert").join(name)).unwrap();
    let output = transform("alert", &["--received-at", "1735689600000"], &case("malformed-lines.ndjson"));
    assert_eq!(output.status.code(), Some(3), "records were rejected: {}", text(&output));
    assert_eq!(output.stdout, case("malformed-lines.expected.ndjson"));
    let summary = String::from_utf8(output.stderr).unwrap();
    assert!(summary.ends_with("10 records: 3 mapped, 0 held, 0 dropped, 7 rejected; 3 documents\n"), "{summary}");
}

#[test]
fn what_cannot_be_used_is_wrong_usage() {
    for (arguments, cause) in [
        (["--settings", r#"{"tag":[]}"#], "settings refused at $.tag"),
        (["--feed", "incidents"], "there is no feed incidents"),
        (["--colour", "red"], "unexpected argument"),
    ] {
        let output = transform("alert", &arguments, b"");
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output).contains(cause), "{}", text(&output));
    }
}

#[test]
fn a_record_that_traps_is_rejected_alone() {
    let payload = b"{\"before\":1}\n{\"do\":\"spin\"}\n{\"after\":1}\n";
    let output = transform("hostile", &["--deadline", "1"], payload);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    assert_eq!(output.stdout, b"{\"before\":1}\n{\"after\":1}\n");
    assert!(text(&output).contains("rejected: 13 bytes at 13: deadline: took longer than 1s"), "{}", text(&output));
}

#[test]
fn bench_says_what_it_measured() {
    let file = root("testdata/alert/severities.ndjson");
    let output = example("bench").arg(component("alert")).arg("alerts").arg(&file).output().unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = fs::read(root("testdata/alert/severities.expected.ndjson")).unwrap();
    let lines = expected.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(said["documents"], lines);
    assert!(said["bytes"].as_u64().unwrap() > 0 && said["seconds"].as_f64().unwrap() > 0.0, "{said}");
}
