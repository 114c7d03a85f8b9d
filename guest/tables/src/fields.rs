//! The fields of documents as Rust source, for programs that check documents without the tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::{Ecs, Field, compile_guest, variable};

/// For `build.rs` of a host: writes `$OUT_DIR/fields.rs`, which fills two statics with the fields of the pipelines
/// `names` and with the whole ECS list:
///
/// - `DATASETS: &[(&str, &[Field])]`, own fields by the name of their pipeline, each list sorted by path;
/// - `ECS: &[Field]`, sorted by path.
///
/// The program defines `struct Field { path, kind: &'static str, as_delivered, open: bool }` where it includes the file.
///
/// # Errors
///
/// The diagnostics of a table that is wrong, or what could not be read or written.
pub fn build(names: &[&str]) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let pipelines = root.join("pipelines");
    let mut source = String::from("/// Own fields by pipeline.\nstatic DATASETS: &[(&str, &[Field])] = &[\n");
    for name in names {
        let mut own: BTreeMap<String, Field> = BTreeMap::new();
        for (_, compiled) in compile_guest(&pipelines, &root.join("guest").join(name), name)? {
            for field in compiled.fields().iter().filter(|field| !field.ecs) {
                let known = own.entry(field.path.clone()).or_insert_with(|| field.clone());
                if known.kind != field.kind {
                    return Err(format!("{}: {} in one pipeline, {} in another", field.path, known.kind, field.kind));
                }
                known.as_delivered |= field.as_delivered;
                known.open |= field.open;
            }
        }
        let fields: String =
            own.values().map(|field| literal(&field.path, &field.kind, field.as_delivered, field.open)).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(source, "({name:?}, &[\n{fields}]),");
    }
    let ecs = Ecs::load(&pipelines.join("ecs")).map_err(|wrong| wrong.to_string())?;
    let fields: String = ecs.iter().map(|(path, kind)| literal(path, kind, false, false)).collect();
    let _ = writeln!(source, "];\n/// Fields of the Elastic Common Schema.\nstatic ECS: &[Field] = &[\n{fields}];");
    let target = variable("OUT_DIR")?.join("fields.rs");
    fs::write(&target, source).map_err(|error| format!("writing {}: {error}", target.display()))
}

fn literal(path: &str, kind: &str, as_delivered: bool, open: bool) -> String {
    format!("Field {{ path: {path:?}, kind: {kind:?}, as_delivered: {as_delivered}, open: {open} }},\n")
}
