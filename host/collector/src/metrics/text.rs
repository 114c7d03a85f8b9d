//! Prometheus' text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::registry::{Registry, definitions};

impl Registry {
    /// All metrics in Prometheus' text format.
    pub fn text(&self) -> String {
        let mut lines: BTreeMap<&str, String> = BTreeMap::new();
        self.read(&mut |definition, labels, value| {
            let lines = lines.entry(definition.name).or_default();
            lines.push_str(definition.name);
            for (at, (label, value)) in labels.iter().enumerate() {
                // Infallible: a String takes any text.
                let _ = write!(lines, "{}{label}=\"{}\"", if at == 0 { '{' } else { ',' }, escape(value));
            }
            let end = if labels.is_empty() { "" } else { "}" };
            let _ = writeln!(lines, "{end} {value}");
        });
        let mut text = String::new();
        for definition in definitions() {
            let Some(lines) = lines.get(definition.name) else { continue };
            let help = definition.help.replace('\\', "\\\\");
            let _ = write!(text, "# HELP {0} {help}\n# TYPE {0} {1}\n{lines}", definition.name, definition.kind.name());
        }
        text
    }
}

/// A label's value. Names of drift are what a service sent, so anything may be in them.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
