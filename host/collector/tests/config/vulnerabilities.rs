//! Inputs of type `vulnerability`: which options they take, and which go together.

use std::time::Duration;

use defenderbeat_collector::config::{Agent, Config, Source};
use defenderbeat_collector::source::defender::{DefenderSettings, Mode};

fn config(options: &str) -> Result<Config, String> {
    let text = format!(
        "inputs:\n  - {{id: vulnerabilities, type: vulnerability, tenant_id: t, client_id: c, client_secret: hunter2{options}}}\n\
         output.console: {{}}\n"
    );
    Config::parse("d.yml", &text, &[], &|_| None).map_err(|error| error.to_string())
}

fn load(options: &str) -> Result<DefenderSettings, String> {
    match &config(options)?.inputs[0].source {
        Source::Defender(settings) => Ok(settings.clone()),
        _ => panic!("another source"),
    }
}

fn error(options: &str, words: &[&str]) {
    let error = load(options).unwrap_err();
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
    assert!(!error.contains("hunter2"), "a secret is shown: {error}");
}

#[test]
fn three_lists_are_joined_once_a_day_unless_told_otherwise() {
    let settings = load("").unwrap();
    assert_eq!((settings.mode, settings.interval), (Mode::Correlated, Duration::from_secs(24 * 3600)));
    assert_eq!(settings.full_interval, Duration::from_secs(72 * 3600));
    assert_eq!(settings.url, "https://api.security.microsoft.com");
    assert_eq!(settings.scopes, ["https://api.securitycenter.microsoft.com/.default"]);
    assert_eq!(settings.sas_valid_hours, 1);
    let settings = load(", mode: changes, interval: 6h, full_interval: 84h, sas_valid_hours: 6").unwrap();
    assert_eq!((settings.mode, settings.sas_valid_hours), (Mode::Changes, 6));
}

#[test]
fn findings_that_do_not_change_must_not_vanish() {
    error(", mode: changes, full_interval: 85h", &["full_interval", "84h", "vanish"]);
    for mode in ["correlated", "export", "changes"] {
        error(&format!(", mode: {mode}, interval: 85h"), &["interval", "84h", "vanish"]);
    }
    load(", mode: changes, interval: 80h, full_interval: 72h").unwrap();
}

#[test]
fn options_that_cannot_be_meant_are_refused() {
    error(", sas_valid_hours: 7", &["sas_valid_hours", "1 to 6"]);
    error(", sas_valid_hours: 0", &["sas_valid_hours", "1 to 6"]);
    error(", mode: export, affected_machines_only: true", &["affected_machines_only", "correlated"]);
    error(", mode: exports", &["mode", "did you mean export?"]);
    error(", url: 'http://api.example.com'", &["url", "https"]);
    error(", storage_hosts: ['https://a.example.com']", &["storage_hosts"]);
    for host in ["*", "*.", "*example.com", "a.*.example.com", "*.*.example.com", "*..example.com"] {
        error(&format!(", storage_hosts: ['{host}']"), &["storage_hosts"]);
    }
    error(", interval: 0s", &["interval"]);
    error(", overlap: 5m", &["overlap", "is no option"]);
}

#[test]
fn the_component_learns_the_syncs_start_and_whether_it_wants_unaffected_vulnerabilities() {
    let config = config(", affected_machines_only: true, memory_limit: 300MiB").unwrap();
    let agent = Agent { id: String::new(), name: String::new(), version: String::new(), ephemeral_id: String::new() };
    let settings = |start| -> serde_json::Value {
        serde_json::from_str(&config.inputs[0].component_settings(&agent, false, start)).unwrap()
    };
    assert_eq!(settings(Some(1_795_507_200_250))["sync_start"], "2026-11-24T08:00:00.250Z");
    assert_eq!(settings(None).get("sync_start"), None);
    assert_eq!(settings(None)["affected_machines_only"], true);
    assert_eq!(config.inputs[0].memory_limit, 300 << 20);
}
