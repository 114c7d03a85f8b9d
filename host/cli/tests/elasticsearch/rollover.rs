//! A data stream refuses an id only in the index that is written to: what may have arrived in one before is looked up.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use defenderbeat_simulator::EventHubsOptions;

use crate::comparison::{Comparison, compare};
use crate::delivery::{alerts, tenant};
use crate::expected;
use crate::program::{Program, Running, Tenant, log};
use crate::server::{Server, server};
use crate::stream::name;

fn program(server: &Server, tenant: &Tenant, namespace: &str) -> Program {
    alerts(tenant, namespace, &server.output(server.elasticsearch.writer()))
}

fn assert_once(server: &Server, tenant: &Tenant, namespace: &str) {
    let held = server.held(&name("alert", namespace));
    assert_eq!(compare(&expected::of_alerts(tenant, namespace), &held), Comparison::default());
}

#[test]
fn what_arrived_before_a_rollover_is_not_doubled_although_the_cursor_was_not_saved() {
    let Some(server) = server() else { return };
    let tenant = tenant(600, EventHubsOptions::default());
    let program = program(&server, &tenant, "cursor");
    assert!(program.once().status.success());
    server.roll_over(&name("alert", "cursor"));
    server.roll_over(&name("alert", "cursor"));
    for entry in fs::read_dir(program.folder.path().join("data/checkpoints")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let said = program.once();
    assert!(said.status.success(), "{}", log(&said));
    assert_once(&server, &tenant, "cursor");
}

#[test]
fn what_a_killed_process_had_sent_is_not_doubled_by_the_next_after_a_rollover() {
    let Some(server) = server() else { return };
    let tenant = tenant(30_000, EventHubsOptions::default());
    let program = program(&server, &tenant, "killed");
    let process = Running(program.start());
    let began = Instant::now();
    while server.count(&name("alert", "killed")) == 0 {
        assert!(began.elapsed() < Duration::from_secs(120), "something arrives");
        sleep(Duration::from_millis(20));
    }
    drop(process);
    // What the server was still at.
    sleep(Duration::from_secs(1));
    assert!(server.count(&name("alert", "killed")) < 5_000, "it was killed in the middle");
    server.roll_over(&name("alert", "killed"));
    let said = program.once();
    assert!(said.status.success(), "{}", log(&said));
    assert_once(&server, &tenant, "killed");
}
