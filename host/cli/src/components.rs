//! The components that are part of this program.

use anyhow::{Context, Result};
use defenderbeat_runtime::{Component, Engine};
use std::path::Path;

/// A component, and the machine code that was made of it at build time.
struct Embedded {
    dataset: &'static str,
    wasm: &'static [u8],
    code: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Data streams, in the order in which help names them.
pub(crate) const DATASETS: [&str; 4] = ["alert", "incident", "event", "vulnerability"];

/// Loads the component of a dataset: the one in `file`, or the one that is part of this program.
pub(crate) fn load(engine: &Engine, dataset: &str, file: Option<&Path>) -> Result<Component> {
    if let Some(file) = file {
        let wasm = std::fs::read(file).with_context(|| format!("reading component {}", file.display()))?;
        return Component::compile(engine, &wasm).with_context(|| format!("component {}", file.display()));
    }
    let embedded = EMBEDDED.iter().find(|embedded| embedded.dataset == dataset);
    let embedded = embedded.with_context(|| format!("there is no component {dataset}"))?;
    precompiled(engine, embedded).with_context(|| format!("embedded component {dataset}"))
}

#[allow(unsafe_code, reason = "the code is part of this program, as `Component::precompiled` asks")]
fn precompiled(engine: &Engine, embedded: &Embedded) -> defenderbeat_runtime::Result<Component> {
    // SAFETY: build.rs embeds what `Engine::precompile` made when the program was built.
    unsafe { Component::precompiled(engine, embedded.code, embedded.wasm) }
}

/// Datasets that have a component in this program.
pub(crate) fn names() -> Vec<&'static str> {
    EMBEDDED.iter().map(|embedded| embedded.dataset).collect()
}
