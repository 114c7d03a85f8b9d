//! The same metrics as JSON, in the manner of Beats' `/stats`.

use serde_json::{Map, Value as Json, json};

use super::measure::Definition;
use super::process;
use super::registry::Registry;

impl Registry {
    /// All metrics as JSON: `beat.info` and `beat.memstats` as Beats have them, `inputs` by id, and `output`. Members are called
    /// as the metrics are, without `defenderbeat_input_`, `defenderbeat_output_` and `_total`.
    pub fn stats(&self) -> Json {
        let mut inputs = Map::new();
        for (id, input) in &self.inputs() {
            let metrics = &input.metrics;
            let mut stats = Map::from_iter([("type".to_owned(), input.kind.name().into())]);
            metrics.read(&mut |definition, own, value| add(&mut stats, definition, own, value));
            stats.insert("failing".into(), metrics.health.reasons().into());
            if let Some(sync) = metrics.last_sync() {
                stats.insert("last_sync".into(), sync.to_string().into());
            }
            inputs.insert(id.clone(), stats.into());
        }
        let mut output = Map::from_iter([("type".to_owned(), self.output_type.into())]);
        self.output.read(&mut |definition, own, value| add(&mut output, definition, own, value));
        output.insert("failing".into(), self.output.health.reasons().into());
        let uptime = chrono::Utc::now().timestamp_millis().saturating_sub(self.began);
        json!({
            "beat": {
                "info": {
                    "name": "defenderbeat",
                    "version": env!("CARGO_PKG_VERSION"),
                    "ephemeral_id": self.ephemeral_id.get(),
                    "uptime": { "ms": uptime },
                },
                "memstats": { "rss": process::resident() },
                "handles": { "open": process::open_files() },
            },
            "inputs": inputs,
            "output": output,
        })
    }
}

fn add(stats: &mut Map<String, Json>, definition: &Definition, own: Option<&str>, value: f64) {
    let name = definition.name;
    let name = ["defenderbeat_input_", "defenderbeat_output_"].iter().find_map(|of| name.strip_prefix(of));
    let name = name.unwrap_or(definition.name);
    let name = name.strip_suffix("_total").unwrap_or(name);
    // Whole numbers are written as such, so far as a double tells them.
    let value = if value.fract() == 0.0 && value.abs() < 9e15 { json!(value as i64) } else { json!(value) };
    match own {
        None => _ = stats.insert(name.to_owned(), value),
        Some(own) => {
            let of_name = stats.entry(name).or_insert_with(|| Json::Object(Map::new()));
            if let Some(of_name) = of_name.as_object_mut() {
                of_name.insert(own.to_owned(), value);
            }
        }
    }
}
