//! Example documents: what the component makes of a sample record.

use anyhow::{Context, Result, ensure};
use defenderbeat_runtime::{Batch, Bytes, Engine, Part, Pipeline, Setup, Transform};
use serde_json::Value;

use crate::components;

/// When the samples were received: 2025-01-01T00:00:00Z.
const RECEIVED_AT: i64 = 1_735_689_600_000;

/// A sample record by dataset, for the component's first feed.
const SAMPLES: [(&str, &[u8]); 4] = [
    ("alert", include_bytes!("../../../../testdata/alert/switch-neither.ndjson")),
    ("incident", include_bytes!("../../../../testdata/incident/all-properties.ndjson")),
    ("event", include_bytes!("../../../../testdata/event/table-device-process-events.ndjson")),
    ("vulnerability", include_bytes!("../../../../testdata/vulnerability/correlated-duplicates.ndjson")),
];

/// The data stream's dataset, and the first document that is made of the sample.
pub(super) fn make(engine: &Engine, dataset: &str) -> Result<(String, Value)> {
    let (_, sample) = SAMPLES.iter().find(|(name, _)| *name == dataset).context("there is no sample")?;
    let component = components::load(engine, dataset, None)?;
    let descriptor = component.descriptor();
    let feed = descriptor.feeds.first().context("the component has no feed")?.name.clone();
    let route = descriptor.routes.first().context("the component has no data stream")?.clone();
    let mut ndjson = Vec::new();
    let mut pipeline = Pipeline::open(&component, Setup::default())?;
    let batch = Batch { feed, received_at: RECEIVED_AT, payloads: vec![Bytes::from_static(sample)] };
    pipeline.push(&batch, &mut |part: Part| {
        ndjson.extend_from_slice(&part.ndjson);
        Ok(())
    })?;
    let line = ndjson.split(|byte| *byte == b'\n').next().unwrap_or_default();
    ensure!(!line.is_empty(), "the component makes no document of the sample");
    Ok((route, serde_json::from_slice(line)?))
}
