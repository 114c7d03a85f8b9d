//! A run of the program with an output that discards: what that was, and how much memory the program took.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// What a run discarded.
pub(crate) struct Discarded {
    pub(crate) documents: u64,
    pub(crate) bytes: u64,
    /// Peak of the resident set in KiB; 0 where the system does not tell.
    pub(crate) peak: u64,
}

/// Runs it to its end.
pub(crate) fn run(command: &mut Command) -> Discarded {
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = process.stderr.take().unwrap();
    let said = thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });
    let mut peak = 0;
    let status = loop {
        if let Some(status) = process.try_wait().unwrap() {
            break status;
        }
        peak = resident(process.id()).unwrap_or(0).max(peak);
        thread::sleep(Duration::from_millis(5));
    };
    let said = said.join().unwrap();
    assert!(status.success(), "{said}");
    let (documents, bytes) = said.split_once("discarded ").unwrap().1.split_once(" documents of ").unwrap();
    let bytes = bytes.split(' ').next().unwrap();
    Discarded { documents: documents.parse().unwrap(), bytes: bytes.parse().unwrap(), peak }
}

/// The peak of a process's resident set so far, in KiB. None while it is not yet the program: until the system has put the
/// program in the place of the process that starts it, figures are those of this process, which holds whole tenants.
fn resident(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    // The name changes after the memory does.
    value("Name").filter(|name| *name == "defenderbeat")?;
    value("VmHWM")?.strip_suffix(" kB")?.parse().ok()
}
