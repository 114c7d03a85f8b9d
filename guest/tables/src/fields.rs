//! The fields of documents as Rust source, for programs that check or describe documents without the tables.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::{Ecs, Field, compile_guest, variable};

/// For `build.rs` of a host: writes `$OUT_DIR/fields.rs`, which fills statics with the fields of the pipelines `names` and
/// with the whole ECS list:
///
/// - `DATASETS: &[(&str, &[Field])]`, own fields by the name of their pipeline, each list sorted by path;
/// - `WRITTEN: &[(&str, &[Field])]`, the ECS fields that documents may have, in the same way; what they mean is said in
///   `pipelines/ecs/about.yml`;
/// - `RETENTION: &[(&str, Option<u16>)]`, the days for which documents are of use, by the name of their pipeline;
/// - `ECS: &[Field]`, sorted by path, with path and type only.
///
/// The program defines `struct Field { path, kind, about, of: &'static str, sources, rows: &'static [&'static str],
/// as_delivered, open: bool }` where it includes the file. `of` says whose field it is: `ECS`; `Elastic`, where only other
/// lists beside ECS have it; or `own`. The other members are those of [`Field`].
///
/// # Errors
///
/// The diagnostics of a table that is wrong, what could not be read or written, or which field nothing is said of.
pub fn build(names: &[&str]) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let pipelines = root.join("pipelines");
    let standard =
        fs::read_to_string(pipelines.join("ecs/fields.tsv")).map_err(|error| format!("fields.tsv: {error}"))?;
    let standard = Ecs::parse(&standard);
    let literal = |field: &Field| {
        let listed = if standard.kind(&field.path).is_some() { "ECS" } else { "Elastic" };
        self::literal(field, if field.ecs { listed } else { "own" })
    };
    let about = abouts(&pipelines.join("ecs/about.yml"))?;
    let mut used = BTreeSet::new();
    let (mut own_of, mut written_by, mut retention_of) = (String::new(), String::new(), String::new());
    for name in names {
        let mut fields: BTreeMap<String, Field> = BTreeMap::new();
        let mut retention = None;
        for (_, compiled) in compile_guest(&pipelines, &root.join("guest").join(name), name)? {
            retention = retention.max(compiled.retention());
            for field in compiled.fields() {
                match fields.get_mut(&field.path) {
                    Some(known) => merge(known, field)?,
                    None => {
                        fields.insert(field.path.clone(), field.clone());
                    }
                }
            }
        }
        for field in fields.values_mut().filter(|field| field.ecs) {
            let said = about.get(&field.path);
            let missing = || format!("ecs/about.yml: nothing is said of `{}`\n  one short sentence", field.path);
            field.about.clone_from(said.ok_or_else(missing)?);
            used.insert(field.path.clone());
        }
        let list = |ecs: bool| fields.values().filter(|field| field.ecs == ecs).map(literal).collect::<String>();
        own_of += &format!("({name:?}, &[\n{}]),\n", list(false));
        written_by += &format!("({name:?}, &[\n{}]),\n", list(true));
        retention_of += &format!("({name:?}, {retention:?}),\n");
    }
    if let Some(unused) = about.keys().find(|path| !used.contains(*path)) {
        return Err(format!("ecs/about.yml: no row writes `{unused}`\n  leave it out"));
    }
    let ecs = Ecs::load(&pipelines.join("ecs")).map_err(|wrong| wrong.to_string())?;
    let plain = |(path, kind): (&str, &str)| Field {
        path: path.to_owned(),
        kind: kind.to_owned(),
        about: String::new(),
        sources: Vec::new(),
        rows: Vec::new(),
        ecs: true,
        as_delivered: false,
        open: false,
    };
    let ecs: String = ecs.iter().map(plain).map(|field| literal(&field)).collect();
    let source = format!(
        "/// Own fields by pipeline.\nstatic DATASETS: &[(&str, &[Field])] = &[\n{own_of}];
/// ECS fields of documents by pipeline.\nstatic WRITTEN: &[(&str, &[Field])] = &[\n{written_by}];
/// Days of use by pipeline.\nstatic RETENTION: &[(&str, Option<u16>)] = &[\n{retention_of}];
/// Fields of the Elastic Common Schema.\nstatic ECS: &[Field] = &[\n{ecs}];\n"
    );
    let target = variable("OUT_DIR")?.join("fields.rs");
    fs::write(&target, source).map_err(|error| format!("writing {}: {error}", target.display()))
}

/// Adds what another table of the same documents says of a field.
fn merge(known: &mut Field, field: &Field) -> Result<(), String> {
    if known.kind != field.kind {
        return Err(format!("{}: {} in one pipeline, {} in another", field.path, known.kind, field.kind));
    }
    known.as_delivered |= field.as_delivered;
    known.open |= field.open;
    let add = |known: &mut Vec<String>, more: &[String]| {
        let new: Vec<String> = more.iter().filter(|one| !known.contains(one)).cloned().collect();
        known.extend(new);
    };
    add(&mut known.sources, &field.sources);
    add(&mut known.rows, &field.rows);
    Ok(())
}

/// What ECS fields mean, by path.
fn abouts(file: &Path) -> Result<BTreeMap<String, String>, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("reading {}: {error}", file.display()))?;
    serde_saphyr::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

fn literal(field: &Field, of: &str) -> String {
    let Field { path, kind, about, sources, rows, as_delivered, open, .. } = field;
    format!(
        "Field {{ path: {path:?}, kind: {kind:?}, about: {about:?}, of: {of:?}, sources: &{sources:?}, rows: &{rows:?}, \
         as_delivered: {as_delivered}, open: {open} }},\n"
    )
}
