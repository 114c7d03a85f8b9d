//! The command `golden`: all cases of `testdata` pass, what is wrong is shown, what is not valid is not blessed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs `golden`: whether it succeeded, and what it said.
fn golden(path: &Path, options: &[&str]) -> (bool, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_defenderbeat")).arg("golden").arg(path).args(options).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// A folder with files below `alert`.
fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let alert = root.path().join("alert");
    for (name, text) in files {
        let file = alert.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    (root, alert)
}

const RECORD: &str = r#"{"id":"one","lastUpdateDateTime":"2024-05-06T07:08:09Z","title":"A title","severity":"high"}"#;

#[test]
fn the_cases_of_the_project_pass() {
    let (passed, said) = golden(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata"), &[]);
    assert!(passed, "{said}if that is right now, `make bless` writes it");
}

#[test]
fn a_case_is_blessed_passes_and_fails_leaf_by_leaf() {
    let (_root, alert) = folder(&[("case.ndjson", RECORD)]);
    let (passed, said) = golden(&alert, &[]);
    assert!(!passed && said.contains("expected.ndjson is not there") && said.contains("0 passed, 1 failed"), "{said}");

    let (passed, said) = golden(&alert, &["--bless"]);
    assert!(passed && said.contains("blessed") && said.contains("1 passed, 0 failed"), "{said}");
    assert_eq!(golden(&alert, &[]), (true, "1 passed, 0 failed\n".to_owned()));

    let expected = alert.join("case.expected.ndjson");
    let wrong = fs::read_to_string(&expected)
        .unwrap()
        .replace("A title", "Another title")
        .replace(r#","severity":73"#, "")
        .replace(r#""kind":"alert""#, r#""kind":"alert","outcome":"success""#);
    fs::write(&expected, wrong).unwrap();
    let (passed, said) = golden(&alert.join("case.ndjson"), &[]);
    assert!(!passed);
    for line in [
        "document 0: changed m365_defender.alert.title: \"Another title\" -> \"A title\"",
        "document 0: extra   event.severity: 73",
        "document 0: missing event.outcome: \"success\"",
        "0 passed, 1 failed",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
}

#[test]
fn a_changed_reject_fails() {
    let (_root, alert) = folder(&[("case.ndjson", &format!("{RECORD}\nno JSON\n"))]);
    assert!(golden(&alert, &["--bless"]).0);
    let receipt = alert.join("case.receipt.json");
    let text = fs::read_to_string(&receipt).unwrap();
    assert!(text.contains(r#""rejected": 1"#) && text.contains(r#""code": "malformed""#), "{text}");
    fs::write(&receipt, text.replace("malformed", "oversized")).unwrap();
    let (passed, said) = golden(&alert, &[]);
    assert!(!passed && said.contains(r#"receipt: changed rejects[0].code: "oversized" -> "malformed""#), "{said}");
}

#[test]
fn what_does_not_validate_is_not_blessed() {
    // A processor moves text to where a number belongs, and to a field that nobody knows.
    let settings = r#"{"processors":[
        {"rename":{"fields":[{"from":"m365_defender.alert.title","to":"process.pid"}]}},
        {"drop_fields":{"fields":["event.severity"]}}]}"#;
    let (_root, alert) = folder(&[("case.ndjson", RECORD), ("case.settings.json", settings)]);
    let (passed, said) = golden(&alert, &["--bless"]);
    assert!(
        !passed && said.contains("document 0 is not valid: process.pid: \"A title\" is not a whole number"),
        "{said}"
    );
    assert!(!alert.join("case.expected.ndjson").exists() && !alert.join("case.receipt.json").exists());
}

#[test]
fn settings_that_are_refused_and_expectations_without_input_fail() {
    let (_root, alert) =
        folder(&[("a.ndjson", RECORD), ("a.settings.json", r#"{"tgas":[]}"#), ("gone.expected.ndjson", "{}\n")]);
    let (passed, said) = golden(&alert, &[]);
    assert!(!passed && said.contains("tgas") && said.contains("has no input") && said.contains("2 failed"), "{said}");
}

#[test]
fn a_folder_is_pushed_in_order_and_finished() {
    let second = RECORD.replace("one", "two");
    let (_root, alert) = folder(&[("case/02-alerts.json", &second), ("case/01-alerts.json", RECORD)]);
    assert!(golden(&alert, &["--bless"]).0);
    let expected = fs::read_to_string(alert.join("case/expected.ndjson")).unwrap();
    let ids: Vec<&str> =
        expected.lines().map(|line| if line.contains(r#""id":"one""#) { "one" } else { "two" }).collect();
    assert_eq!(ids, ["one", "two"]);
    assert!(golden(&alert, &[]).0);
    fs::rename(alert.join("case/02-alerts.json"), alert.join("case/02-incidents.json")).unwrap();
    let (passed, said) = golden(&alert, &[]);
    assert!(!passed && said.contains("no feed `incidents`"), "{said}");
}

#[test]
fn cases_of_elastic_package_run_with_their_options() {
    let number = RECORD.replace("\"A title\"", "7");
    let (_root, alert) = folder(&[
        ("test-a.log", &format!("{RECORD}\n{number}\n")),
        (
            "test-common-config.yml",
            "fields:\n  tags: [preserve_original_event]\ndynamic_fields:\n  event.ingested: '^20'\n",
        ),
    ]);
    let (passed, said) = golden(&alert, &["--bless"]);
    assert!(!passed && said.contains("say so under numeric_keyword_fields"), "{said}");
    fs::write(
        alert.join("test-a.log-config.yml"),
        "numeric_keyword_fields: [m365_defender.alert.title]\ndynamic_fields:\n  event.created: x\n",
    )
    .unwrap();
    let (passed, said) = golden(&alert, &["--bless"]);
    assert!(passed, "{said}");

    let file = alert.join("test-a.log-expected.json");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("{\n    \"expected\": [\n") && text.contains("preserve_original_event"), "{text}");
    // A field that is dynamic may differ, another may not.
    fs::write(&file, text.replace("2025-01-01T00:00:00.000Z", "2031-01-01T00:00:00.000Z")).unwrap();
    assert!(golden(&alert, &[]).0);
    fs::write(&file, text.replace("73", "47")).unwrap();
    let (passed, said) = golden(&alert, &[]);
    assert!(!passed && said.contains("document 0: changed event.severity: 47 -> 73"), "{said}");
}

#[test]
fn databases_answer_only_when_a_case_is_blessed() {
    let (_root, alert) = folder(&[("case.ndjson", RECORD)]);
    let (passed, said) = golden(&alert, &["--geoip", "databases"]);
    assert!(!passed && said.contains("--bless"), "{said}");
    let (passed, said) = golden(&alert, &["--bless", "--geoip", "databases"]);
    assert!(!passed && said.contains("--geoip: reading databases"), "{said}");
    assert!(golden(&alert, &["--bless"]).0);
    assert!(!alert.join("case.lookups.json").exists(), "there is nothing to answer");
}
