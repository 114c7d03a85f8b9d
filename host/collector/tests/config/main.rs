//! `defenderbeat.yml`: what is read, what is refused, and what is said about it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

mod auth;
mod components;
mod coordination;
mod elasticsearch;
mod events;
mod export;
mod layers;
mod outputs;
mod problems;
mod secrets;
mod values;
mod vulnerabilities;

use defenderbeat_collector::config::{Config, ConfigError, Source};
use defenderbeat_collector::source::graph::GraphSettings;

const INPUT: &str = "\
inputs:
  - id: alerts
    type: alert
    tenant_id: contoso.example
    client_id: app
    client_secret: hunter2
";

fn env(name: &str) -> Option<String> {
    Some(
        match name {
            "TENANT" => "fabrikam.example",
            "NUMBER" => "12",
            "SECRET" => "0123",
            "TRUE" => "true",
            "ODD" => "a: [b, ${TENANT}",
            _ => return None,
        }
        .to_owned(),
    )
}

fn load(text: &str, overrides: &[&str]) -> Result<Config, ConfigError> {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    Config::parse("d.yml", text, &overrides, &env)
}

/// The input above, its further options, and a console.
fn input(options: &str) -> String {
    let options: String = options.lines().map(|line| format!("    {line}\n")).collect();
    format!("{INPUT}{options}output.console: {{}}\n")
}

fn graph(config: &Config) -> &GraphSettings {
    match &config.inputs[0].source {
        Source::Graph(settings) => settings,
        _ => panic!("another source"),
    }
}

fn errors(text: &str, overrides: &[&str]) -> Vec<String> {
    let error = load(text, overrides).expect_err("the configuration is refused").to_string();
    assert!(!error.contains("hunter2"), "a secret is shown: {error}");
    error.lines().map(str::to_owned).collect()
}

fn error(text: &str, overrides: &[&str]) -> String {
    let mut errors = errors(text, overrides);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.remove(0)
}
