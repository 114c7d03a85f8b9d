//! The configuration, printed by the program.

use std::fs;
use std::process::Command;

use defenderbeat_simulator::{AlertOptions, Options};

use crate::program::{Program, Tenant, log};

fn tenant() -> Tenant {
    Tenant::start(Options { alerts: AlertOptions { count: 20, ..AlertOptions::default() }, ..Options::default() })
}

#[test]
fn a_configuration_is_printed_without_its_secrets_and_collects_the_same_with_them() {
    let tenant = tenant();
    let secret = &tenant.simulator.options().access.client_secret;
    let overrides = [&format!("inputs.0.client_secret={secret}"), "inputs.0.tags=[a, '${TAG}']", "logging.level=debug"];
    let program = Program::new(&tenant, &overrides);
    let output = program.command(&["export", "config"]).env("TAG", "2").output().unwrap();
    assert!(output.status.success(), "{}", log(&output));
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(!shown.contains(secret), "{shown}");
    for part in ["logging:\n", "level: debug", "output:\n", "rotate_every_kb: 4096", "client_secret: <redacted>"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    let file = program.folder.path().join("shown.yml");
    // With its mode.
    fs::copy(program.folder.path().join("defenderbeat.yml"), &file).unwrap();
    fs::write(&file, shown.replace("<redacted>", secret)).unwrap();
    let run = |command: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_defenderbeat")).args(command).arg("-c").arg(&file).output().unwrap()
    };
    let checked = run(&["test", "config"]);
    assert!(checked.status.success(), "{}{shown}", log(&checked));
    let collected = run(&["run", "--once"]);
    assert!(collected.status.success(), "{}", log(&collected));
    assert_eq!(program.delivered(), tenant.expected());
    assert!(program.documents().iter().all(|document| document["tags"].to_string().contains("\"a\",\"2\"")));
    assert_eq!(run(&["export", "config"]).stdout, shown.into_bytes());
}

#[test]
fn a_configuration_that_is_wrong_is_not_printed() {
    let tenant = tenant();
    let program = Program::new(&tenant, &["inputs.0.intervall=1m"]);
    let output = program.command(&["export", "config"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty() && log(&output).contains("did you mean `interval`?"), "{}", log(&output));
    let output = program.command(&["export", "config", "alert"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", log(&output));
}
