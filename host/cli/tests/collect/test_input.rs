//! `test input`: whether an input can be collected, without collecting.

use std::process::Output;

use defenderbeat_simulator::{AccessOptions, AlertOptions, EventHubsOptions, Options};

use crate::program::{Program, Tenant, log};

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn saved_nothing(program: &Program) -> bool {
    !program.folder.path().join("data").exists() && program.files().is_empty()
}

#[test]
fn a_page_is_fetched_and_mapped_and_nothing_is_saved() {
    let alerts = AlertOptions { count: 60, ..AlertOptions::default() };
    let tenant = Tenant::start(Options { alerts, ..Options::default() });
    let program = Program::new(&tenant, &["inputs.0.batch_size=20"]);
    let output = program.command(&["test", "input", "contoso"]).output().unwrap();
    assert!(output.status.success(), "{}", log(&output));
    let said = stdout(&output);
    assert!(said.contains("contoso (alert)... OK: 20 records read, 20 documents made"), "{said}");
    let access = &tenant.simulator.options().access;
    let identity = format!("as application {} of tenant {} with a client secret", access.client_id, access.tenant_id);
    assert!(said.contains(&identity), "{said}");
    assert!(saved_nothing(&program));
    let output = program.command(&["test", "input", "fabrikam"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(log(&output).contains("no input fabrikam"), "{}", log(&output));
}

#[test]
fn a_missing_permission_is_named() {
    let access = AccessOptions { missing_role: true, ..AccessOptions::default() };
    let tenant = Tenant::start(Options { access, ..Options::default() });
    for (program, permission) in [
        (Program::new(&tenant, &[]), "SecurityAlert.Read.All"),
        (Program::of_vulnerabilities(&tenant, &["inputs.0.mode=correlated"]), "Vulnerability.Read.All"),
    ] {
        let output = program.command(&["test", "input"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = stdout(&output);
        assert!(said.contains("ERROR") && said.contains(permission), "{said}");
        assert!(saved_nothing(&program));
    }
}

#[test]
fn the_first_records_of_a_sync_are_read() {
    let tenant = Tenant::start(Options::default());
    for mode in ["correlated", "export", "changes"] {
        let program = Program::of_vulnerabilities(&tenant, &[&format!("inputs.0.mode={mode}")]);
        let output = program.command(&["test", "input"]).output().unwrap();
        let said = stdout(&output);
        assert!(output.status.success(), "{mode}: {said} {}", log(&output));
        assert!(said.contains("OK: ") && !said.contains("OK: 0 records"), "{mode}: {said}");
        assert!(saved_nothing(&program));
    }
}

#[test]
fn event_hubs_are_connected_to_and_nothing_is_received() {
    let events = EventHubsOptions { partitions: 4, ..EventHubsOptions::default() };
    let tenant = Tenant::start(Options { event_hubs: events, ..Options::default() });
    tenant.simulator.event_hubs().hub("defender").unwrap().publish(2, "{}").unwrap();
    let program = Program::of_events(&tenant, &[]);
    let output = program.command(&["test", "input"]).output().unwrap();
    let said = stdout(&output);
    assert!(output.status.success(), "{said} {}", log(&output));
    assert!(said.contains("event hub defender: 4 partitions, 1 with messages"), "{said}");
    assert!(saved_nothing(&program));
    let program = Program::of_events(&tenant, &["inputs.0.eventhub=nowhere"]);
    let output = program.command(&["test", "input"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("nowhere"), "{}", stdout(&output));
}
