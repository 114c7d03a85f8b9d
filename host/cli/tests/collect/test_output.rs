//! `test output`: what is said of an output, and with which status it ends.

use defenderbeat_simulator::Options;

use crate::program::{Program, Tenant, log};

#[test]
fn an_output_that_takes_documents_is_fine() {
    let tenant = Tenant::start(Options::default());
    let program = Program::new(&tenant, &[]);
    let output = program.command(&["test", "output"]).output().unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(
        output.status.success() && said.starts_with("file: ") && said.ends_with("write... OK\n"),
        "{said}{}",
        log(&output)
    );
}

#[test]
fn a_server_that_is_not_there_is_named_and_fails() {
    let tenant = Tenant::start(Options::default());
    // Nothing listens on port 1.
    let hosts = "output={elasticsearch: {hosts: 'http://127.0.0.1:1', username: writer, password: s3cret}, file: null}";
    let program = Program::new(&tenant, &[hosts]);
    let output = program.command(&["test", "output"]).output().unwrap();
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}{}", log(&output));
    assert!(said.starts_with("elasticsearch: http://127.0.0.1:1/...\n  parse url... OK\n"), "{said}");
    assert!(said.contains("    dial up... ERROR ") && !said.contains("s3cret"), "{said}");
}
