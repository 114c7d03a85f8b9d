//! All metrics of a process.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Instant;

use super::measure::{Counter, Definition};
use super::{Metrics, OutputMetrics, process};
use crate::config::{Agent, Config, Input, Kind};

/// All metrics there are, in the order in which they are told.
pub fn definitions() -> impl Iterator<Item = &'static Definition> {
    Metrics::DEFINITIONS.iter().chain(OutputMetrics::DEFINITIONS).chain(process::DEFINITIONS)
}

/// All metrics of a process. Inputs come and go with its configuration.
#[derive(Debug)]
pub struct Registry {
    /// When the process began, milliseconds since 1970-01-01T00:00:00Z.
    pub(super) began: i64,
    inputs: RwLock<BTreeMap<String, InputMetrics>>,
    pub(super) output: Arc<OutputMetrics>,
    /// The output's name in the configuration.
    pub(super) output_type: &'static str,
    /// Who collects, once that is known: `agent.ephemeral_id` of documents.
    pub(super) ephemeral_id: OnceLock<String>,
    /// Times that the configuration was read again and taken.
    pub(crate) reloads: Counter,
    /// Times that it was read again and refused.
    pub(crate) failed_reloads: Counter,
}

/// The metrics of one input.
#[derive(Clone, Debug)]
pub struct InputMetrics {
    /// What it collects.
    pub kind: Kind,
    /// Its counts.
    pub metrics: Arc<Metrics>,
}

/// Takes a metric, its labels with their values, and its value.
type Take<'a> = dyn FnMut(&'static Definition, &[(&str, &str)], f64) + 'a;

impl Registry {
    /// For the inputs of a configuration that are enabled.
    pub fn new(config: &Config) -> Arc<Self> {
        let registry = Self {
            began: chrono::Utc::now().timestamp_millis(),
            inputs: RwLock::default(),
            output: Arc::default(),
            output_type: config.output.name(),
            ephemeral_id: OnceLock::new(),
            reloads: Counter::default(),
            failed_reloads: Counter::default(),
        };
        config.inputs.iter().filter(|input| input.enabled).for_each(|input| registry.add(input));
        Arc::new(registry)
    }

    /// The inputs of now, by their ids.
    pub fn inputs(&self) -> BTreeMap<String, InputMetrics> {
        self.inputs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins to count for an input; one of this id counts on.
    pub(crate) fn add(&self, input: &Input) {
        let mut inputs = self.inputs.write().unwrap_or_else(PoisonError::into_inner);
        let new = || InputMetrics { kind: input.kind, metrics: Arc::default() };
        let metrics = inputs.entry(input.id.clone()).or_insert_with(new);
        if metrics.kind != input.kind {
            *metrics = new();
        }
        metrics.metrics.health.begin(3 * input.interval());
    }

    /// Forgets an input.
    pub(crate) fn remove(&self, id: &str) {
        self.inputs.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// The output.
    pub fn output(&self) -> &Arc<OutputMetrics> {
        &self.output
    }

    /// Notes who collects.
    pub(crate) fn collects_as(&self, agent: &Agent) {
        // Once a process.
        let _ = self.ephemeral_id.set(agent.ephemeral_id.clone());
    }

    /// The counts of an input.
    pub(crate) fn input(&self, id: &str) -> Arc<Metrics> {
        self.inputs().get(id).map(|input| input.metrics.clone()).unwrap_or_default()
    }

    /// Why the process does not do what it is there for; nothing where it does.
    pub fn reasons(&self) -> Vec<String> {
        let of_input = |(id, input): (&String, &InputMetrics)| {
            let reasons = input.metrics.health.reasons().into_iter();
            reasons.map(|reason| format!("input {id} {reason}")).collect::<Vec<_>>()
        };
        let output = self.output.health.reasons().into_iter().map(|reason| format!("the output {reason}"));
        self.inputs().iter().flat_map(of_input).chain(output).collect()
    }

    /// Measures what is an average over time; to be called every second or so.
    pub(crate) fn observe(&self) {
        let now = Instant::now();
        for InputMetrics { metrics, .. } in self.inputs().values() {
            metrics.rate.set(metrics.rate_of_records.observe(now, metrics.records.get()));
        }
        let output = &self.output;
        output.rate.set(output.rate_of_documents.observe(now, output.delivered.get()));
    }

    /// Gives all values there are: the metric, its labels with their values, and the value.
    pub(super) fn read(&self, take: &mut Take<'_>) {
        for (id, InputMetrics { kind, metrics }) in &self.inputs() {
            metrics.read(&mut |definition, own, value| {
                let labels = [("input", id.as_str()), ("type", kind.name())];
                take(definition, &with(&labels, definition, own), value);
            });
        }
        let labels = [("output", self.output_type)];
        self.output.read(&mut |definition, own, value| take(definition, &with(&labels, definition, own), value));
        let mut process = process::DEFINITIONS.iter();
        let values = [
            Some(1.0),
            Some(self.began as f64 / 1e3),
            process::resident().map(|bytes| bytes as f64),
            process::open_files().map(|files| files as f64),
            Some(self.reloads.get() as f64),
            Some(self.failed_reloads.get() as f64),
        ];
        for (definition, value) in process.by_ref().zip(values) {
            let own = definition.own_label.map(|label| (label, env!("CARGO_PKG_VERSION")));
            if let Some(value) = value {
                take(definition, own.as_slice(), value);
            }
        }
    }
}

fn with<'a>(
    labels: &[(&'a str, &'a str)],
    definition: &'static Definition,
    own: Option<&'a str>,
) -> Vec<(&'a str, &'a str)> {
    labels.iter().copied().chain(definition.own_label.zip(own)).collect()
}
