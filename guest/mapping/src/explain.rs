//! Explanations: which row made each field of a document, and which columns of the record nothing was made of.
//!
//! With the setting `explain` an explanation leaves in the place of each document. It is one line of JSON, as a document
//! is: `{"document":{..},"fields":[..],"columns":[..]}`, described in `docs/explain.md`.

mod columns;

use std::collections::BTreeMap;

use crate::set::elements;
use crate::table::Table;
use crate::text::Text;
use crate::trace::{Made, Origin};
use crate::value::Value;
use crate::walk::join;
use crate::write;

pub(crate) use columns::Left;

/// Objects that no row knows are told member by member down to this depth.
const DEPTH: usize = 16;

/// What is known of the fields of a document.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    origins: BTreeMap<String, Vec<Origin>>,
    /// Leaves of the document as the last step of the settings left them; none before the first.
    leaves: Option<BTreeMap<String, String>>,
}

impl Fields {
    pub(crate) fn new(made: Vec<Made>) -> Self {
        let mut origins: BTreeMap<String, Vec<Origin>> = BTreeMap::new();
        for Made { path, origins: of } in made {
            origins.entry(path).or_default().extend(of);
        }
        Self { origins, leaves: None }
    }

    /// Takes what the document is after a step of the settings, or before the first: what changed comes from it, too.
    pub(crate) fn step(&mut self, step: &str, from: &[&str], leaves: BTreeMap<String, String>) {
        let Some(before) = self.leaves.replace(leaves.clone()) else { return };
        for (path, _) in leaves.into_iter().filter(|(path, json)| before.get(path) != Some(json)) {
            let mut origins = self.origins_of(&path).to_vec();
            if !before.contains_key(&path) {
                origins.clear();
            }
            let from = from.iter().map(|path| path.trim_start_matches("$.").to_owned()).collect();
            origins.push(Origin::Settings(step.to_owned(), from));
            self.origins.insert(path, origins);
        }
    }

    /// The origins of a field, or of the object that was made with it.
    fn origins_of(&self, path: &str) -> &[Origin] {
        let above = path.rmatch_indices(['.', '[']).map(|(at, _)| path.get(..at).unwrap_or_default());
        let found = std::iter::once(path).chain(above).find_map(|path| self.origins.get(path));
        found.map_or(&[], Vec::as_slice)
    }

    /// Whether fields below a path have origins of their own.
    fn has_below(&self, path: &str, mark: char) -> bool {
        let below = format!("{path}{mark}");
        self.origins.range(below.clone()..).next().is_some_and(|(known, _)| known.starts_with(&below))
    }

    /// The explanation of a document; `left` tells of the record's columns.
    pub(crate) fn explain(&self, table: &Table, document: &str, record: &str, left: Left<'_>) -> String {
        let mut fields = Vec::new();
        self.walk("", document, DEPTH, &mut fields);
        let taken = fields.iter().flat_map(|(_, _, origins)| *origins);
        let columns = left.columns(table, record, taken);
        let mut out = Text::default();
        out.push_str("{\"document\":");
        out.push_str(document);
        out.push_str(",\"fields\":[");
        for (number, (path, json, origins)) in fields.iter().enumerate() {
            open(number, "field", path, json, &mut out);
            out.push_str(",\"origins\":[");
            for (number, origin) in origins.iter().enumerate() {
                out.push_str(if number > 0 { "," } else { "" });
                write_origin(table, origin, &mut out);
            }
            if origins.is_empty() {
                write_origin(table, &Origin::Engine(Vec::new()), &mut out);
            }
            out.push_str("]}");
        }
        out.push_str("],\"columns\":[");
        for (number, (path, json, why)) in columns.iter().enumerate() {
            open(number, "column", path, json, &mut out);
            out.push_str(",\"why\":");
            write::string(why, &mut out);
            out.push('}');
        }
        out.push_str("]}");
        out.into_string()
    }

    /// Lists the fields of a value: what one row made is one field, whatever is in it.
    fn walk<'d>(&'d self, path: &str, json: &'d str, depth: usize, fields: &mut Vec<(String, &'d str, &'d [Origin])>) {
        let origins = self.origins_of(path);
        let is_open = depth > 0 && (path.is_empty() || origins.is_empty() || self.has_below(path, '.'));
        if is_open && let Some(members) = crate::members::members(json) {
            for (key, value) in members {
                self.walk(&join(path, &key), value.text, depth - 1, fields);
            }
        } else if self.has_below(path, '[') && json.starts_with('[') {
            for (index, item) in elements(json).into_iter().enumerate() {
                self.walk(&format!("{path}[{index}]"), item, depth, fields);
            }
        } else {
            fields.push((path.to_owned(), json, origins));
        }
    }
}

/// Begins an entry of a list: name and value.
fn open(number: usize, what: &str, name: &str, json: &str, out: &mut Text) {
    out.push_str(if number > 0 { ",{" } else { "{" });
    write::string(what, out);
    out.push(':');
    write::string(name, out);
    out.push_str(",\"value\":");
    out.push_str(&compact(json));
}

fn write_origin(table: &Table, origin: &Origin, out: &mut Text) {
    let member = |name: &str, value: &str, out: &mut Text| {
        write::string(name, out);
        out.push(':');
        write::string(value, out);
    };
    out.push('{');
    match origin {
        Origin::Row(row, _) => {
            if let Some(row) = table.rows.get(usize::from(*row)) {
                member("by", row.by, out);
                out.push(',');
                member("file", row.file, out);
                write::push_display(out, format_args!(",\"line\":{}", row.line));
            }
        }
        Origin::Settings(path, _) => {
            member("by", "settings", out);
            out.push(',');
            member("setting", path, out);
        }
        Origin::Engine(_) => member("by", "engine", out),
    }
    let from: Vec<Value<'_>> = origin.from().iter().map(|path| Value::Text(path)).collect();
    if !from.is_empty() {
        out.push_str(",\"from\":");
        write::list(&from, out);
    }
    out.push('}');
}

/// JSON text without white space between its parts, empties and all.
fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let (length, is_space) = match first {
            '"' => (write::scalar_length(rest), false),
            _ => (first.len_utf8(), first.is_ascii_whitespace()),
        };
        let (part, tail) = rest.split_at_checked(length).unwrap_or((rest, ""));
        if !is_space {
            out.push_str(part);
        }
        rest = tail;
    }
    out
}
