//! Where secrets may be written, and what is said of those that are not.

use std::collections::BTreeSet;

use defenderbeat_collector::config::{Config, secrets};

const TEXT: &str = "\
inputs:
  - {id: a, type: alert, tenant_id: t, client_id: c, client_secret: '${SECRET}', proxy_url: 'http://u:hunter2@p:1'}
output.elasticsearch: {hosts: [localhost], headers: {x: y}}
";

fn warnings(overrides: &[&str]) -> Vec<String> {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    let env = |name: &str| (name == "SECRET").then(|| "hunter2".to_owned());
    let config = Config::parse("d.yml", TEXT, &overrides, &env).unwrap();
    config.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_secret_on_the_command_line_is_warned_about_and_not_repeated() {
    for (option, open) in [
        ("inputs.0.client_secret=hunter2", true),
        ("output.elasticsearch.headers.x=hunter2", true),
        ("output.elasticsearch={hosts: [localhost], api_key: 'id:hunter2'}", true),
        ("inputs.0.client_secret=${SECRET}", false),
        ("inputs.0.client_secret=file:Cargo.toml", false),
        ("inputs.0.proxy_url=null", false),
        ("inputs.0.tenant_id=hunter2", false),
    ] {
        let warnings = warnings(&[option]);
        assert_eq!(warnings.len(), usize::from(open), "{option}: {warnings:?}");
        assert!(warnings.iter().all(|warning| warning.contains("command line") && !warning.contains("hunter2")));
    }
    assert!(warnings(&[]).is_empty(), "a file may be closed to others");
}

#[test]
fn every_type_of_input_and_every_output_with_secrets_names_them() {
    let names = secrets();
    let kinds: BTreeSet<&str> = names.iter().filter_map(|name| name.split('.').next()).collect();
    assert_eq!(kinds, BTreeSet::from(["alert", "coordination", "event", "output", "vulnerability"]));
    for name in ["alert.client_secret", "event.storage_account_auth.client_secret", "output.elasticsearch.headers"] {
        assert!(names.iter().any(|other| other == name), "{name}");
    }
}
