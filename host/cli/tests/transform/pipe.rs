//! `transform` as a step of a pipe that lives long: when documents leave, what ends it, and how much memory it takes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout};
use std::thread;

use serde_json::Value;

use crate::{alert, documents, said, start, transform};

/// Writes a piece of input and reads the documents that it completes, before the next is written.
fn converse(arguments: &[&str], pieces: &[(&str, &[&str])]) {
    let mut child = start(arguments);
    let (mut stdin, mut stdout): (ChildStdin, BufReader<ChildStdout>) =
        (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    for (piece, ids) in pieces {
        stdin.write_all(piece.as_bytes()).unwrap();
        for id in *ids {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            let document: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(document["event"]["id"], *id, "{arguments:?}");
        }
    }
    drop(stdin);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "{arguments:?}: all had left before the end");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_record_from_a_pipe_is_answered_as_soon_as_it_is_complete() {
    let pieces: [(&str, &[&str]); 9] = [
        ("{\"id\":\"line\"}\n", &["line"]),
        ("{\"id\":\"two\"}\n{\"id\":\"lines\"}\n{\"id\":", &["two", "lines"]),
        ("\"half\"}\n", &["half"]),
        ("{\n  \"id\": \"pretty\",\n", &[]),
        ("  \"severity\": \"high\"\n}", &["pretty"]),
        ("\n[{\"id\":\"first\"},", &["first"]),
        ("\n{\"id\":\"second\"}", &["second"]),
        ("]\n{\"@odata.context\":\"c\",\"value\":[{\"id\":\"enveloped\"}", &["enveloped"]),
        (",{\"id\":\"last\"}]}", &["last"]),
    ];
    for flush in [&["alert"][..], &["alert", "--flush", "auto"], &["alert", "--flush", "line"]] {
        converse(flush, &pieces);
    }
}

/// Facts are known from the next batch on, so which records are mapped together shows in what they learn of each other.
#[test]
fn lines_are_mapped_one_by_one_and_batches_together() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/event/inventory-of-systems");
    let records: String = ["02-events.json", "01-events.json"]
        .map(|file| fs::read_to_string(case.join(file)).unwrap())
        .iter()
        .flat_map(|text| text.lines().take(1))
        .flat_map(|line| [line, "\n"])
        .collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &records).unwrap();
    let file = file.path().to_str().unwrap();
    for (arguments, known) in [
        (&["event", "--inventory", "--flush", "line"][..], true),
        (&["event", file, "--inventory", "--flush", "line"], true),
        (&["event", "--inventory", "--flush", "batch"], false),
        (&["event", file, "--inventory"], false),
    ] {
        let output = transform(arguments, &records);
        let documents = documents(&output);
        assert_eq!(documents.len(), 2, "{arguments:?}: {}", said(&output));
        assert_eq!(documents[1]["host"]["os"]["full"] == "macOS", known, "{arguments:?}: {}", documents[1]["host"]);
    }
}

#[test]
fn how_records_are_mapped_together_changes_no_document_and_no_reject() {
    let mut input: String = (0..3_000).map(|id| alert(id) + "\n").collect();
    input.insert_str(alert(0).len() + 1, "not JSON\n");
    let of = |flush: &str| {
        let folder = tempfile::tempdir().unwrap();
        let rejects = folder.path().join("rejects");
        let arguments = ["alert", "--received-at=2024-05-06T07:08:09Z", "--rejects", rejects.to_str().unwrap()];
        let output = transform(&[&arguments[..], &["--flush", flush]].concat(), &input);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        (output.stdout, fs::read_to_string(rejects).unwrap())
    };
    let line = of("line");
    assert!(line.1.contains("not JSON"));
    assert!(line == of("batch") && line == of("auto"));
}

#[test]
fn a_reader_that_has_enough_ends_it_quietly() {
    let array = tempfile::NamedTempFile::new().unwrap();
    let records: Vec<String> = (0..20_000).map(alert).collect();
    fs::write(array.path(), format!("[{}]", records.join(","))).unwrap();
    let array = array.path().to_str().unwrap();
    for arguments in [&["alert"][..], &["alert", "--flush", "line"], &["alert", array], &["alert", "--flush", "batch"]]
    {
        let mut child = start(arguments);
        let mut stdin = child.stdin.take().unwrap();
        let writer = thread::spawn(move || {
            let line = alert(1) + "\n";
            while stdin.write_all(line.as_bytes()).is_ok() {}
        });
        let mut some = [0; 100];
        child.stdout.take().unwrap().read_exact(&mut some).unwrap();
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()), "{arguments:?}");
    }
}

#[test]
fn nobody_has_to_hear_what_it_says() {
    let mut child = start(&["alert"]);
    drop(child.stderr.take().unwrap());
    let mut stdin = child.stdin.take().unwrap();
    let input: String = (0..50).map(|id| format!("not JSON\n{}\n", alert(id))).collect();
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!((output.status.code(), documents(&output).len()), (Some(3), 50));
}

/// Names that the tables do not know are remembered for the summary: they are new in each record here.
#[test]
fn memory_does_not_grow_with_what_passes() {
    let mut child = start(&["alert"]);
    let process = child.id();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let description = "x".repeat(4_000);
    let mut peaks = Vec::new();
    for round in 0..5 {
        let records: String = (0..4_000)
            .map(|id| format!("{{\"id\":\"{id}\",\"unknown{round}-{id}\":1,\"description\":\"{description}\"}}\n"))
            .collect();
        let writer = thread::spawn(move || stdin.write_all(records.as_bytes()).map(|()| stdin));
        for _ in 0..4_000 {
            stdout.next().unwrap().unwrap();
        }
        stdin = writer.join().unwrap().unwrap();
        peaks.extend(peak(process));
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
    // No figures where the system does not tell.
    if let [_, second, .., last] = peaks.as_slice() {
        assert!(*last < second + 4 * 1024, "KiB after each 16 MB: {peaks:?}");
        assert!(*last < 64 * 1024, "KiB after each 16 MB: {peaks:?}");
    }
}

/// The peak of a process's resident set so far, in KiB.
fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}
