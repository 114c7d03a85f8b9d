//! Compiles `pipelines/*.yml`, the reviewable source of the mapping, into const tables for `defenderbeat-mapping`.
//!
//! The format is described in `pipelines/README.md`. A guest's `build.rs` calls [`build`]; a table that is wrong fails
//! the build with file, line and a hint. The same model gives the [`Field`]s that documents may have: golden files are
//! validated with them, and index templates and the field reference are made of them.

mod compile;
mod compiled;
mod conversion;
mod diagnostics;
mod ecs;
mod fields;
mod generate;
mod model;
mod path;
mod places;
mod scope;

use std::fs;
use std::path::{Path, PathBuf};

pub use compiled::Compiled;
pub use diagnostics::{Diagnostic, Diagnostics};
pub use ecs::Ecs;
pub use fields::build as build_fields;

/// A field that documents may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Full path.
    pub path: String,
    /// Elasticsearch type.
    pub kind: String,
    /// What it means; empty for ECS fields, of which `pipelines/ecs/about.yml` says it.
    pub about: String,
    /// Source paths it is made of, those of fields that rows copy included.
    pub sources: Vec<String>,
    /// The rows that give it a value, such as `event/device.yml:12`; none where the engine does.
    pub rows: Vec<String>,
    /// Whether ECS defines it.
    pub ecs: bool,
    /// Whether values are copied as the source delivers them; dates are in any ISO 8601 form then.
    pub as_delivered: bool,
    /// Whether its objects may hold keys that no row names.
    pub open: bool,
}

/// Where the functions that rows name are defined: folders of Rust modules.
#[derive(Clone, Debug, Default)]
pub struct Functions(Vec<String>);

impl Functions {
    /// The public functions of each folder, as `module::function`.
    pub fn scan(folders: &[PathBuf]) -> Self {
        let mut names = Vec::new();
        let Ok(signature) = regex::Regex::new(r"(?m)^pub(?:\(crate\))? fn (\w+)<'r>\(") else { return Self(names) };
        for folder in folders {
            for file in files(folder) {
                let module = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
                let text = fs::read_to_string(&file).unwrap_or_default();
                names.extend(
                    signature
                        .captures_iter(&text)
                        .filter_map(|found| Some(format!("{module}::{}", found.get(1)?.as_str()))),
                );
            }
        }
        Self(names)
    }
}

/// Compiles the pipeline in `file`, with its includes; the ECS lists lie in `ecs` beside it or one folder up.
///
/// # Errors
///
/// All that is wrong with the tables, each with file, line and a hint.
pub fn compile(file: &Path, functions: &Functions) -> Result<Compiled, Diagnostics> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let beside = folder.join("ecs");
    let root = if beside.is_dir() { folder.to_owned() } else { folder.join("..") };
    let ecs = Ecs::load(&root.join("ecs"))?;
    compile::compile(file, &root, &ecs, functions)
}

/// For `build.rs` of a guest: compiles `../../pipelines/<name>.yml` into `$OUT_DIR/<name>.rs`, which defines
/// `static TABLE: Table`, and tells cargo which files it depends on. Where `../../pipelines/<name>` is a folder, each of
/// its files becomes a module with a `TABLE`, and `DIGEST` is the digest of all. Functions are looked for in the guest's
/// `src/functions` and in those that come with the engine.
///
/// # Errors
///
/// The diagnostics, one a paragraph.
pub fn build(name: &str) -> Result<(), String> {
    let guest = variable("CARGO_MANIFEST_DIR")?;
    let pipelines = compile_guest(&guest.join("../../pipelines"), &guest, name)?;
    let rust = match pipelines.as_slice() {
        [(stem, only)] if stem == name => only.rust(),
        several => {
            let modules = several.iter().map(|(stem, compiled)| {
                format!("/// The table of `{stem}.yml`.\npub mod {stem} {{\n{}}}\n", compiled.rust())
            });
            let digests: String = several.iter().map(|(_, compiled)| compiled.digest()).collect();
            let digest = xxhash_rust::xxh3::xxh3_128(digests.as_bytes());
            let modules: String = modules.collect();
            format!("{modules}/// Digest of all tables.\npub const DIGEST: &str = \"{digest:032x}\";\n")
        }
    };
    let target = variable("OUT_DIR")?.join(format!("{name}.rs"));
    fs::write(&target, rust).map_err(|error| format!("writing {}: {error}", target.display()))
}

/// Compiles the pipelines of the guest whose crate lies in `guest`, by the stems of their files, and tells cargo what
/// that depends on.
#[allow(clippy::print_stdout, reason = "cargo reads the output of build scripts")]
fn compile_guest(pipelines: &Path, guest: &Path, name: &str) -> Result<Vec<(String, Compiled)>, String> {
    let own = guest.join("src/functions");
    let common = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mapping/src/functions");
    let functions = Functions::scan(&[own.clone(), common.clone()]);
    for path in [pipelines, &own, &common] {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let single = pipelines.join(format!("{name}.yml"));
    let files = if single.is_file() { vec![single] } else { files(&pipelines.join(name)) };
    if files.is_empty() {
        return Err(format!("{}/{name}: no pipeline is there", pipelines.display()));
    }
    files
        .into_iter()
        .map(|file| {
            let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            compile(&file, &functions).map(|compiled| (stem, compiled)).map_err(|wrong| wrong.to_string())
        })
        .collect()
}

/// The files of a folder, sorted by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

fn variable(name: &str) -> Result<PathBuf, String> {
    std::env::var_os(name).map(PathBuf::from).ok_or(format!("{name} is not set: call this from build.rs"))
}
