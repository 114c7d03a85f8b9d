//! The unit for systemd, and the configuration that is installed with it.

use std::fs;
use std::process::Command;

use crate::{is_there, read, root, skip, succeed, test_config};

const UNIT: &str = "host/packages/systemd/defenderbeat.service";

/// All values of a setting.
fn settings(name: &str) -> Vec<String> {
    let unit = read(UNIT);
    unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned).collect()
}

#[test]
fn the_configuration_takes_the_credentials_that_the_service_is_given_and_its_folder() {
    let config = read("host/packages/defenderbeat.yml");
    let credentials = settings("LoadCredential");
    let names: Vec<&str> = credentials.iter().map(|credential| credential.split_once(':').unwrap().0).collect();
    assert_eq!(config.matches("file:${CREDENTIALS_DIRECTORY").count(), names.len());
    for name in &names {
        assert!(config.contains(&format!("file:${{CREDENTIALS_DIRECTORY:/etc/defenderbeat}}/{name}\n")), "{name}");
    }
    assert_eq!(settings("StateDirectory"), ["defenderbeat"]);
    assert!(config.contains("\npath.data: /var/lib/defenderbeat\n"));
    let folder = tempfile::tempdir().unwrap();
    test_config(&config, folder.path(), &names.iter().map(|name| (*name, "id:key")).collect::<Vec<_>>());
}

#[test]
fn the_unit_is_valid_and_exposed_little() {
    assert_eq!(settings("DynamicUser"), ["yes"]);
    assert_eq!(settings("NoNewPrivileges"), ["yes"]);
    assert_eq!(settings("MemoryMax").len(), 1);
    if !is_there("systemd-analyze", "--version") {
        return skip("systemd-analyze is not there: the unit is not verified");
    }
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("defenderbeat.service");
    // It looks for the program.
    fs::write(&unit, read(UNIT).replace("/usr/bin/defenderbeat", env!("CARGO_BIN_EXE_defenderbeat"))).unwrap();
    let said = succeed(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit));
    assert!(!said.contains("defenderbeat.service"), "{said}");
    // In tenths; below 20 it calls a service OK.
    succeed(Command::new("systemd-analyze").args(["security", "--offline=yes", "--threshold=19"]).arg(root(UNIT)));
}
