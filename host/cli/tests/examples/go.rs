//! Go (`host/examples/go`): wazero on the core modules.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use crate::{assert_is_a_filter, pipe, root, run_or_skip, testdata, text};

/// A copy of the example with its program, or why there is none.
pub(crate) static PROJECT: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    let project = copy("go")?;
    let built = go(&project, ["build", "-o", "defenderbeat", "./cmd/defenderbeat"]).output().unwrap();
    assert!(built.status.success(), "{}", text(&built));
    Ok(project)
});

/// A copy of an example with its modules, or why there is none.
pub(crate) fn copy(name: &str) -> Result<PathBuf, String> {
    let project = root().join("target").join(name);
    if project.exists() {
        fs::remove_dir_all(&project).unwrap();
    }
    copy_folder(&root().join("host/examples").join(name), &project);
    // Loads all packages, which needs their modules.
    let listed = go(&project, ["list", "-deps", "-test", "./..."])
        .output()
        .map_err(|error| format!("go does not run: {error}"))?;
    if listed.status.success() { Ok(project) } else { Err(format!("go cannot load modules: {}", text(&listed))) }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let copied = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &copied);
        } else {
            fs::copy(entry.path(), copied).unwrap();
        }
    }
}

/// A run of the go command in a folder. Its tests find components and golden cases by the environment.
pub(crate) fn go(folder: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut go = Command::new("go");
    go.args(arguments)
        .current_dir(folder)
        .env("DEFENDERBEAT_COMPONENTS", root().join("target/components"))
        .env("DEFENDERBEAT_TESTDATA", root().join("testdata"));
    go
}

/// Checks the form of an example's source and runs its own tests.
pub(crate) fn test(project: &Path) {
    // Names what it changes.
    let formatted = go(project, ["fmt", "./..."]).output().unwrap();
    assert!(formatted.status.success() && formatted.stdout.is_empty(), "gofmt: {}", text(&formatted));
    for arguments in [["vet", "./..."], ["test", "./..."]] {
        let output = go(project, arguments).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }
}

/// What the filter makes of a payload.
fn transform(dataset: &str, arguments: &[&str], payload: &[u8]) -> Option<Output> {
    let program = run_or_skip(&PROJECT)?.join("defenderbeat");
    let mut filter = Command::new(program);
    filter.arg("transform").args(arguments).arg(root().join(format!("target/components/{dataset}.core.wasm")));
    Some(pipe(&mut filter, payload))
}

#[test]
fn the_go_examples_own_tests_pass() {
    let Some(project) = run_or_skip(&PROJECT) else { return };
    test(project);
}

#[test]
fn golden_cases_are_the_same_in_go() {
    let Some(project) = run_or_skip(&PROJECT) else { return };
    let output = Command::new(project.join("defenderbeat"))
        .arg("golden")
        .arg(root().join("target/components"))
        .arg(root().join("testdata"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}\n`defenderbeat golden testdata` says whether Go alone is at fault",
        text(&output)
    );
}

#[test]
fn transform_is_a_filter() {
    let received = ["-received-at", "1735689600000"];
    let Some(output) = transform("alert", &received, &testdata("alert/malformed-lines.ndjson")) else { return };
    assert_is_a_filter(output);
}

#[test]
fn settings_that_are_refused_are_wrong_usage() {
    let Some(output) = transform("alert", &["-settings", r#"{"tag":[]}"#], b"") else { return };
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("settings refused at $.tag"), "{}", text(&output));
}

#[test]
fn a_component_that_never_ends_is_ended() {
    let Some(output) = transform("hostile", &["-deadline", "0.2"], br#"{"do":"spin"}"#) else { return };
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("deadline exceeded"), "{}", text(&output));
}
