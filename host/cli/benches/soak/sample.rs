//! What a process takes at a moment, and what it tells of itself.

use std::path::PathBuf;

use serde_json::Value;

use crate::asked::Asked;

/// Inputs whose lag is looked at. That of vulnerabilities grows until the next sync, as it has to.
const FOLLOWED: [&str; 3] = ["alerts", "incidents", "events"];

pub(crate) struct Sample {
    /// Resident memory, in MiB.
    pub(crate) memory: f64,
    pub(crate) files: f64,
    pub(crate) threads: f64,
    /// None where it did not answer.
    pub(crate) told: Option<Told>,
}

/// What `/stats` says of inputs together.
pub(crate) struct Told {
    /// The largest of all that it leads, in seconds.
    pub(crate) lag: f64,
    /// Messages behind, in all partitions that it has.
    pub(crate) messages: f64,
    /// Records since its start that could not become documents.
    pub(crate) rejected: u64,
}

impl Sample {
    /// Of a process that is there; one that answers is asked.
    pub(crate) fn take(process: u32, asked: Option<&Asked>) -> Self {
        let folder = PathBuf::from(format!("/proc/{process}"));
        let status = std::fs::read_to_string(folder.join("status")).unwrap();
        let value = |name: &str| -> f64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap_or_default()
        };
        let files = std::fs::read_dir(folder.join("fd")).map_or(0, Iterator::count);
        let told = asked.map(|asked| Told::read(&serde_json::from_str(&asked.get("/stats").1).unwrap()));
        Self { memory: value("VmRSS") / 1024.0, files: files as f64, threads: value("Threads"), told }
    }
}

impl Told {
    fn read(stats: &Value) -> Self {
        let inputs: Vec<(&String, &Value)> = stats["inputs"].as_object().unwrap().iter().collect();
        let rejected = inputs.iter().filter_map(|(_, input)| input["rejected"].as_u64()).sum();
        let led = inputs.iter().filter(|(id, input)| FOLLOWED.contains(&id.as_str()) && input["leads"] != 0);
        Self {
            lag: led.filter_map(|(_, input)| input["lag_seconds"].as_f64()).fold(0.0, f64::max),
            messages: stats["inputs"]["events"]["lag_messages"].as_f64().unwrap_or_default(),
            rejected,
        }
    }
}
