//! One cycle.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use defenderbeat_simulator::{AccessOptions, AlertOptions, Options};

use crate::program::{Program, Tenant, log};

fn tenant(count: usize) -> Tenant {
    Tenant::start(Options { alerts: AlertOptions { count, ..AlertOptions::default() }, ..Options::default() })
}

/// Records that are too long have no place in the source's order.
#[test]
fn pages_of_nothing_but_records_that_are_too_long_are_passed() {
    let tenant = tenant(60);
    let program = Program::new(&tenant, &["inputs.0.max_record_size=1KiB", "inputs.0.batch_size=20"]);
    let output = program.once();
    assert!(output.status.success(), "{}", log(&output));
    assert!(program.documents().is_empty());
    assert!(log(&output).contains("60 dead letters"), "{}", log(&output));
}

#[test]
fn alerts_are_collected_once_and_the_next_run_goes_on() {
    let tenant = tenant(60);
    let program = Program::new(&tenant, &[]);
    let output = program.once();
    assert!(output.status.success(), "{}", log(&output));
    assert_eq!(program.delivered(), tenant.expected());
    assert_eq!(program.documents().len(), 60, "each alert left once");
    let document = program.documents().remove(0);
    assert_eq!(document["@metadata"]["raw_index"], "logs-m365_defender.alert-default");
    assert_eq!(document["data_stream"]["dataset"], "m365_defender.alert");
    assert_eq!(document["agent"]["type"], "defenderbeat");
    let output = program.once();
    assert!(output.status.success(), "{}", log(&output));
    assert_eq!(program.documents().len(), 60, "nothing is delivered again after a restart");
}

#[test]
fn several_workers_deliver_each_alert_once() {
    let alerts = AlertOptions { count: 3000, ties: 700, ..AlertOptions::default() };
    let tenant = Tenant::start(Options { alerts, ..Options::default() });
    let program = Program::new(&tenant, &["inputs.0.workers=3"]);
    for _ in 0..2 {
        let output = program.once();
        assert!(output.status.success() && log(&output).contains("workers=3"), "{}", log(&output));
        assert_eq!(program.delivered(), tenant.expected());
        assert_eq!(program.documents().len(), 3000);
    }
}

#[test]
fn documents_go_to_standard_output_and_the_log_to_standard_error() {
    let tenant = tenant(3);
    let program =
        Program::new(&tenant, &["output.file=null", "output.console={metadata: false}", "inputs.0.tags=[forwarded]"]);
    let output = program.once();
    assert!(output.status.success(), "{}", log(&output));
    let documents: Vec<serde_json::Value> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(documents.len(), 3);
    assert_eq!(documents[0]["tags"], serde_json::json!(["forwarded"]));
    assert!(log(&output).contains("output: 3 documents delivered\n"), "{}", log(&output));
}

#[test]
fn a_missing_permission_is_named_and_becomes_a_document() {
    let access = AccessOptions { missing_role: true, ..AccessOptions::default() };
    let tenant = Tenant::start(Options { access, ..Options::default() });
    let program = Program::new(&tenant, &[]);
    let output = program.once();
    assert_eq!(output.status.code(), Some(1));
    assert!(log(&output).contains("SecurityAlert.Read.All"), "{}", log(&output));
    let documents = program.documents();
    assert_eq!(documents.len(), 1);
    assert!(documents[0]["error"]["message"].as_str().unwrap().contains("SecurityAlert.Read.All"), "{}", documents[0]);
}

#[test]
fn the_secret_is_nowhere_but_in_its_file() {
    let tenant = tenant(3);
    let program = Program::new(&tenant, &["logging.level=debug"]);
    let secret = &tenant.simulator.options().access.client_secret;
    let good = program.once();
    fs::write(program.folder.path().join("secret"), "another-secret").unwrap();
    let refused = program.once();
    assert_eq!(refused.status.code(), Some(1), "{}", log(&refused));
    for text in [log(&good), log(&refused), program.dead_letters(), format!("{:?}", program.documents())] {
        assert!(!text.contains(secret.as_str()) && !text.contains("another-secret"), "{text}");
    }
    assert!(log(&refused).contains("client_secret"), "{}", log(&refused));
}

#[test]
fn the_processors_of_the_configuration_are_applied() {
    let tenant = tenant(40);
    let processors = "processors=[{add_fields: {target: '', fields: {organization.name: contoso}}}, \
                      {drop_event: {when: {equals: {event.severity: 21}}}}]";
    let program = Program::new(&tenant, &[processors]);
    let output = program.once();
    assert!(output.status.success(), "{}", log(&output));
    let documents = program.documents();
    assert!(!documents.is_empty() && documents.len() < 40, "{}", documents.len());
    assert!(documents.iter().all(|document| document["organization"]["name"] == "contoso"));
    assert!(log(&output).contains("dropped"), "{}", log(&output));
}

