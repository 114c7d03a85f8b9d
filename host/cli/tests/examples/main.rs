//! The components in other hosts (`host/examples`, `docs/playground`) give what they give in our sandbox: documents and receipts, byte for byte.
//! Where a host's tool is absent or cannot install what it needs, its tests are skipped with a message, but never in CI.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Output;

mod go;
mod node;
mod otel;
mod playground;
mod python;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Where an example is ready to run; none, with a message, where its tool is absent.
fn run_or_skip(project: &Result<PathBuf, String>) -> Option<&Path> {
    match project {
        Ok(project) => Some(project),
        Err(cause) => {
            let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
            assert!(!in_ci, "{cause}");
            // The macros' output is shown for tests that fail only.
            let _ = writeln!(std::io::stderr(), "skipped: {cause}");
            None
        }
    }
}
