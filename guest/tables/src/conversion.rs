//! The conversions of rows, and what fits which type.

use defenderbeat_mapping::table::Shape;

/// Conversions: name in YAML, name of the `Op`, type of an own field, types of ECS that it fits.
pub(crate) const CONVERSIONS: [(&str, &str, &str, &[&str]); 19] = [
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
    ("geo", "Ask(\"geo\")", "", &[]),
    ("as", "Ask(\"as\")", "", &[]),
    ("user_agent", "Ask(\"user-agent\")", "", &[]),
];

/// Parts of the objects that conversions and functions make, with their types.
const URL: &[(&str, &str)] = &[
    ("domain", "keyword"),
    ("extension", "keyword"),
    ("fragment", "keyword"),
    ("original", "keyword"),
    ("password", "keyword"),
    ("path", "keyword"),
    ("port", "long"),
    ("query", "keyword"),
    ("scheme", "keyword"),
    ("user_info", "keyword"),
    ("username", "keyword"),
];
const ECS_URL: &[(&str, &str)] = &[
    ("domain", ""),
    ("extension", ""),
    ("fragment", ""),
    ("original", ""),
    ("password", ""),
    ("path", ""),
    ("port", ""),
    ("query", ""),
    ("scheme", ""),
    ("user_info", ""),
    ("username", ""),
];
const GEO: &[(&str, &str)] = &[
    ("city_name", ""),
    ("continent_name", ""),
    ("country_iso_code", ""),
    ("country_name", ""),
    ("location", ""),
    ("region_iso_code", ""),
    ("region_name", ""),
];
const AS: &[(&str, &str)] = &[("number", ""), ("organization.name", "")];
const USER_AGENT: &[(&str, &str)] = &[
    ("device.name", ""),
    ("name", ""),
    ("original", ""),
    ("os.full", ""),
    ("os.name", ""),
    ("os.version", ""),
    ("version", ""),
];

/// Whether a conversion makes an object of parts.
pub(crate) fn is_of_parts(conversion: &str) -> bool {
    ["url", "geo", "as", "user_agent"].contains(&conversion)
}

/// The parts that the object at a path has, by its own name.
pub(crate) fn parts(conversion: Option<&str>, path: &str) -> &'static [(&'static str, &'static str)] {
    match path.rsplit('.').next().unwrap_or_default() {
        _ if conversion == Some("url") && path != "url" => URL,
        "url" => ECS_URL,
        "geo" => GEO,
        "as" => AS,
        "user_agent" => USER_AGENT,
        _ => &[],
    }
}
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