#[test]
fn a_configuration_that_is_wrong_says_where() {
    let tenant = tenant(1);
    let program = Program::new(&tenant, &["inputs.0.intervall=5m"]);
    for command in ["run", "test config"] {
        let command: Vec<&str> = command.split(' ').collect();
        let output = program.command(&command).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(log(&output).contains("intervall") && log(&output).contains("interval"), "{}", log(&output));
    }
    let program = Program::new(&tenant, &["processors=[{drop_feelds: {}}]"]);
    let output = program.command(&["test", "config"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(log(&output).contains("drop_feelds"), "{}", log(&output));
    for (option, words) in [
        ("inputs.0.proxy_url=nonsense", "proxy_url"),
        ("inputs.0.proxy_url=ftp://proxy", "proxy_url"),
        ("inputs.0.ssl.certificate_authorities=[/nonexistent.pem]", "ssl.certificate_authorities"),
        ("inputs.0.endpoint_params={client_id: x}", "endpoint_params"),
        ("inputs.0.inventory=off", "inventory is an option of events only"),
        ("geoip.city=/nonexistent.mmdb", "geoip: reading /nonexistent.mmdb"),
    ] {
        let program = Program::new(&tenant, &[option]);
        let output = program.command(&["test", "config"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{option}");
        assert!(log(&output).contains(words), "{}", log(&output));
    }
    let program = Program::new(&tenant, &[]);
    let output = program.command(&["test", "config"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), b"Config OK\n".as_slice()));
}

#[test]
fn two_processes_on_one_folder_are_refused() {
    let tenant = tenant(3);
    let program = Program::new(&tenant, &[]);
    let mut first = program.start();
    while !program.folder.path().join("data/meta.json").exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let second = program.once();
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(log(&second).contains("in use by another process"), "{}", log(&second));
}

#[test]
fn a_torn_checkpoint_is_said_and_loses_nothing() {
    let tenant = tenant(20);
    let program = Program::new(&tenant, &[]);
    assert!(program.once().status.success());
    assert!(program.once().status.success());
    let file = program.folder.path().join("data/checkpoints/contoso.checkpoint");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let output = program.once();
    assert!(output.status.success(), "{}", log(&output));
    assert!(log(&output).contains("the one before it serves"), "{}", log(&output));
    assert_eq!(program.delivered(), tenant.expected());
}

#[test]
fn a_terminated_process_settles_what_is_under_way() {
    let tenant = tenant(2_000);
    let program = Program::new(&tenant, &[]);
    let mut process = program.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // Once it says something, it hears signals.
    let mut said = BufReader::new(process.stderr.take().unwrap());
    let mut log = String::new();
    said.read_line(&mut log).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    let killed = Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap();
    assert!(killed.success());
    said.read_to_string(&mut log).unwrap();
    assert!(process.wait().unwrap().success(), "{log}");
    assert!(log.contains("stopping"), "{log}");
    let before = program.documents().len();
    assert!(program.once().status.success());
    assert_eq!(program.delivered(), tenant.expected());
    assert_eq!(program.documents().len(), 2_000, "what left before ({before}) was settled and is not delivered again");
}

#[test]
fn a_start_is_remembered_although_nothing_was_found() {
    let tenant = tenant(0);
    let program = Program::new(&tenant, &[]);
    let output = program.once();
    assert!(output.status.success(), "{}", log(&output));
    assert!(program.folder.path().join("data/checkpoints/contoso.checkpoint").exists(), "{}", log(&output));
}

#[test]
fn a_cursor_that_cannot_be_saved_is_a_failure() {
    let tenant = tenant(5);
    let program = Program::new(&tenant, &[]);
    // A folder where the new file would be, which root cannot write either.
    let obstacle = program.folder.path().join("data/checkpoints/contoso.checkpoint.new");
    fs::create_dir_all(&obstacle).unwrap();
    let output = program.once();
    assert_eq!(output.status.code(), Some(1), "{}", log(&output));
    assert!(log(&output).contains("contoso.checkpoint"), "{}", log(&output));
    fs::remove_dir(&obstacle).unwrap();
    assert!(program.once().status.success());
    assert_eq!(program.delivered(), tenant.expected());
}

#[test]
fn an_input_that_fails_for_good_does_not_keep_another_from_collecting() {
    let tenant = tenant(5);
    let program = Program::new(&tenant, &[]);
    let url = tenant.simulator.url();
    let options = format!("tenant_id: t, client_id: c, client_secret: w, url: '{url}', login_url: '{url}'");
    let config = program.folder.path().join("defenderbeat.yml");
    let text = fs::read_to_string(&config).unwrap();
    let both = text.replace("inputs:\n", &format!("inputs:\n  - {{id: fabrikam, type: alert, {options}}}\n"));
    fs::write(&config, both).unwrap();
    let output = program.once();
    assert_eq!(output.status.code(), Some(1), "{}", log(&output));
    assert!(log(&output).contains("input fabrikam"), "{}", log(&output));
    assert_eq!(program.delivered(), tenant.expected());
}
