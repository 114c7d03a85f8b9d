//! Node.js (`host/examples/node`).

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use crate::{root, run_or_skip, text};

/// A copy of the example with its packages and the component, or why there is none.
static PROJECT: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    let project = root().join("target/node");
    fs::create_dir_all(&project).unwrap();
    for entry in fs::read_dir(root().join("host/examples/node")).unwrap() {
        let file = entry.unwrap().path();
        if file.is_file() {
            fs::copy(&file, project.join(file.file_name().unwrap())).unwrap();
        }
    }
    install(&project)?;
    let component = root().join("target/components/alert.wasm");
    let transpiled = npm(&project, &["run", "--silent", "transpile", "--"]).arg(component).output().unwrap();
    assert!(transpiled.status.success(), "{}", text(&transpiled));
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

#[test]
fn golden_cases_are_the_same_in_node() {
    let Some(mut node) = node("golden.mjs") else { return };
    let output = node.arg(root().join("testdata/alert")).output().unwrap();
    assert!(
        output.status.success(),
        "{}\n`defenderbeat golden testdata` says whether node alone is at fault",
        text(&output)
    );
}

#[test]
fn transform_is_a_filter() {
    let Some(mut node) = node("transform.mjs") else { return };
    let case = |name: &str| fs::read(root().join("testdata/alert").join(name)).unwrap();
    let mut filter = node
        .args(["--received-at", "1735689600000"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    filter.stdin.take().unwrap().write_all(&case("malformed-lines.ndjson")).unwrap();
    let output = filter.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "records were rejected: {}", text(&output));
    assert_eq!(output.stdout, case("malformed-lines.expected.ndjson"));
    let summary = String::from_utf8(output.stderr).unwrap();
    assert!(summary.ends_with("10 records: 3 mapped, 0 dropped, 7 rejected; 3 documents\n"), "{summary}");
}

#[test]
fn settings_that_are_refused_are_wrong_usage() {
    let Some(mut node) = node("transform.mjs") else { return };
    let output = node.args(["--settings", r#"{"tag":[]}"#]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("settings refused at $.tag"), "{}", text(&output));
}
