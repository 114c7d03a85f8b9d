//! Node.js (`host/examples/node`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use crate::{assert_is_a_filter, copy_files, pipe, root, run_or_skip, testdata, text};

/// The component for tests of limits, and those of testdata.
const COMPONENTS: [&str; 5] = ["hostile", "alert", "incident", "event", "vulnerability"];

/// A copy of the example with its packages and components, or why there is none.
static PROJECT: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    let project = root().join("target/node");
    copy_files(&root().join("host/examples/node"), &project);
    install(&project)?;
    for component in COMPONENTS {
        let file = root().join(format!("target/components/{component}.wasm"));
        let transpiled = npm(&project, &["run", "--silent", "transpile", "--"]).arg(file).output().unwrap();
        assert!(transpiled.status.success(), "{}", text(&transpiled));
    }
    Ok(project)
});

fn npm(project: &Path, arguments: &[&str]) -> Command {
    let mut npm = Command::new("npm");
    npm.args(arguments).current_dir(project);
    npm
}

/// Installs what package-lock.json names, unless it is there.
fn install(project: &Path) -> Result<(), String> {
    let lock = fs::read(project.join("package-lock.json")).unwrap();
    let installed = project.join("node_modules/installed-lock.json");
    if fs::read(&installed).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    let arguments = [
        "ci",
        "--ignore-scripts",
        "--engine-strict",
        "--prefer-offline",
        "--fetch-retries=1",
        "--no-audit",
        "--no-fund",
    ];
    let output = npm(project, &arguments).output().map_err(|error| format!("npm does not run: {error}"))?;
    if !output.status.success() {
        return Err(format!("npm cannot install: {}", text(&output)));
    }
    fs::write(installed, lock).unwrap();
    Ok(())
}

/// A run of one of the example's scripts; none where the test is to be skipped.
fn node(script: &str) -> Option<Command> {
    let mut node = Command::new("node");
    node.arg(run_or_skip(&PROJECT)?.join(script));
    Some(node)
}

/// What the filter makes of a payload.
fn transform(arguments: &[&str], payload: &[u8]) -> Option<Output> {
    Some(pipe(node("transform.mjs")?.args(arguments), payload))
}

#[test]
fn golden_cases_are_the_same_in_node() {
    let Some(mut node) = node("golden.mjs") else { return };
    let [_, datasets @ ..] = COMPONENTS;
    let output = node.args(datasets.map(|dataset| root().join("testdata").join(dataset))).output().unwrap();
    assert!(
        output.status.success(),
        "{}\n`defenderbeat golden testdata` says whether node alone is at fault",
        text(&output)
    );
}

#[test]
fn transform_is_a_filter() {
    let received = ["--received-at", "1735689600000"];
    let Some(output) = transform(&received, &testdata("alert/malformed-lines.ndjson")) else { return };
    assert_is_a_filter(output);
}

#[test]
fn a_feed_of_a_join_leaves_at_its_end() {
    let arguments = ["--component", "vulnerability", "--feed", "vulnerabilities"];
    let payload = testdata("vulnerability/joined/02-vulnerabilities.json");
    let Some(output) = transform(&arguments, &payload) else { return };
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains(r#""dataset":"m365_defender.vulnerability""#));
}

#[test]
fn settings_that_are_refused_are_wrong_usage() {
    let Some(output) = transform(&["--settings", r#"{"tag":[]}"#], b"") else { return };
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("settings refused at $.tag"), "{}", text(&output));
}

#[test]
fn a_component_that_breaks_limits_is_ended_with_its_thread() {
    for (record, deadline, said) in [
        (r#"{"do":"spin"}"#, "2", "push took longer than 2 s"),
        (r#"{"do":"grow","n":900000000}"#, "60", "the component trapped: "),
        (r#"{"do":"recurse","n":100000000}"#, "60", "the component trapped: "),
        (r#"{"do":"panic","text":"what it was about"}"#, "60", "what it was about"),
    ] {
        let arguments = ["--component", "hostile", "--deadline", deadline];
        let Some(output) = transform(&arguments, record.as_bytes()) else { return };
        assert_eq!(output.status.code(), Some(1), "{record}: {}", text(&output));
        assert!(text(&output).contains(said), "{record}: {}", text(&output));
    }
}

#[test]
fn the_bench_counts_what_leaves() {
    let Some(mut node) = node("bench.mjs") else { return };
    let file = root().join("testdata/event/logons.ndjson");
    let output = node.args(["--component", "event", "events"]).arg(file).output().unwrap();
    let figures: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let documents = testdata("event/logons.expected.ndjson").iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(figures["documents"], documents, "{}", text(&output));
}
