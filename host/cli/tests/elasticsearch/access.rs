//! Who may write, and whom the program trusts: what is refused is said, and nothing of it is lost.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use defenderbeat_elasticsearch::User;
use defenderbeat_simulator::EventHubsOptions;
use serde_json::json;

use crate::delivery::{alerts, tenant};
use crate::program::{Program, Running, log};
use crate::server::{Server, output, server};
use crate::stream::name;

/// More than a slow machine takes to say something.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs until a line of the log has this text, and gives that line.
fn said(program: &Program, text: &str) -> String {
    let process = program.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut running = Running(process);
    let lines = BufReader::new(running.0.stderr.take().unwrap()).lines().map_while(Result::ok);
    let (sender, received) = mpsc::channel();
    thread::spawn(move || lines.for_each(|line| drop(sender.send(line))));
    let mut before = Vec::new();
    while let Ok(line) = received.recv_timeout(PATIENCE) {
        if line.contains(text) {
            return line;
        }
        before.push(line);
    }
    panic!("it does not say {text:?}:\n{}", before.join("\n"));
}

/// Refused documents are neither lost nor dead letters: they arrive once access is given.
fn waits_for_access(server: &Server, namespace: &str, user: &User, words: &str) {
    let tenant = tenant(60, EventHubsOptions::default());
    let program = alerts(&tenant, namespace, &server.output(user));
    let line = said(&program, words);
    assert!(!line.contains(&user.password), "{line}");
    assert_eq!(server.count(&name("alert", namespace)), 0);
    assert_eq!(program.dead_letters(), "");
    let said = program.again(&[&server.output(server.elasticsearch.writer())]);
    assert!(said.status.success(), "{}", log(&said));
    assert_eq!(server.count(&name("alert", namespace)), 10);
}

#[test]
fn a_wrong_password_is_said_and_loses_nothing() {
    let Some(server) = server() else { return };
    let mut user = server.elasticsearch.writer().clone();
    user.password = "wrong-password".into();
    waits_for_access(&server, "password", &user, "401");
}

#[test]
fn missing_privileges_are_said_and_lose_nothing() {
    let Some(server) = server() else { return };
    let user = server.elasticsearch.stranger().clone();
    waits_for_access(&server, "privileges", &user, "403");
}

#[test]
fn without_the_privilege_read_documents_arrive_and_it_is_said() {
    let Some(server) = server() else { return };
    let tenant = tenant(60, EventHubsOptions::default());
    let said = alerts(&tenant, "blind", &server.output(server.elasticsearch.blind())).once();
    assert!(said.status.success(), "{}", log(&said));
    assert!(log(&said).contains("privilege `read`"), "{}", log(&said));
    assert_eq!(server.count(&name("alert", "blind")), 10);
}

#[test]
fn a_server_that_is_not_trusted_gets_nothing() {
    let Some(server) = server() else { return };
    let tenant = tenant(60, EventHubsOptions::default());
    let files = server.elasticsearch.certificates();
    let [client, key] = [&files.client, &files.client_key];
    for (namespace, ssl, words) in [
        ("untrusted", json!({"certificate": client, "key": key}), "certificate"),
        ("anonymous", json!({"certificate_authorities": [files.authority]}), "not delivered"),
    ] {
        let output = output(server.elasticsearch.url(), server.elasticsearch.writer(), json!({"ssl": ssl}));
        let program = alerts(&tenant, namespace, &output);
        println!("{}", said(&program, words));
        assert_eq!(server.count(&name("alert", namespace)), 0);
        assert_eq!(program.dead_letters(), "");
    }
}
