//! Incidents with their alerts: complete, whatever Graph can give of them.

use std::collections::{BTreeMap, BTreeSet};

use defenderbeat_simulator::{AlertOptions, Counters, FaultOptions, GraphOptions, NextLink, Options};
use serde_json::Value;

use crate::program::{Program, Tenant, log};

const INCIDENTS: &[&str] = &["inputs.0.type=incident"];

/// A tenant with incidents of so many alerts each, and two without.
fn holding(count: usize, alerts_per_incident: usize, graph: GraphOptions) -> Options {
    let alerts = AlertOptions { count, alerts_per_incident, bare_incidents: 2, ..AlertOptions::default() };
    Options { alerts, graph, ..Options::default() }
}

/// Incident and alert of each document, by `_id`; an incident without an alert has none.
type Documents = BTreeMap<String, (String, Option<String>)>;

fn documents(program: &Program) -> Documents {
    let mut by_id = BTreeMap::new();
    for document in program.documents() {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let of = (text(&document["event"]["id"]), text(&document["m365_defender"]["incident"]["alert"]["id"]));
        let Some(incident) = of.0 else { continue };
        let id = text(&document["@metadata"]["_id"]).unwrap();
        assert!(by_id.insert(id, (incident, of.1)).is_none(), "a document left twice: {document}");
    }
    by_id
}

/// Each alert of each incident once, and each incident without alerts; incidents may also have left alone before.
fn assert_complete(tenant: &Tenant, documents: &Documents) {
    let mut expected = BTreeSet::new();
    for incident in tenant.simulator.expected_incidents() {
        if incident.alerts.is_empty() {
            expected.insert((incident.id.clone(), None));
        }
        expected.extend(incident.alerts.into_iter().map(|alert| (incident.id.clone(), Some(alert))));
    }
    let found: BTreeSet<_> = documents.values().cloned().collect();
    let lost: Vec<_> = expected.difference(&found).take(5).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(found.difference(&expected).all(|(_, alert)| alert.is_none()));
}

fn collect(options: Options, overrides: &[&str]) -> (Documents, Counters) {
    let tenant = Tenant::start(options);
    let program = Program::new(&tenant, &[INCIDENTS, overrides].concat());
    let output = program.once();
    assert!(output.status.success(), "{}", log(&output));
    let documents = documents(&program);
    assert_complete(&tenant, &documents);
    (documents, tenant.simulator.counters())
}

#[test]
fn every_alert_of_every_incident_leaves_once() {
    let (documents, counters) = collect(holding(400, 3, GraphOptions::default()), &[]);
    assert_eq!(documents.len(), 400 + 2);
    assert!(counters.requests < 10 && counters.refused == 0, "{counters:?}");
    let unordered = GraphOptions { unordered: true, ..GraphOptions::default() };
    assert_eq!(collect(holding(400, 3, unordered), &[]).0.len(), 402);
}

#[test]
fn without_include_alerts_incidents_leave_alone() {
    let tenant = Tenant::start(holding(30, 3, GraphOptions::default()));
    let program = Program::new(&tenant, &[INCIDENTS, &["inputs.0.include_alerts=false"]].concat());
    assert!(program.once().status.success());
    let documents = documents(&program);
    assert_eq!(documents.len(), 10 + 2);
    assert!(documents.values().all(|(_, alert)| alert.is_none()));
}

/// Whatever way the alerts of an incident are had, their documents are the same.
#[test]
fn alerts_that_are_too_many_are_had_in_parts_with_the_same_ids() {
    let now = Some(chrono::Utc::now());
    let with = |graph: GraphOptions| {
        let mut options = holding(300, 20, graph);
        options.alerts.now = now;
        options
    };
    let most =
        |page, single| GraphOptions { max_expanded: Some(page), max_expanded_single: single, ..Default::default() };
    let (expanded, counters) = collect(with(GraphOptions::default()), &[]);
    assert_eq!((expanded.len(), counters.overloaded), (302, 0));
    for (way, graph) in [
        ("smaller pages", most(70, None)),
        ("one incident a page", most(20, None)),
        ("incidents by id", most(19, Some(20))),
        ("alerts by incident", most(19, None)),
        ("alerts by incident, no order", GraphOptions { unordered: true, ..most(19, None) }),
        ("smaller windows", GraphOptions { unordered: true, ..most(70, None) }),
    ] {
        let (documents, counters) = collect(with(graph), &[]);
        assert_eq!(documents, expanded, "{way}");
        assert!(counters.overloaded > 0 && counters.requests < 400, "{way}: {counters:?}");
    }
}

#[test]
fn alerts_of_one_incident_may_fill_many_pages() {
    for next_link in [NextLink::WithoutTop, NextLink::Skiptoken, NextLink::Skip] {
        let graph = GraphOptions { max_expanded: Some(300), next_link, ..GraphOptions::default() };
        let mut options = holding(700, 700, graph);
        options.alerts.ties = 300;
        let (documents, counters) = collect(options, &[]);
        assert_eq!(documents.len(), 700 + 2, "{next_link:?}");
        assert!(counters.requests < 400, "{next_link:?}: {counters:?}");
    }
}

