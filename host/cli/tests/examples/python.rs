//! Python (`host/examples/python`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use crate::{assert_is_a_filter, copy_files, pipe, root, run_or_skip, testdata, text};

/// A copy of the example with its packages, or why there is none.
static PROJECT: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    let project = root().join("target/python");
    copy_files(&root().join("host/examples/python"), &project);
    install(&project)?;
    Ok(project)
});

/// The interpreter that has the packages.
fn interpreter(project: &Path) -> PathBuf {
    project.join("venv/bin/python")
}

/// Installs what requirements.txt names, unless it is there.
fn install(project: &Path) -> Result<(), String> {
    let requirements = fs::read(project.join("requirements.txt")).unwrap();
    let installed = project.join("venv/installed.txt");
    if fs::read(&installed).is_ok_and(|installed| installed == requirements) {
        return Ok(());
    }
    let run = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(project).output();
        let output = output.map_err(|error| format!("{} does not run: {error}", program.display()))?;
        if output.status.success() { Ok(()) } else { Err(format!("{arguments:?} fails: {}", text(&output))) }
    };
    run(Path::new("python3"), &["-c", "import sys; assert sys.version_info >= (3, 10), 'Python 3.10 is needed'"])?;
    run(Path::new("python3"), &["-m", "venv", "--clear", "venv"])?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"];
    run(&interpreter(project), &[&pip[..], &["--only-binary=:all:", "-r", "requirements.txt"]].concat())?;
    fs::write(installed, requirements).unwrap();
    Ok(())
}

/// A run of one of the example's scripts; none where the test is to be skipped.
fn python(script: &str) -> Option<Command> {
    let project = run_or_skip(&PROJECT)?;
    let mut python = Command::new(interpreter(project));
    // Several tests run at once: none of them writes what another reads.
    python.arg("-B").arg(project.join(script));
    Some(python)
}

fn component(name: &str) -> PathBuf {
    root().join("target/components").join(name).with_extension("wasm")
}

/// What `transform` makes of a payload.
fn transform(name: &str, arguments: &[&str], payload: &[u8]) -> Option<Output> {
    Some(pipe(python("transform.py")?.arg(component(name)).args(arguments), payload))
}

#[test]
fn golden_cases_are_the_same_in_python() {
    let Some(mut golden) = python("golden.py") else { return };
    let output = golden.arg(root().join("target/components")).arg(root().join("testdata")).output().unwrap();
    assert!(
        output.status.success(),
        "{}\n`defenderbeat golden testdata` says whether Python alone is at fault",
        text(&output)
    );
}

#[test]
fn transform_is_a_filter() {
    let payload = testdata("alert/malformed-lines.ndjson");
    let Some(output) = transform("alert", &["--received-at", "1735689600000"], &payload) else { return };
    assert_is_a_filter(output);
}

#[test]
fn what_cannot_be_used_is_wrong_usage() {
    for (arguments, cause) in [
        (["--settings", r#"{"tag":[]}"#], "settings refused at $.tag"),
        (["--feed", "incidents"], "there is no feed incidents"),
        (["--colour", "red"], "unrecognized arguments"),
    ] {
        let Some(output) = transform("alert", &arguments, b"") else { return };
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output).contains(cause), "{}", text(&output));
    }
}

#[test]
fn a_hostile_component_is_ended() {
    for (command, cause) in [
        (r#"{"do":"spin"}"#, "Trap: took longer than 2.0 s"),
        (r#"{"do":"grow","n":900000000}"#, "Trap: wasm trap: wasm `unreachable` instruction executed"),
        (r#"{"do":"recurse","n":100000000}"#, "Trap: wasm trap: call stack exhausted"),
        (r#"{"do":"panic","text":"no more"}"#, "no more"),
        (r#"{"do":"part","n":4000000}"#, "Trap: too much data is being copied between the host and the guest"),
        (r#"{"do":"lie","about":"length-long"}"#, "Lie: document 0 of a part does not end where its length says"),
        (r#"{"do":"lie","about":"tally-records"}"#, "Lie: payload 0 has 2 records and 1 fates"),
    ] {
        let Some(output) = transform("hostile", &["--deadline", "2"], command.as_bytes()) else { return };
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains(cause), "{command}: {}", text(&output));
    }
}

#[test]
fn what_a_pipeline_learned_outlives_it() {
    let script = r#"
import sys
from defenderbeat import Component
from shapes import Trap

component = Component(sys.argv[1])
lines = []
pipeline = component.open("{}", lambda part: lines.append(part.ndjson), report=lambda level, message: None)
pipeline.learn(pipeline.push("facts", [b'{"do":"fact","text":"known"}']).facts)
facts = pipeline.facts()
try:
    pipeline.push("records", [b'{"do":"panic","text":"enough"}'])
except Trap as trap:
    assert "enough" in str(trap), trap
try:
    pipeline.push("records", [b"{}"])
except Trap as trap:
    assert "spent" in str(trap), trap
else:
    raise AssertionError("an instance that trapped is used again")
again = component.open("{}", lambda part: lines.append(part.ndjson))
again.learn(facts)
again.push("facts", [b'{"do":"recall"}'])
print(lines[-1].decode(), end="")
"#;
    let Some(project) = run_or_skip(&PROJECT) else { return };
    let mut python = Command::new(interpreter(project));
    let output = python.args(["-B", "-c", script]).arg(component("hostile")).current_dir(project).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(output.stdout, b"{\"learned\":\"known\"}\n", "{}", text(&output));
}
