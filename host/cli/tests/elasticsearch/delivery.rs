//! Documents of all four data streams arrive as they were made, and once.

use std::collections::HashMap;

use chrono::Utc;
use defenderbeat_simulator::{AlertOptions, EventHubsOptions, Options, VulnerabilityOptions};
use serde_json::json;

use crate::comparison::{Comparison, compare};
use crate::expected;
use crate::program::{Program, Tenant, log, polled, streamed};
use crate::server::{Server, output, server};
use crate::stream::name;

/// The datasets.
pub(crate) const DATASETS: [&str; 4] = ["alert", "incident", "event", "vulnerability"];

/// A tenant with some of everything; of alerts and findings a part of the events.
pub(crate) fn tenant(events: u64, event_hubs: EventHubsOptions) -> Tenant {
    Tenant::start(options(events, event_hubs))
}

/// The options of such a tenant.
pub(crate) fn options(events: u64, event_hubs: EventHubsOptions) -> Options {
    let alerts = usize::try_from(events).unwrap() / 6;
    Options {
        alerts: AlertOptions {
            count: alerts,
            now: Some(Utc::now()),
            bare_incidents: alerts / 50,
            ties: alerts / 4,
            ..AlertOptions::default()
        },
        vulnerabilities: VulnerabilityOptions {
            machines: events / 100 + 1,
            vulnerabilities: events / 50 + 2,
            exposed: events / 100 + 1,
            products: events / 5,
            unknown_cves: 10,
            unknown_machines: 10,
            changes: 0,
            ..VulnerabilityOptions::default()
        },
        event_hubs: EventHubsOptions { events, ..event_hubs },
        ..Options::default()
    }
}

/// Collects all of a tenant's streams into a namespace, as somebody may; `output` is the option's value.
pub(crate) fn program(tenant: &Tenant, namespace: &str, output: &str) -> Program {
    let namespaces: Vec<String> =
        (0..4).map(|input| format!("inputs.{input}.data_stream.namespace={namespace}")).collect();
    let mut options = vec![
        "output.file=null",
        output,
        "inputs.0.include_unknown_enum_members=true",
        "inputs.1.include_unknown_enum_members=true",
        "inputs.2.inventory=off",
    ];
    options.extend(namespaces.iter().map(String::as_str));
    let inputs = [
        ("alerts", polled(tenant, "alert", "1s")),
        ("incidents", polled(tenant, "incident", "1s")),
        ("events", streamed(tenant)),
        ("vulnerabilities", polled(tenant, "vulnerability", "24h")),
    ];
    Program::of(tenant, &inputs, &options)
}

/// Collects a tenant's alerts only.
pub(crate) fn alerts(tenant: &Tenant, namespace: &str, output: &str) -> Program {
    let namespace = format!("inputs.0.data_stream.namespace={namespace}");
    Program::new(tenant, &["output.file=null", "inputs.0.include_unknown_enum_members=true", &namespace, output])
}

/// How what arrived of each dataset differs from what the tenant's records give.
pub(crate) fn differences(server: &Server, tenant: &Tenant, namespace: &str) -> HashMap<&'static str, Comparison> {
    let compared = DATASETS.map(|dataset| {
        let held = server.held(&name(dataset, namespace));
        let expected = match dataset {
            "alert" => expected::of_alerts(tenant, namespace),
            "incident" => expected::of_incidents(tenant, namespace),
            "event" => expected::of_events(tenant, namespace),
            _ => match held.sync_starts.as_slice() {
                [start] => expected::of_vulnerabilities(tenant, namespace, start),
                starts => panic!("all findings are of one sync, not of {starts:?}"),
            },
        };
        println!("{dataset}: {} documents held, {} expected", held.count(), expected.len());
        (dataset, compare(&expected, &held))
    });
    compared.into_iter().filter(|(_, comparison)| *comparison != Comparison::default()).collect()
}

#[test]
fn all_streams_arrive_once_over_tls_and_a_second_run_adds_nothing() {
    let Some(server) = server() else { return };
    let tenant = tenant(600, EventHubsOptions::default());
    let program = program(&tenant, "all", &server.output(server.elasticsearch.writer()));
    let said = program.once();
    assert!(said.status.success(), "{}", log(&said));
    assert_eq!(differences(&server, &tenant, "all"), HashMap::new());
    for dataset in DATASETS {
        let document = server.one(&name(dataset, "all"));
        assert_eq!(document["data_stream"]["dataset"], format!("m365_defender.{dataset}"), "{document}");
        assert_eq!(document["data_stream"]["namespace"], "all", "{document}");
    }
    assert_eq!(program.dead_letters(), "");
    // A sync is new with each run, and so are its documents.
    let counts = || ["alert", "incident", "event"].map(|dataset| server.count(&name(dataset, "all")));
    let before = counts();
    let said = program.once();
    assert!(said.status.success(), "{}", log(&said));
    assert_eq!(counts(), before);
}

/// The server refuses an id that it has in the index that is written to, which settles the document.
#[test]
fn a_process_without_memory_delivers_everything_again_and_nothing_is_doubled() {
    let Some(server) = server() else { return };
    let tenant = tenant(300, EventHubsOptions::default());
    for _ in 0..2 {
        // Each has a new folder.
        let program = alerts(&tenant, "again", &server.output(server.elasticsearch.writer()));
        let said = program.once();
        assert!(said.status.success(), "{}", log(&said));
        assert_eq!(program.dead_letters(), "");
    }
    let held = server.held(&name("alert", "again"));
    assert_eq!(compare(&expected::of_alerts(&tenant, "again"), &held), Comparison::default());
}

#[test]
fn requests_arrive_whether_or_not_they_are_compressed() {
    let Some(server) = server() else { return };
    let tenant = tenant(60, EventHubsOptions::default());
    let files = server.elasticsearch.certificates();
    let ssl =
        json!({"certificate_authorities": [files.authority], "certificate": files.client, "key": files.client_key});
    for level in [0, 1, 9] {
        let namespace = format!("level{level}");
        let further = json!({"ssl": ssl, "compression_level": level});
        let output = output(server.elasticsearch.url(), server.elasticsearch.writer(), further);
        let said = alerts(&tenant, &namespace, &output).once();
        assert!(said.status.success(), "{}", log(&said));
        assert_eq!(server.count(&name("alert", &namespace)), 10);
    }
}
