//! The fields of documents as Rust source, for programs that check documents without the tables.

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
        let compiled = compile_guest(&pipelines, &root.join("guest").join(name), name)?;
        let own = compiled.fields().iter().filter(|field| !field.ecs);
        let fields: String = own.map(|field| literal(&field.path, &field.kind, Some(field))).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(source, "({name:?}, &[\n{fields}]),");
    }
    let ecs = Ecs::load(&pipelines.join("ecs/fields.tsv")).map_err(|wrong| wrong.to_string())?;
    let fields: String = ecs.iter().map(|(path, kind)| literal(path, kind, None)).collect();
    let _ = writeln!(source, "];\n/// Fields of the Elastic Common Schema.\nstatic ECS: &[Field] = &[\n{fields}];");
    let target = variable("OUT_DIR")?.join("fields.rs");
    fs::write(&target, source).map_err(|error| format!("writing {}: {error}", target.display()))
}

fn literal(path: &str, kind: &str, field: Option<&Field>) -> String {
    let (as_delivered, open) = field.map_or((false, false), |field| (field.as_delivered, field.open));
    format!("Field {{ path: {path:?}, kind: {kind:?}, as_delivered: {as_delivered}, open: {open} }},\n")
}
