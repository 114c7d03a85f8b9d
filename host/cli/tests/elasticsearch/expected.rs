//! What `transform` makes of the tenant's records: their documents, by id.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use defenderbeat_collector::lookup::Data;
use defenderbeat_runtime::{
    Batch, Bytes, Component, Engine, Options, Part, Pipeline, Setup, SinkError, Transform as _,
};
use defenderbeat_simulator::{VulnerabilityRecords, alerts, incidents};
use serde_json::{Value, json};

use crate::comparison::{Digest, digest};
use crate::program::Tenant;

/// Records that are mapped at a time.
const BATCH: usize = 256;

/// Documents by their ids.
pub(crate) type Expected = HashMap<u128, Digest>;

/// A component as `transform` opens it, for one namespace.
struct Mapper {
    pipeline: Pipeline,
    expected: Expected,
}

impl Mapper {
    fn open(component: &str, settings: &Value) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/components").join(component);
        let [wasm, code] =
            ["wasm", "cwasm"].map(|kind| std::fs::read(file.with_extension(kind)).expect("run `make components`"));
        let engine = Engine::new(Options::default()).unwrap();
        #[allow(unsafe_code, reason = "the code is what the program embeds")]
        // SAFETY: `make components` made it of the component, by `Engine::precompile`.
        let component = unsafe { Component::precompiled(&engine, &code, &wasm) }.unwrap();
        let setup = Setup::new(settings.to_string()).with_lookup(Arc::new(Data::default()));
        Self { pipeline: Pipeline::open(&component, setup).unwrap(), expected: Expected::new() }
    }

    fn push(&mut self, feed: &str, records: impl Iterator<Item = Vec<u8>>) {
        let mut records = records.map(Bytes::from).peekable();
        while records.peek().is_some() {
            let payloads = records.by_ref().take(BATCH).collect();
            let batch = Batch { feed: feed.to_owned(), received_at: 0, payloads };
            let receipt = self.pipeline.push(&batch, &mut |part| add(&mut self.expected, &part)).unwrap();
            assert_eq!(receipt.rejects, []);
        }
    }
}

fn add(expected: &mut Expected, part: &Part) -> Result<(), SinkError> {
    for (document, bytes) in part.iter() {
        expected.insert(document.id, digest(serde_json::from_slice(&bytes).unwrap()));
    }
    Ok(())
}

/// Of all alerts.
pub(crate) fn of_alerts(tenant: &Tenant, namespace: &str) -> Expected {
    let mut mapper = Mapper::open("alert", &json!({"namespace": namespace}));
    mapper.push("alerts", alerts(&tenant.simulator.options().alerts).unwrap());
    mapper.expected
}

/// Of all incidents.
pub(crate) fn of_incidents(tenant: &Tenant, namespace: &str) -> Expected {
    let mut mapper = Mapper::open("incident", &json!({"namespace": namespace}));
    mapper.push("incidents", incidents(&tenant.simulator.options().alerts).unwrap());
    mapper.expected
}

/// Of all events of the hub, without the inventory, which depends on what came before.
pub(crate) fn of_events(tenant: &Tenant, namespace: &str) -> Expected {
    let mut mapper = Mapper::open("event", &json!({"namespace": namespace, "inventory": false}));
    let hub = tenant.simulator.event_hubs().hub("defender").unwrap();
    let events = hub.events().unwrap();
    mapper.push("events", (0..events.count().unwrap()).map(|number| events.record(number).into_bytes()));
    mapper.expected
}

/// Of all findings of the sync that began then.
pub(crate) fn of_vulnerabilities(tenant: &Tenant, namespace: &str, sync_start: &str) -> Expected {
    let mut mapper = Mapper::open("vulnerability", &json!({"namespace": namespace, "sync_start": sync_start}));
    let all = tenant.simulator.vulnerabilities();
    mapper.push("machines", all.records(VulnerabilityRecords::Machines));
    mapper.push("vulnerabilities", all.records(VulnerabilityRecords::Vulnerabilities));
    mapper.push("products", all.records(VulnerabilityRecords::Products));
    let Mapper { mut pipeline, mut expected } = mapper;
    pipeline.finish(&mut |part| add(&mut expected, &part)).unwrap();
    expected
}
