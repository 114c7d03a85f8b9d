//! The fields of documents as Rust source, for programs that check documents without the tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::{Ecs, Field, compile_guest, variable};

/// For `build.rs` of a host: writes `$OUT_DIR/fields.rs`, which fills statics with the fields of the pipelines `names` and
/// with the whole ECS list:
///
/// - `DATASETS: &[(&str, &[Field])]`, own fields by the name of their pipeline, each list sorted by path;
/// - `WRITTEN: &[(&str, &[&str])]`, the ECS fields that documents may have, by the name of their pipeline, sorted;
/// - `RETENTION: &[(&str, Option<u16>)]`, the days for which documents are of use, by the name of their pipeline;
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
    let ecs = Ecs::load(&pipelines.join("ecs")).map_err(|wrong| wrong.to_string())?;
    let mut source = String::from("/// Own fields by pipeline.\nstatic DATASETS: &[(&str, &[Field])] = &[\n");
    let (mut written_by, mut retention_of) = (String::new(), String::new());
    for name in names {
        let mut own: BTreeMap<String, Field> = BTreeMap::new();
        // What the shipper adds, which rows do not name.
        let mut written: BTreeSet<String> =
            ecs.iter().map(|(path, _)| path.to_owned()).filter(|path| path.starts_with("agent.")).collect();
        let mut retention = None;
        for (_, compiled) in compile_guest(&pipelines, &root.join("guest").join(name), name)? {
            written.extend(compiled.fields().iter().filter(|field| field.ecs).map(|field| field.path.clone()));
            retention = retention.max(compiled.retention());
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
        let _ = writeln!(written_by, "({name:?}, &{:?}),", written.iter().collect::<Vec<_>>());
        let _ = writeln!(retention_of, "({name:?}, {retention:?}),");
    }
    let _ = writeln!(
        source,
        "];\n/// ECS fields of documents by pipeline.\nstatic WRITTEN: &[(&str, &[&str])] = &[\n{written_by}];"
    );
    let _ =
        writeln!(source, "/// Days of use by pipeline.\nstatic RETENTION: &[(&str, Option<u16>)] = &[\n{retention_of}");
    let fields: String = ecs.iter().map(|(path, kind)| literal(path, kind, false, false)).collect();
    let _ = writeln!(source, "];\n/// Fields of the Elastic Common Schema.\nstatic ECS: &[Field] = &[\n{fields}];");
    let target = variable("OUT_DIR")?.join("fields.rs");
    fs::write(&target, source).map_err(|error| format!("writing {}: {error}", target.display()))
}

fn literal(path: &str, kind: &str, as_delivered: bool, open: bool) -> String {
    format!("Field {{ path: {path:?}, kind: {kind:?}, as_delivered: {as_delivered}, open: {open} }},\n")
}
