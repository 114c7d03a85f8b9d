//! The program, made of the rows of the same table that our own mapping is made of.
//!
//! It moves and converts what the rows move and convert, for columns that some record of the category has. What Rust functions
//! of the rows do is left out: no splitting of command lines, no categories by rules, no lookups, no identity, no `unmapped`.
//! The fields that they fill are filled with their first source instead, so that documents have about the same size. Own fields
//! that an ECS field repeats are written too, as our own mapping does with `preserve_duplicate_custom_fields`.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use defenderbeat_tables::{Field, Functions, compile};
use serde_json::Value;

/// The column that is an object as text.
const ADDITIONAL: &str = "properties.AdditionalFields";

/// What every document has, whatever its record says.
const CONSTANTS: &str = r#"
.out.event.kind = "event"
.out.event.module = "m365_defender"
.out.event.dataset = "m365_defender.event"
.out.data_stream.type = "logs"
.out.data_stream.dataset = "m365_defender.event"
.out.data_stream.namespace = "default"
.out.ecs.version = "8.11.0"
. = compact(.out)
"#;

/// The program that maps these records by the table in `file`: a branch for each category.
pub(crate) fn of(file: &Path, records: &[&[u8]]) -> Result<String, Box<dyn Error>> {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for record in records {
        let record: Value = serde_json::from_slice(record)?;
        let category = record.get("category").and_then(Value::as_str).unwrap_or_default();
        members("", &record, known.entry(category.to_owned()).or_default());
    }
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guest");
    let functions = Functions::scan(&[guest.join("event/src/functions"), guest.join("mapping/src/functions")]);
    let compiled = compile(file, &functions).map_err(|wrong| wrong.to_string())?;
    let mut program =
        String::from("additional = object(parse_json(string(.properties.AdditionalFields) ?? \"{}\") ?? {}) ?? {}\n");
    for (category, known) in known {
        // Writing to a String cannot fail.
        let _ = writeln!(program, "if .category == {category:?} {{");
        for field in compiled.fields() {
            let mut sources = field.sources.iter().filter(|source| known.contains(*source));
            let Some(source) = sources.find_map(|source| path(source)) else { continue };
            let _ = writeln!(program, "value = {source}\nif value != null && value != \"\" {{ {} }}", assign(field));
        }
        program.push_str("}\n");
    }
    program.push_str(CONSTANTS);
    Ok(program)
}

/// The paths of all members of an object.
fn members(above: &str, value: &Value, known: &mut BTreeSet<String>) {
    let parsed = value.as_str().filter(|_| above == ADDITIONAL).and_then(|text| serde_json::from_str(text).ok());
    let Value::Object(object) = parsed.as_ref().unwrap_or(value) else { return };
    for (name, value) in object {
        let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
        members(&path, value, known);
        known.insert(path);
    }
}

/// A source path in VRL; none where it is no plain path.
fn path(source: &str) -> Option<String> {
    let plain = source.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_'));
    plain.then(|| match source.strip_prefix(ADDITIONAL).and_then(|inner| inner.strip_prefix('.')) {
        Some(inner) => format!("additional.{inner}"),
        None => format!(".{source}"),
    })
}

/// The assignment of `value` to a field, converted to its type.
fn assign(field: &Field) -> String {
    let to = format!(".out.{}", field.path.trim_start_matches('@'));
    match field.kind.as_str() {
        "long" => format!("{to} = to_int(value) ?? null"),
        "double" | "float" => format!("{to} = to_float(value) ?? null"),
        "boolean" => format!("{to} = to_bool(value) ?? null"),
        "date" => format!(
            "{to} = format_timestamp(parse_timestamp(value, \"%+\") ?? now(), \"%Y-%m-%dT%H:%M:%S%.3fZ\") ?? null"
        ),
        "ip" => format!("if (is_ipv4(value) ?? false) || (is_ipv6(value) ?? false) {{ {to} = value }}"),
        "flattened" | "object" | "nested" => format!("{to} = value"),
        _ => format!("{to} = to_string(value) ?? value"),
    }
}
