//! A full dead-letter file, and how the program stops while delivery stands still.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use defenderbeat_simulator::{AlertOptions, EventHubsOptions, Options};

use crate::asked::{Asked, pause};
use crate::program::{Program, Running, Tenant, log, signal};

/// Delivery stands still because the second message that is no JSON finds no room.
#[test]
fn a_full_dead_letter_file_stops_delivery_until_it_is_emptied_and_a_stop_ends_all_the_same() {
    let events = EventHubsOptions { partitions: 1, ..EventHubsOptions::default() };
    let tenant = Tenant::start(Options { event_hubs: events, ..Options::default() });
    let hub = tenant.simulator.event_hubs().hub("defender").unwrap();
    for text in ["no json", "no json either", "nor this"] {
        hub.publish(0, text).unwrap();
    }
    let program = Program::of_events(&tenant, &["dead_letter.max_size=1", "shutdown_timeout=1s"]);
    let mut child = program.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let full =
        lines.by_ref().find(|line| line.contains("dead_letter.max_size")).expect("it says that the file is full");
    assert!(full.contains("ERROR"), "{full}");
    let stopped = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(stopped.success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{rest:#?}");
    assert!(rest.last().unwrap().contains("shutdown_timeout"), "{rest:#?}");
    assert_eq!(program.dead_letters().lines().count(), 1);

    // The next start reads again what was not settled, and goes on when there is room.
    let live = program.folder.path().join("data/dead-letter/dead-letters.ndjson");
    fs::rename(&live, program.folder.path().join("away")).unwrap();
    let output = program.again(&["dead_letter.max_size=1MiB"]);
    assert!(output.status.success(), "{}", log(&output));
    let letters = fs::read_to_string(program.folder.path().join("away")).unwrap() + &program.dead_letters();
    for text in ["no json", "no json either", "nor this"] {
        assert!(letters.contains(&format!("\"record\":\"{text}\"")), "{letters}");
    }
}

#[test]
fn a_stop_ends_although_nobody_takes_documents_and_the_next_start_delivers_them() {
    let alerts = AlertOptions { count: 2_000, ..AlertOptions::default() };
    let tenant = Tenant::start(Options { alerts, ..Options::default() });
    let program = Program::new(&tenant, &["output.file=null", "output.console={}", "shutdown_timeout=1s"]);
    let mut child = program.command(&["run"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut documents = BufReader::new(child.stdout.take().unwrap());
    documents.read_line(&mut String::new()).unwrap();
    // What comes after it fills the pipe, which nobody reads any more.
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let lines: Vec<String> = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{lines:#?}");
    assert!(lines.last().unwrap().contains("shutdown_timeout"), "{lines:#?}");
    let folder = program.folder.path().join("out").display().to_string();
    let output = program.again(&[
        "output.console=null",
        &format!("output.file.path={folder}"),
        "output.file.number_of_files=1024",
    ]);
    assert!(output.status.success(), "{}", log(&output));
    assert_eq!(program.delivered(), tenant.expected());
}

/// Nobody listens on port 1, so there is something to be settled for ever.
#[test]
fn a_process_that_is_told_to_end_twice_says_first_how_often_messages_were_repeated() {
    let tenant =
        Tenant::start(Options { alerts: AlertOptions { count: 1, ..AlertOptions::default() }, ..Options::default() });
    let hosts = ["output.file=null", "output.elasticsearch.hosts=[http://127.0.0.1:1]"];
    let backoff = ["output.elasticsearch.backoff.init=1ms", "output.elasticsearch.backoff.max=1ms"];
    let asked = Asked::of_alerts(&tenant, &[&hosts[..], &backoff, &["shutdown_timeout=1h"]].concat());
    let mut run = asked.program.command(&["run"]);
    let mut process = Running(run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    while TcpStream::connect(("127.0.0.1", asked.port)).is_err() {
        pause();
    }
    let repeated = |asked: &Asked| asked.metric("defenderbeat_output_failures_total").is_some_and(|sends| sends > 2.0);
    asked.until("documents are sent again", repeated);
    let status = loop {
        signal(process.0.id(), "INT");
        pause();
        if let Some(status) = process.0.try_wait().unwrap() {
            break status;
        }
    };
    let mut said = String::new();
    process.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(status.code() == Some(1) && said.contains("told to end twice"), "{said}");
    assert!(said.lines().any(|line| line.contains("repeated ") && line.contains("not delivered")), "{said}");
}
