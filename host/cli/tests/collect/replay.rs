//! `replay`: dead letters once more.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use defenderbeat_simulator::{AlertOptions, Options};
use serde_json::{Value, json};

use crate::program::{Program, Tenant, log};

struct Case {
    program: Program,
    file: PathBuf,
    _tenant: Tenant,
}

impl Case {
    fn new(letters: &[String]) -> Self {
        let alerts = AlertOptions { count: 3, ..AlertOptions::default() };
        let tenant = Tenant::start(Options { alerts, ..Options::default() });
        let program = Program::new(&tenant, &[]);
        let file = program.folder.path().join("letters.ndjson");
        fs::write(&file, letters.iter().map(|letter| format!("{letter}\n")).collect::<String>()).unwrap();
        Self { program, file, _tenant: tenant }
    }

    fn replay(&self, options: &[&str]) -> Output {
        let mut command = self.program.command(&["replay", self.file.to_str().unwrap()]);
        command.args(options).output().unwrap()
    }

    fn left(&self) -> Vec<String> {
        fs::read_to_string(&self.file).unwrap().lines().map(str::to_owned).collect()
    }
}

fn letter(members: Value) -> String {
    let mut letter = json!({"@timestamp": "2026-11-27T10:00:00.000Z", "input": "contoso", "code": "c", "message": "m",
        "id": "000102030405060708090a0b0c0d0e0f"});
    letter.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    letter.to_string()
}

fn document(name: &str) -> String {
    letter(json!({"index": "logs-m365_defender.alert-other", "document": {"event": {"id": name}}}))
}

fn record(text: &str) -> String {
    letter(json!({"feed": "alerts", "record": text}))
}

fn is_gone(file: &Path) -> bool {
    !file.exists() && !file.with_added_extension("kept").exists()
}

#[test]
fn documents_leave_as_they_are_and_records_are_mapped() {
    let alert = r#"{"id":"da1","title":"from a dead letter","lastUpdateDateTime":"2026-11-27T09:00:00Z"}"#;
    let case = Case::new(&[document("a"), record(alert), document("b")]);
    let output = case.replay(&[]);
    assert!(output.status.success(), "{}", log(&output));
    let said = log(&output);
    assert!(said.contains("3 letters: 1 records mapped, 3 documents sent"), "{said}");
    assert!(is_gone(&case.file), "with the last letter the file goes");
    let documents = case.program.documents();
    assert_eq!(documents.len(), 3);
    let a = documents.iter().find(|document| document["event"]["id"] == "a").unwrap();
    assert_eq!(a["@metadata"]["_id"], "000102030405060708090a0b0c0d0e0f");
    assert_eq!(a["@metadata"]["raw_index"], "logs-m365_defender.alert-other");
    let mapped = documents.iter().find(|document| document["event"]["id"] == "da1").unwrap();
    assert_eq!(mapped["@metadata"]["raw_index"], "logs-m365_defender.alert-default");
    assert_eq!(mapped["event"]["ingested"], "2026-11-27T10:00:00.000Z", "received when the letter says");
}

#[test]
fn what_fails_again_or_is_not_asked_for_stays_in_the_file_as_it_is() {
    let failing = [
        record("no json"),
        "no letter".to_owned(),
        letter(json!({"input": "fabrikam", "feed": "alerts", "record": "{}"})),
        letter(json!({"feed": "nothing", "record": "{}"})),
        letter(json!({"feed": "alerts", "record_base64": "e30="}))
            .replace("record_base64\":\"e30=", "record_base64\":\"?"),
    ];
    let kept = letter(json!({"index": "logs-a-b", "failure_store": true, "document": {"event": {"id": "f"}}}));
    let mut letters = failing.to_vec();
    letters.extend([kept.clone(), document("a")]);
    let case = Case::new(&letters);
    let output = case.replay(&[]);
    assert_eq!(output.status.code(), Some(1), "{}", log(&output));
    let said = log(&output);
    assert!(said.contains("5 failed again, 1 left out"), "{said}");
    assert!(log(&output).contains("line=2"), "a bad line is named: {}", log(&output));
    assert_eq!(case.left(), [&failing[..], &[kept]].concat());
    assert_eq!(case.program.documents().len(), 1);
    let output = case.replay(&["--failure-store"]);
    assert_eq!(output.status.code(), Some(1), "{}", log(&output));
    assert_eq!(case.left(), failing);
    assert_eq!(case.program.documents().len(), 2);
}

#[test]
fn a_record_that_was_too_long_is_mapped_where_the_limit_was_raised() {
    let alert = format!(r#"{{"id":"long","title":"{}"}}"#, "x".repeat(100_000));
    let case = Case::new(&[record(&alert)]);
    let output = case.replay(&["-E", "inputs.0.max_record_size=50KiB"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(log(&output).contains("max_record_size"), "{}", log(&output));
    assert_eq!(case.left(), [record(&alert)]);
    // Longer than any line may be that is read whole.
    let output = case.replay(&["-E", "inputs.0.max_record_size=1KiB"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(case.left(), [record(&alert)]);
    let output = case.replay(&[]);
    assert!(output.status.success(), "{}", log(&output));
    assert!(is_gone(&case.file));
}

#[test]
fn a_replay_that_cannot_deliver_leaves_the_file_as_it_was() {
    let letters = [document("a"), record("no json")];
    let case = Case::new(&letters);
    // Whoever reads standard output is gone.
    let mut command = case.program.command(&["replay", case.file.to_str().unwrap()]);
    let options = ["-E", "output.file=null", "-E", "output.console={}"];
    let mut child = command.args(options).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    child.wait().unwrap();
    assert_eq!(case.left(), letters);
}

#[test]
fn the_file_of_a_running_process_is_replayed_only_when_it_was_moved_away() {
    let case = Case::new(&[document("a")]);
    let live = case.program.folder.path().join("data/dead-letter/dead-letters.ndjson");
    let mut child = case.program.command(&["run"]).stderr(Stdio::piped()).spawn().unwrap();
    let log_of = BufReader::new(child.stderr.take().unwrap());
    log_of.lines().map(Result::unwrap).find(|line| line.contains("input starts")).unwrap();
    let console = ["-E", "output.file=null", "-E", "output.console={}"];
    let replay =
        |file: &Path| case.program.command(&["replay", file.to_str().unwrap()]).args(console).output().unwrap();
    let output = replay(&live);
    assert_eq!(output.status.code(), Some(1));
    assert!(log(&output).contains("move it"), "{}", log(&output));
    // Nor may two processes write to the same files.
    let output = case.replay(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(log(&output).contains("output.file"), "{}", log(&output));
    let output = replay(&case.file);
    assert!(output.status.success(), "{}", log(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains(r#"{"event":{"id":"a"}"#.strip_prefix('{').unwrap()));
    child.kill().unwrap();
    child.wait().unwrap();
}
