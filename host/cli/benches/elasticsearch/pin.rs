//! Keeps processes to a core.

use std::process::{Command, Stdio};

/// The core of Elasticsearch.
pub(crate) const FIRST: usize = 0;
/// The core of all else.
pub(crate) const SECOND: usize = 1;

/// The same command on one core.
pub(crate) fn on(core: usize, command: &Command) -> Command {
    let mut pinned = Command::new("taskset");
    pinned.args(["--cpu-list", &core.to_string()]).arg(command.get_program()).args(command.get_args());
    pinned
}

/// Keeps this process to a core.
pub(crate) fn this(core: usize) {
    let this = std::process::id().to_string();
    let status = Command::new("taskset").args(["-acp", &core.to_string(), &this]).stdout(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "taskset (util-linux) keeps this process to a core");
}
