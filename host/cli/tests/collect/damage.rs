//! Files of the state that were cut or changed: the program goes on from the last good state or says what is wrong, and
//! never begins anew in silence.

use std::fs;
use std::path::{Path, PathBuf};

use defenderbeat_simulator::{AlertOptions, EventHubsOptions, Options};

use serde_json::json;

use crate::events::message;
use crate::program::{Program, Tenant, log};

/// A file cut at some places, and with a bit flipped at some; a unit test does the same at every one.
fn damages(file: &Path) -> Vec<Vec<u8>> {
    let whole = fs::read(file).unwrap();
    let header = whole.iter().position(|byte| *byte == b'\n').unwrap_or(whole.len() / 2);
    let at = [0, 1, header / 2, header, header + 1, (header + whole.len()) / 2, whole.len() - 1];
    let cut = at.iter().map(|at| whole[..*at].to_vec());
    let flipped = at.iter().map(|at| {
        let mut flipped = whole.clone();
        flipped[*at] ^= 4;
        flipped
    });
    cut.chain(flipped).collect()
}

fn state(program: &Program, name: &str) -> PathBuf {
    program.folder.path().join("data").join(name)
}

#[test]
fn a_damaged_checkpoint_is_replaced_by_the_one_before_it_and_two_are_an_error() {
    let alerts = AlertOptions { count: 20, ..AlertOptions::default() };
    let tenant = Tenant::start(Options { alerts, ..Options::default() });
    let program = Program::new(&tenant, &[]);
    for _ in 0..2 {
        assert!(program.once().status.success());
    }
    let (file, previous) =
        (state(&program, "checkpoints/contoso.checkpoint"), state(&program, "checkpoints/contoso.checkpoint.previous"));
    let before = fs::read(&previous).unwrap();
    for damage in damages(&file) {
        fs::write(&file, &damage).unwrap();
        fs::write(&previous, &before).unwrap();
        let output = program.once();
        assert!(output.status.success(), "{}", log(&output));
        assert!(log(&output).contains("the one before it serves"), "{}", log(&output));
    }
    assert_eq!(program.delivered(), tenant.expected());
    let delivered = program.documents().len();
    fs::write(&file, "damaged").unwrap();
    for damage in damages(&previous) {
        fs::write(&previous, &damage).unwrap();
        let output = program.once();
        assert_eq!(output.status.code(), Some(1), "{}", log(&output));
        assert!(log(&output).contains("remove both files"), "{}", log(&output));
    }
    assert_eq!(program.documents().len(), delivered, "nothing begins anew in silence");
}

#[test]
fn a_damaged_meta_json_is_an_error_and_damaged_facts_are_gathered_anew() {
    let tenant = Tenant::start(Options { event_hubs: EventHubsOptions::default(), ..Options::default() });
    let device = json!({"DeviceId": "m1", "DeviceName": "Mac-1", "OSPlatform": "macOS"});
    let hub = tenant.simulator.event_hubs().hub("defender").unwrap();
    hub.publish(0, message(&[("DeviceInfo", device)])).unwrap();
    let program = Program::of_events(&tenant, &[]);
    assert!(program.once().status.success());
    let facts = state(&program, "facts/event");
    for damage in damages(&facts) {
        fs::write(&facts, &damage).unwrap();
        let output = program.once();
        assert!(output.status.success(), "{}", log(&output));
        assert!(log(&output).contains("facts of the last run cannot be used"), "{}", log(&output));
    }
    assert_eq!(program.documents().len(), 1, "a cache that is lost delivers nothing again");
    let meta = state(&program, "meta.json");
    for damage in damages(&meta) {
        fs::write(&meta, &damage).unwrap();
        let output = program.once();
        assert_eq!(output.status.code(), Some(1), "{}", log(&output));
        assert!(log(&output).contains("meta.json") && log(&output).contains("damaged"), "{}", log(&output));
    }
}
