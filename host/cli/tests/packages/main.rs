//! What is distributed beside the program (`host/packages`, `Dockerfile`): that it is consistent, and that the Debian package works where
//! there is nothing else. What takes tools or rights that are absent is skipped with a message.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, its helpers too"
)]

mod debian;
mod image;
mod kubernetes;
mod service;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap().join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a command that has to succeed; what it printed.
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output));
    text(&output)
}

fn is_there(tool: &str, option: &str) -> bool {
    Command::new(tool).arg(option).output().is_ok_and(|output| output.status.success())
}

fn skip(cause: &str) {
    // The macros' output is shown for tests that fail only.
    let _ = writeln!(std::io::stderr(), "skipped: {cause}");
}

/// `test config` of a text, with files of secrets in the folder that it names.
fn test_config(text: &str, folder: &Path, secrets: &[(&str, &str)]) {
    let config = folder.join("defenderbeat.yml");
    fs::write(&config, text).unwrap();
    for (name, value) in secrets {
        fs::write(folder.join(name), value).unwrap();
    }
    let mut program = Command::new(env!("CARGO_BIN_EXE_defenderbeat"));
    program.args(["test", "config", "-c"]).arg(&config).env("CREDENTIALS_DIRECTORY", folder);
    assert!(succeed(&mut program).contains("Config OK"));
}
