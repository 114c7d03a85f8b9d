//! What `transform` makes of the tenant's records: their documents, by id.

use std::collections::HashMap;

use defenderbeat_simulator::{VulnerabilityRecords, alerts, incidents};
use serde_json::json;

use crate::comparison::{Digest, digest};
use crate::mapper::Mapper;
use crate::program::Tenant;

/// Documents by their ids.
pub(crate) type Expected = HashMap<u128, Digest>;

/// Adds documents.
fn to(expected: &mut Expected) -> impl FnMut(u128, &[u8]) {
    |id, bytes| _ = expected.insert(id, digest(serde_json::from_slice(bytes).unwrap()))
}

/// Of all alerts.
pub(crate) fn of_alerts(tenant: &Tenant, namespace: &str) -> Expected {
    let mut expected = Expected::new();
    let mut mapper = Mapper::open("alert", &json!({"namespace": namespace}));
    mapper.push("alerts", alerts(&tenant.simulator.options().alerts).unwrap(), to(&mut expected));
    expected
}

/// Of all incidents.
pub(crate) fn of_incidents(tenant: &Tenant, namespace: &str) -> Expected {
    let mut expected = Expected::new();
    let mut mapper = Mapper::open("incident", &json!({"namespace": namespace}));
    mapper.push("incidents", incidents(&tenant.simulator.options().alerts).unwrap(), to(&mut expected));
    expected
}

/// Of all events of the hub, without the inventory, which depends on what came before.
pub(crate) fn of_events(tenant: &Tenant, namespace: &str) -> Expected {
    let mut expected = Expected::new();
    let mut mapper = Mapper::open("event", &json!({"namespace": namespace, "inventory": false}));
    let hub = tenant.simulator.event_hubs().hub("defender").unwrap();
    let events = hub.events().unwrap();
    let records = (0..events.count().unwrap()).map(|number| events.record(number).into_bytes());
    mapper.push("events", records, to(&mut expected));
    expected
}

/// Of all findings of the sync that began then.
pub(crate) fn of_vulnerabilities(tenant: &Tenant, namespace: &str, sync_start: &str) -> Expected {
    let mut expected = Expected::new();
    let mut mapper = Mapper::open("vulnerability", &json!({"namespace": namespace, "sync_start": sync_start}));
    let all = tenant.simulator.vulnerabilities();
    for (feed, records) in [
        ("machines", VulnerabilityRecords::Machines),
        ("vulnerabilities", VulnerabilityRecords::Vulnerabilities),
        ("products", VulnerabilityRecords::Products),
    ] {
        mapper.push(feed, all.records(records), to(&mut expected));
    }
    mapper.finish(to(&mut expected));
    expected
}
