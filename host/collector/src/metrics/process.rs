//! The process itself; what all processes have by the names that Prometheus' own clients use.

use super::measure::{Definition, Kind};

/// Metrics of the process. Where the system does not tell, they have no values.
pub(super) const DEFINITIONS: &[Definition] = &[
    gauge("defenderbeat_build_info", "", Some("version"), "Always 1; the version is the label's value."),
    gauge("process_start_time_seconds", "seconds", None, "When the process began, since 1970-01-01T00:00:00Z."),
    gauge("process_resident_memory_bytes", "bytes", None, "Memory that the process has in RAM. Linux only."),
    gauge("process_open_fds", "files", None, "Files and connections that are open. Linux only."),
    counter("defenderbeat_config_reloads_total", "reloads", "Times that the configuration was read again and taken."),
    counter(
        "defenderbeat_config_reload_failures_total",
        "reloads",
        "Times that the configuration was read again and refused: what ran before runs on.",
    ),
];

const fn gauge(
    name: &'static str,
    unit: &'static str,
    own_label: Option<&'static str>,
    help: &'static str,
) -> Definition {
    Definition { name, kind: Kind::Gauge, unit, labels: &[], own_label, help }
}

const fn counter(name: &'static str, unit: &'static str, help: &'static str) -> Definition {
    Definition { name, kind: Kind::Counter, unit, labels: &[], own_label: None, help }
}

/// Memory in RAM, in bytes.
pub(super) fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Files that are open.
pub(super) fn open_files() -> Option<usize> {
    // The folder that is read is one of them.
    std::fs::read_dir("/proc/self/fd").ok().map(|files| files.count().saturating_sub(1))
}
