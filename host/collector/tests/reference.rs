//! `defenderbeat.reference.yml`: that it is up to date, works as it is, and tells the truth about defaults.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::path::Path;

use defenderbeat_collector::config::{Config, reference};

const BLESS: &str = "BLESS=1 cargo test -p defenderbeat-collector --test reference";

const CONNECTION: &str =
    "Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey=c2VjcmV0";

fn env(name: &str) -> Option<String> {
    match name {
        "TENANT_ID" | "CLIENT_ID" | "CLIENT_SECRET" => Some(name.to_lowercase()),
        "EVENTHUB_CONNECTION_STRING" => Some(CONNECTION.to_owned()),
        _ => None,
    }
}

fn shown(text: &str, overrides: &[&str]) -> String {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    match Config::parse("defenderbeat.reference.yml", text, &overrides, &env) {
        Ok(config) => format!("{config:#?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("defenderbeat.reference.yml");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, reference()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == reference(), "{} is not up to date; make it anew with\n    {BLESS}", path.display());
}

#[test]
fn works_with_what_is_required() {
    let wanted = "\
inputs:
  - {id: defender-alerts, type: alert, tenant_id: tenant_id, client_id: client_id, client_secret: client_secret}
  - {id: defender-events, type: event, eventhub: defender-events, connection_string: '${EVENTHUB_CONNECTION_STRING}'}
  - {id: defender-vulnerabilities, type: vulnerability, tenant_id: tenant_id, client_id: client_id, client_secret: client_secret}
output.console: {}
";
    assert_eq!(shown(&reference(), &[]), shown(wanted, &[]));
}

/// What is commented out is the default: with all of it written, nothing changes.
#[test]
fn shows_the_defaults() {
    let with_all: String = reference()
        .lines()
        .map(|line| {
            let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
            let option = rest.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
            format!("{indent}{}\n", option.unwrap_or(rest))
        })
        .collect();
    assert!(with_all.lines().count() > 150 && !with_all.contains("\n#output"));
    let others = [
        "coordination.azure_blob=null",
        "output.elasticsearch=null",
        "output.logstash=null",
        "output.kafka=null",
        "output.discard=null",
    ];
    let console = [&others[..], &["output.file=null"]].concat();
    assert_eq!(shown(&with_all, &console), shown(&reference(), &[]));
    let file = [&others[..], &["output.console=null"]].concat();
    let path = "output.file.path=/var/lib/defenderbeat/output";
    assert_eq!(shown(&with_all, &file), shown(&reference(), &["output.console=null", path]));
}
