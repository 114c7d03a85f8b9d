//! The components of defenderbeat in a program of one's own: maps a payload, runs golden cases, measures pushes.

mod bench;
mod golden;
mod lookups;
mod transform;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use defenderbeat_runtime::{Component, Engine, Options};

#[derive(Parser)]
enum Command {
    /// Maps one payload from stdin to documents on stdout, one a line; what became of its records goes to stderr. Exit status:
    /// 0; 1 when it failed; 2 for wrong usage or settings; 3 when records were rejected.
    Transform(transform::Arguments),
    /// Runs the golden cases below a folder and says which differ, in documents or in their receipt.
    Golden(golden::Arguments),
    /// Measures pushes of NDJSON: prints documents, their bytes, and the seconds that pushing took.
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Transform(arguments) => transform::run(arguments),
        Command::Golden(arguments) => golden::run(&arguments),
        Command::Bench(arguments) => bench::run(arguments),
    };
    done.unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::FAILURE
    })
}

/// Compiles a component in an engine of its own, whose calls have deadlines.
fn compile(file: &Path) -> Result<Component> {
    let wasm = fs::read(file).with_context(|| format!("reading component {}", file.display()))?;
    let engine = Engine::new(Options::default())?;
    Component::compile(&engine, &wasm).with_context(|| format!("component {}", file.display()))
}
