//! The alert component in Node.js (`host/examples/node`) gives what it gives in our sandbox. Skipped with a message where
//! Node.js is absent or npm cannot install, but never in CI where npm is there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

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
        let cause = format!("npm cannot install: {}", text(&output));
        let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
        assert!(!in_ci, "{cause}");
        return Err(cause);
    }
    fs::write(installed, lock).unwrap();
    Ok(())
}

/// A run of one of the example's scripts; none where the test is to be skipped.
fn node(script: &str) -> Option<Command> {
    match &*PROJECT {
        Ok(project) => {
            let mut node = Command::new("node");
            node.arg(project.join(script));
            Some(node)
        }
        Err(cause) => {
            // The macros' output is shown for tests that fail only.
            let _ = writeln!(std::io::stderr(), "skipped: {cause}");
            None
        }
    }
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
