//! Memory is bounded by the batch and the largest record, not by the page.

use defenderbeat_simulator::{AlertOptions, EventHubsOptions, GraphOptions, Options, VulnerabilityOptions};

use crate::discard::{self, Discarded};
use crate::program::{Program, Tenant};

/// Collects all that a tenant holds; how many documents left, of how many bytes, and the peak of the resident set in KiB.
fn collect(alerts: AlertOptions, graph: GraphOptions, options: &[&str]) -> (u64, u64, u64) {
    let tenant = Tenant::start(Options { alerts, graph: GraphOptions { plain: true, ..graph }, ..Options::default() });
    measure(&Program::new(&tenant, &[&["output.file=null", "output.discard={}"], options].concat()))
}

/// As [`collect`], with a program that discards.
fn measure(program: &Program) -> (u64, u64, u64) {
    let Discarded { documents, bytes, peak } = discard::run(&mut program.command(&["run", "--once"]));
    println!("{documents} documents of {bytes} bytes: peak resident set {} MiB", peak / 1024);
    assert!(peak > 0);
    (documents, bytes, peak)
}

#[test]
fn a_page_of_200_mb_passes_in_64_mib() {
    let alerts = AlertOptions { count: 1_000, alert_size: 200_000, ..AlertOptions::default() };
    let (documents, bytes, peak) = collect(alerts, GraphOptions::default(), &["inputs.0.batch_size=1000"]);
    assert_eq!(documents, 1_000);
    assert!(bytes > 100_000_000, "the page is as large as it should be: {bytes}");
    assert!(peak < 64 * 1024, "{peak} KiB");
}

fn incidents(count: usize, alerts_per_incident: usize) -> AlertOptions {
    AlertOptions { count, alerts_per_incident, alert_size: 5_000, ..AlertOptions::default() }
}

#[test]
fn a_page_of_50_incidents_of_400_alerts_passes_in_64_mib() {
    let (documents, bytes, peak) =
        collect(incidents(20_000, 400), GraphOptions::default(), &["inputs.0.type=incident"]);
    assert_eq!(documents, 20_000);
    assert!(bytes > 100_000_000, "the page is as large as it should be: {bytes}");
    assert!(peak < 64 * 1024, "{peak} KiB");
}

/// However its alerts are had: with the page, with the incident by its id, or in a list of their own.
#[test]
fn an_incident_of_5000_alerts_passes_in_128_mib() {
    let most = |page, single| GraphOptions { max_expanded: page, max_expanded_single: single, ..Default::default() };
    for graph in [most(None, None), most(Some(4_999), Some(5_000)), most(Some(4_999), None)] {
        let (documents, bytes, peak) = collect(incidents(5_000, 5_000), graph, &["inputs.0.type=incident"]);
        assert_eq!(documents, 5_000);
        assert!(bytes > 25_000_000, "the incident is as large as it should be: {bytes}");
        assert!(peak < 128 * 1024, "{peak} KiB");
    }
}

/// All that a sync of a large tenant holds, and rows that it does not.
#[test]
fn a_sync_of_50000_machines_and_20000_exposed_vulnerabilities_passes_in_256_mib() {
    let vulnerabilities = VulnerabilityOptions {
        machines: 50_000,
        vulnerabilities: 25_000,
        exposed: 20_000,
        products: 100_000,
        ..VulnerabilityOptions::default()
    };
    let graph = GraphOptions { plain: true, ..GraphOptions::default() };
    let tenant = Tenant::start(Options { vulnerabilities, graph, ..Options::default() });
    let (documents, _, peak) =
        measure(&Program::of_vulnerabilities(&tenant, &["output.file=null", "output.discard={}"]));
    assert_eq!(documents, 105_000);
    assert!(peak < 256 * 1024, "{peak} KiB");
}

/// 32 partitions, 160 messages of 1 MB.
#[test]
fn events_of_32_partitions_in_messages_of_1_mb_pass_in_160_mib() {
    let event_hubs =
        EventHubsOptions { partitions: 32, events: 56_000, records_per_message: 350, ..EventHubsOptions::default() };
    let tenant = Tenant::start(Options { event_hubs, ..Options::default() });
    let (documents, _, peak) =
        measure(&Program::of_events(&tenant, &["output.file=null", "output.discard={}", "inputs.0.workers=2"]));
    assert_eq!(documents, 56_000);
    assert!(peak < 160 * 1024, "{peak} KiB");
}