/// The cursor passes each of them, although the last of the lists of an incident may be empty.
#[test]
fn many_incidents_may_be_too_large() {
    let graph = GraphOptions { max_expanded: Some(50), next_link: NextLink::Skip, ..GraphOptions::default() };
    let (documents, counters) = collect(holding(1_320, 110, graph), &[]);
    assert_eq!(documents.len(), 1_320 + 2);
    assert!(counters.requests < 2_000, "{counters:?}");
}

/// An incident with all of its alerts may be longer than a record may be; in parts it is not.
#[test]
fn parts_keep_to_the_longest_record() {
    let graph = GraphOptions { max_expanded: Some(50), ..GraphOptions::default() };
    let (documents, _) = collect(holding(300, 100, graph), &["inputs.0.max_record_size=24KiB"]);
    assert_eq!(documents.len(), 302);
}

/// Graph gives incidents that are longer than a record may be; without their alerts they are not.
#[test]
fn what_is_too_long_with_its_alerts_is_had_in_parts() {
    let overrides = ["inputs.0.max_record_size=24KiB"];
    assert_eq!(collect(holding(200, 20, GraphOptions::default()), &overrides).0.len(), 202);
}

/// What came before a linked page that is too much is not asked for again.
#[test]
fn a_linked_page_may_be_too_much() {
    let graph = GraphOptions { max_expanded: Some(50), next_link: NextLink::Skiptoken, ..GraphOptions::default() };
    let mut options = holding(100, 100, graph);
    options.alerts.bare_incidents = 400;
    let (documents, counters) = collect(options, &[]);
    assert_eq!(documents.len(), 100 + 400);
    assert!(counters.requests < 200, "{counters:?}");
}

#[test]
fn what_cannot_be_had_leaves_alone_and_is_tried_again() {
    let now = Some(chrono::Utc::now());
    let with = |no_incident_filter| {
        let graph = GraphOptions { max_expanded: Some(15), no_incident_filter, ..GraphOptions::default() };
        let mut options = holding(100, 20, graph);
        options.alerts.now = now;
        options
    };
    let tenant = Tenant::start(with(true));
    let program = Program::new(&tenant, INCIDENTS);
    let output = program.once();
    assert!(output.status.success(), "the cursor moves: {}", log(&output));
    assert!(log(&output).contains("it leaves alone and is asked for again"), "{}", log(&output));
    let first = documents(&program);
    assert_eq!(first.len(), 5 + 2);
    assert!(first.values().all(|(_, alert)| alert.is_none()));
    let errors: Vec<_> = program.documents().iter().map(|document| document["error"]["message"].clone()).collect();
    let named = |error: &&Value| error[0].as_str().is_some_and(|text| text.contains("the alerts cannot be had: "));
    assert_eq!(errors.iter().filter(named).count(), 5, "{errors:?}");

    // Nothing leaves twice while they cannot be had.
    assert!(program.once().status.success());
    assert_eq!(documents(&program), first);

    let better = Tenant::start(with(false));
    let (url, login) = (format!("inputs.0.url={}", better.simulator.url()), better.simulator.url());
    let login = format!("inputs.0.login_url={login}");
    // Too late for the overlap: they come because they are remembered.
    // All of them in one cycle, however slow the machine: they are asked for until the next cycle is due.
    let output = program.again(&["inputs.0.overlap=0s", "inputs.0.interval=5m", &url, &login]);
    assert!(output.status.success(), "{}", log(&output));
    let then = documents(&program);
    assert_complete(&better, &then);
    assert_eq!(then.len(), 100 + 2 + 5);
    let checkpoint = program.checkpoint();
    assert!(!checkpoint.contains("again"), "{checkpoint}");
}

#[test]
fn nothing_is_lost_where_requests_fail_at_random() {
    for unordered in [false, true] {
        let graph =
            GraphOptions { max_expanded: Some(25), max_expanded_single: Some(12), unordered, ..Default::default() };
        let mut options = holding(400, 13, graph);
        options.faults = FaultOptions { failed: 0.05, throttled: 0.05, retry_after: 0, revoked: 0.02, broken: 0.05 };
        options.alerts.ties = 60;
        options.alerts.late = 10;
        let tenant = Tenant::start(options);
        let program = Program::new(&tenant, &[INCIDENTS, &["inputs.0.overlap=10m"]].concat());
        // A cycle may fail; none of them loses anything.
        let ended = (0..10).find(|_| program.once().status.success());
        assert!(ended.is_some());
        program.once();
        let documents = documents(&program);
        assert_complete(&tenant, &documents);
        let counters = tenant.simulator.counters();
        assert!(counters.failed > 0 && counters.broken > 0 && counters.overloaded > 0, "{counters:?}");
    }
}
