//! Turns guest core modules into components, and components into machine code for the target's baseline CPU.
//!
//! For each module: `<name>.core.wasm` (the module), `<name>.wasm` (the component) and, where asked for, `<name>.cwasm`
//! (the component precompiled). The same modules give the same bytes; a file whose bytes stay is not touched, so that
//! nothing is built again that embeds it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context, Result};
use clap::Parser;
use defenderbeat_runtime::{Engine, Options};
use wit_component::ComponentEncoder;

#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    /// Where the components go.
    #[arg(long, value_name = "DIR", default_value = "target/components")]
    out: PathBuf,
    /// Modules whose components are also precompiled for the target's baseline CPU.
    #[arg(long, value_name = "NAME")]
    precompile: Vec<String>,
    /// Modules, as `NAME=FILE`.
    #[arg(required = true, value_name = "NAME=FILE", value_parser = module)]
    modules: Vec<Module>,
}

#[derive(Clone)]
struct Module {
    name: String,
    file: PathBuf,
}

fn module(text: &str) -> Result<Module, String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok(Module { name: name.to_owned(), file: file.into() })
        }
        _ => Err("expected NAME=FILE".to_owned()),
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    for Module { name, file } in &arguments.modules {
        let precompile = arguments.precompile.contains(name);
        componentize(name, file, &arguments.out, precompile)
            .with_context(|| format!("componentizing {}", file.display()))?;
    }
    Ok(())
}

fn componentize(name: &str, file: &Path, out: &Path, precompile: bool) -> Result<()> {
    let core = read(file)?;
    let bytes = ComponentEncoder::default()
        .module(&core)
        .context("the module carries no component type: was it built on defenderbeat_sdk?")?
        .validate(true)
        .encode()?;
    write(&out.join(format!("{name}.wasm")), &bytes)?;
    if precompile {
        // Compiled each time, because a newer wasmtime gives other code for the same component.
        let code = Engine::new(Options::default())?.precompile(&bytes)?;
        write(&out.join(format!("{name}.cwasm")), &code)?;
    }
    write(&out.join(format!("{name}.core.wasm")), &core)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("reading {}", file.display()))
}

/// Writes a file whole or not at all, and leaves one alone that holds the same bytes.
fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(file).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let replace = || -> io::Result<()> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        let new = file.with_added_extension("new");
        fs::write(&new, bytes)?;
        fs::rename(&new, file)
    };
    replace().with_context(|| format!("writing {}", file.display()))
}
