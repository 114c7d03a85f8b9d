//! The conversions of rows, and what fits which type.

use defenderbeat_mapping::table::Shape;

/// Conversions: name in YAML, name of the `Op`, type of an own field, types of ECS that it fits.
pub(crate) const CONVERSIONS: [(&str, &str, &str, &[&str]); 16] = [
    ("copy", "Copy", "keyword", TEXTS),
    ("keyword", "Keyword", "keyword", TEXTS),
    ("lowercase", "Lowercase", "keyword", TEXTS),
    ("uppercase", "Uppercase", "keyword", TEXTS),
    ("long", "Long", "long", NUMBERS),
    ("double", "Double", "double", &["float", "scaled_float", "double"]),
    ("boolean", "Boolean", "boolean", &["boolean"]),
    ("truth", "Truth", "boolean", &["boolean"]),
    ("date", "Date", "date", &["date"]),
    ("ip", "Ip", "ip", &["ip"]),
    ("mac", "Mac", "keyword", TEXTS),
    ("json", "Json", "flattened", &["flattened", "object", "nested"]),
    ("list", "List", "keyword", TEXTS),
    ("object", "Object", "flattened", &["flattened", "object", "nested"]),
    ("url", "Url", "", &[]),
    ("lookup", "Lookup", "keyword", ANY),
];
const TEXTS: &[&str] = &["keyword", "constant_keyword", "wildcard", "text", "match_only_text", "flattened", "version"];
const NUMBERS: &[&str] = &["long", "integer", "short", "float", "scaled_float", "double", "unsigned_long"];
pub(crate) const ANY: &[&str] = &[];

/// What a field of a type can hold.
pub(crate) fn shape(kind: &str) -> Shape {
    match kind {
        "any" => Shape::Any,
        "flattened" | "object" | "nested" => Shape::Object,
        _ => Shape::Single,
    }
}

/// The conversions that fit a type, as a hint.
pub(crate) fn fitting(kind: &str) -> String {
    let fitting: Vec<&str> =
        CONVERSIONS.iter().filter(|(.., fits)| fits.contains(&kind)).map(|(name, ..)| *name).collect();
    match fitting.as_slice() {
        [] => String::new(),
        names => format!("what fits: {}", names.join(", ")),
    }
}
