//! A site's own changes: extra rows and Beats-style processors, given at `open`.
//!
//! They work on the finished document as a tree of objects whose leaves stay raw text, so they cost a second parse;
//! without them documents are written straight from the record. Their names and conditions are those of Beats
//! (<https://www.elastic.co/docs/reference/beats/filebeat/defining-processors>).

use std::collections::BTreeMap;
use std::net::IpAddr;

use regex::Regex;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::arena::Arena;
use crate::convert::Converter;
use crate::explain::Fields;
use crate::raw::{self, Queried};
use crate::set::elements;
use crate::table::Op;
use crate::text::Text;
use crate::value::{Value, scalar_text};
use crate::walk::join;
use crate::write;

/// A row of a site: a JSONPath into the record, a conversion, a field of the document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SiteRow {
    /// JSONPath (RFC 9535).
    from: String,
    #[serde(rename = "as", default)]
    conversion: Conversion,
    /// Path of the field.
    to: String,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Conversion {
    #[default]
    Copy,
    Keyword,
    Lowercase,
    Uppercase,
    Long,
    Double,
    Boolean,
    Date,
    Ip,
    Mac,
    Json,
    List,
}

impl Conversion {
    fn op(self) -> Op {
        match self {
            Conversion::Copy => Op::Copy,
            Conversion::Keyword => Op::Keyword,
            Conversion::Lowercase => Op::Lowercase,
            Conversion::Uppercase => Op::Uppercase,
            Conversion::Long => Op::Long,
            Conversion::Double => Op::Double,
            Conversion::Boolean => Op::Boolean,
            Conversion::Date => Op::Date,
            Conversion::Ip => Op::Ip,
            Conversion::Mac => Op::Mac,
            Conversion::Json => Op::Json,
            Conversion::List => Op::List,
        }
    }
}

impl SiteRow {
    pub(crate) fn check(&self) -> Result<(), String> {
        raw::check(&self.from)?;
        if self.to.is_empty() || self.to.split('.').any(str::is_empty) {
            return Err(format!("`to: {}` is no field path", self.to));
        }
        Ok(())
    }
}

/// A change of every document, or of those that its `when` holds for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Processor {
    /// Adds tags that are not there yet.
    AddTags {
        tags: Vec<String>,
        #[serde(default = "tags")]
        target: String,
        when: Option<Condition>,
    },
    /// Sets fields below `target` (default `fields`; empty: the root).
    AddFields {
        #[serde(default = "fields")]
        target: String,
        fields: BTreeMap<String, Box<RawValue>>,
        when: Option<Condition>,
    },
    /// Removes fields.
    DropFields {
        fields: Vec<String>,
        #[serde(default)]
        ignore_missing: bool,
        when: Option<Condition>,
    },
    /// Drops the document.
    DropEvent { when: Option<Condition> },
    /// Moves fields; a target that is already there is left as it is.
    Rename {
        fields: Vec<Renaming>,
        #[serde(default)]
        ignore_missing: bool,
        #[serde(default = "yes")]
        fail_on_error: bool,
        when: Option<Condition>,
    },
}

fn tags() -> String {
    "tags".to_owned()
}
fn fields() -> String {
    "fields".to_owned()
}
fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Renaming {
    from: String,
    to: String,
}

/// A condition of Beats. Where a field is a list, one element that fits is enough.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Condition {
    /// Each field has the given value.
    Equals(BTreeMap<String, Box<RawValue>>),
    /// Each field's text has the given text in it.
    Contains(BTreeMap<String, String>),
    /// Each field's text has a match.
    Regexp(BTreeMap<String, Pattern>),
    /// Each field is a number in the range: `field.gte`, `.gt`, `.lte`, `.lt`, or an object of these.
    Range(BTreeMap<String, Bound>),
    /// Each field is an address in the network, as CIDR.
    Network(BTreeMap<String, Network>),
    /// All fields are there.
    HasFields(Vec<String>),
    /// All hold.
    And(Vec<Condition>),
    /// One holds.
    Or(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Bound {
    Number(f64),
    Object(BTreeMap<String, f64>),
}

/// A regular expression, compiled when settings are read.
#[derive(Debug)]
pub(crate) struct Pattern(Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Regex::new(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// A network in CIDR notation.
#[derive(Debug)]
pub(crate) struct Network {
    address: u128,
    bits: u32,
    width: u32,
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parsed = text.split_once('/').and_then(|(address, bits)| {
            let (address, width) = number(address.parse().ok()?);
            let bits = bits.parse().ok().filter(|bits| *bits <= width)?;
            Some(Self { address, bits, width })
        });
        parsed.ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` is no network in CIDR notation, such as 10.0.0.0/8"))
        })
    }
}

fn number(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        let (address, width) = number(address);
        width == self.width && (address ^ self.address).checked_shr(width - self.bits).unwrap_or(0) == 0
    }
}

impl Condition {
    fn holds(&self, document: &Tree) -> bool {
        let each = |field: &str, fits: &dyn Fn(&str) -> bool| document.leaf(field).is_some_and(|json| any(json, fits));
        match self {
            Condition::Equals(fields) => fields.iter().all(|(field, wanted)| {
                let wanted = scalar_text(wanted.get());
                each(field, &|json| wanted.is_some() && scalar_text(json) == wanted)
            }),
            Condition::Contains(fields) => fields.iter().all(|(field, part)| {
                each(field, &|json| scalar_text(json).is_some_and(|text| text.contains(part.as_str())))
            }),
            Condition::Regexp(fields) => fields.iter().all(|(field, pattern)| {
                each(field, &|json| scalar_text(json).is_some_and(|text| pattern.0.is_match(&text)))
            }),
            Condition::Range(fields) => fields.iter().all(|(field, bound)| match bound {
                Bound::Number(limit) => match field.rsplit_once('.') {
                    Some((field, relation)) => each(field, &|json| in_range(json, relation, *limit)),
                    None => false,
                },
                Bound::Object(limits) => {
                    limits.iter().all(|(relation, limit)| each(field, &|json| in_range(json, relation, *limit)))
                }
            }),
            Condition::Network(fields) => fields.iter().all(|(field, network)| {
                each(field, &|json| {
                    scalar_text(json)
                        .and_then(|text| text.parse().ok())
                        .is_some_and(|address| network.contains(address))
                })
            }),
            Condition::HasFields(fields) => fields.iter().all(|field| document.get(field).is_some()),
            Condition::And(all) => all.iter().all(|condition| condition.holds(document)),
            Condition::Or(any) => any.iter().any(|condition| condition.holds(document)),
            Condition::Not(condition) => !condition.holds(document),
        }
    }
}

fn any(json: &str, fits: &dyn Fn(&str) -> bool) -> bool {
    if json.starts_with('[') { elements(json).into_iter().any(fits) } else { fits(json) }
}

fn in_range(json: &str, relation: &str, limit: f64) -> bool {
    let number = scalar_text(json).and_then(|text| text.parse::<f64>().ok());
    number.is_some_and(|number| match relation {
        "gte" => number >= limit,
        "gt" => number > limit,
        "lte" => number <= limit,
        "lt" => number < limit,
        _ => false,
    })
}

/// Objects below this depth are leaves: a document's fields nest far less, and hostile nesting must cost neither stack
/// nor the square of its length.
const DEPTH: usize = 32;

/// A document as objects with raw leaves, keys sorted.
#[derive(Debug)]
enum Tree {
    Object(BTreeMap<String, Tree>),
    Leaf(String),
}

impl Tree {
    fn parse(json: &str) -> Self {
        Self::parse_to(json, DEPTH)
    }

    fn parse_to(json: &str, depth: usize) -> Self {
        if depth > 0
            && json.starts_with('{')
            && let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(json)
        {
            let parsed = members.into_iter().map(|(key, value)| (key, Tree::parse_to(value.get(), depth - 1)));
            return Tree::Object(parsed.collect());
        }
        Tree::Leaf(json.to_owned())
    }

    fn get(&self, path: &str) -> Option<&Tree> {
        path.split('.').try_fold(self, |tree, key| match tree {
            Tree::Object(members) => members.get(key),
            Tree::Leaf(_) => None,
        })
    }

    fn leaf(&self, path: &str) -> Option<&str> {
        match self.get(path)? {
            Tree::Leaf(json) => Some(json),
            Tree::Object(_) => None,
        }
    }

    fn set(&mut self, path: &str, value: Tree) {
        let (key, below) = path.split_once('.').map_or((path, None), |(key, below)| (key, Some(below)));
        if let Tree::Leaf(_) = self {
            *self = Tree::Object(BTreeMap::new());
        }
        if let Tree::Object(members) = self {
            match below {
                Some(below) => {
                    members.entry(key.to_owned()).or_insert_with(|| Tree::Object(BTreeMap::new())).set(below, value)
                }
                None => {
                    members.insert(key.to_owned(), value);
                }
            }
        }
    }

    fn remove(&mut self, path: &str) -> Option<Tree> {
        let Tree::Object(members) = self else { return None };
        let Some((key, below)) = path.split_once('.') else { return members.remove(path) };
        let removed = members.get_mut(key)?.remove(below)?;
        if matches!(members.get(key), Some(Tree::Object(left)) if left.is_empty()) {
            members.remove(key);
        }
        Some(removed)
    }

    fn push(&mut self, path: &str, text: &str) {
        let mut json = Text::default();
        write::string(text, &mut json);
        let json = json.into_string();
        let mut values: Vec<String> = match self.leaf(path) {
            Some(list) if list.starts_with('[') => elements(list).into_iter().map(str::to_owned).collect(),
            Some(single) => vec![single.to_owned()],
            None => Vec::new(),
        };
        if !values.contains(&json) {
            values.push(json);
            self.set(path, Tree::Leaf(format!("[{}]", values.join(","))));
        }
    }

    /// The leaves by path.
    fn leaves(&self) -> BTreeMap<String, String> {
        fn gather(path: &str, tree: &Tree, leaves: &mut BTreeMap<String, String>) {
            match tree {
                Tree::Leaf(json) => {
                    leaves.insert(path.to_owned(), json.clone());
                }
                Tree::Object(members) => members.iter().for_each(|(key, tree)| gather(&join(path, key), tree, leaves)),
            }
        }
        let mut leaves = BTreeMap::new();
        gather("", self, &mut leaves);
        leaves
    }

    fn write(&self, out: &mut String) {
        match self {
            Tree::Leaf(json) => out.push_str(json),
            Tree::Object(members) => {
                out.push('{');
                for (at, (key, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    let mut quoted = Text::default();
                    write::string(key, &mut quoted);
                    out.push_str(&quoted.into_string());
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// A document of the fields given by path, as JSON text; empty text is no field.
pub(crate) fn document(fields: &[(&str, &str)]) -> String {
    let mut document = Tree::Object(BTreeMap::new());
    for (path, json) in fields {
        if !json.is_empty() {
            document.set(path, Tree::Leaf((*json).to_owned()));
        }
    }
    let mut json = String::new();
    document.write(&mut json);
    json
}

/// Applies rows and processors to the document in `json`; false where the document is dropped.
/// `explained` learns what each changes.
pub(crate) fn apply(
    rows: &[SiteRow],
    processors: &[Processor],
    record: &str,
    json: &mut String,
    mut explained: Option<&mut Fields>,
) -> bool {
    let mut document = Tree::parse(json);
    let mut step = |name: &str, from: &[&str], document: &Tree| {
        if let Some(fields) = &mut explained {
            fields.step(name, from, document.leaves());
        }
    };
    step("", &[], &document);
    let queried = Queried::new(record);
    if !rows.is_empty() && !queried.is_readable() {
        document.push(
            "error.message",
            "rows: the record nests too deeply for JSONPath, or holds a number or an escape that cannot be read",
        );
    }
    let arena = Arena::default();
    for (number, row) in rows.iter().enumerate() {
        let selected = queried.select(&row.from);
        let value = match selected.as_slice() {
            [] => continue,
            [single] => Value::from_json(single),
            many => Value::List(arena.list(&many.iter().map(|json| Value::from_json(json)).collect::<Vec<_>>())),
        };
        let mut converter = Converter::new(&[], &arena);
        let converted = converter.convert(row.conversion.op(), value);
        for (value, cause) in converter.failures {
            let value = value.to_json().unwrap_or_default();
            document.push("error.message", &format!("{}: {value} {cause}", row.from));
        }
        if let Some(json) = converted.to_json() {
            document.set(&row.to, Tree::Leaf(json));
        }
        step(&format!("$.rows[{number}]"), &[&row.from], &document);
    }
    for (number, processor) in processors.iter().enumerate() {
        if !processor.apply(&mut document) {
            return false;
        }
        step(&format!("$.processors[{number}]"), &[], &document);
    }
    json.clear();
    document.write(json);
    true
}

impl Processor {
    fn apply(&self, document: &mut Tree) -> bool {
        let (Processor::AddTags { when, .. }
        | Processor::AddFields { when, .. }
        | Processor::DropFields { when, .. }
        | Processor::DropEvent { when }
        | Processor::Rename { when, .. }) = self;
        if when.as_ref().is_some_and(|condition| !condition.holds(document)) {
            return true;
        }
        match self {
            Processor::AddTags { tags, target, .. } => tags.iter().for_each(|tag| document.push(target, tag)),
            Processor::AddFields { target, fields, .. } => {
                for (field, value) in fields {
                    let path = if target.is_empty() { field.clone() } else { format!("{target}.{field}") };
                    let mut json = Text::default();
                    if write::json(value.get(), &mut json) {
                        document.set(&path, Tree::parse(json.as_str()));
                    }
                }
            }
            Processor::DropFields { fields, ignore_missing, .. } => {
                for field in fields {
                    // As in Beats, these two are never dropped.
                    if field != "@timestamp" && field != "type" && document.remove(field).is_none() && !ignore_missing {
                        document.push("error.message", &format!("drop_fields: there is no field {field}"));
                    }
                }
            }
            Processor::DropEvent { .. } => return false,
            Processor::Rename { fields, ignore_missing, fail_on_error, .. } => {
                for Renaming { from, to } in fields {
                    let failure = if document.get(to).is_some() {
                        Some(format!("rename: {to} is already there"))
                    } else if let Some(value) = document.remove(from) {
                        document.set(to, value);
                        None
                    } else {
                        (!ignore_missing).then(|| format!("rename: there is no field {from}"))
                    };
                    if let Some(failure) = failure.filter(|_| *fail_on_error) {
                        document.push("error.message", &failure);
                    }
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"a":{"b":"x","n":[1,20]},"host":{"ip":["10.1.2.3","::1"]},"tags":["one"]}"#;

    fn run(processors: &str) -> Option<String> {
        let processors: Vec<Processor> = serde_json::from_str(processors).unwrap();
        let mut json = DOCUMENT.to_owned();
        apply(&[], &processors, "{}", &mut json, None).then_some(json)
    }

    fn holds(condition: &str) -> bool {
        serde_json::from_str::<Condition>(condition).unwrap().holds(&Tree::parse(DOCUMENT))
    }

    #[test]
    fn each_processor_does_what_its_name_says() {
        assert!(run(r#"[{"add_tags":{"tags":["one","two"]}}]"#).unwrap().contains(r#""tags":["one","two"]"#));
        assert!(
            run(r#"[{"add_fields":{"fields":{"site":"berlin"}}}]"#).unwrap().contains(r#""fields":{"site":"berlin"}"#)
        );
        assert!(
            run(r#"[{"add_fields":{"target":"","fields":{"a.c":{"d":1}}}}]"#)
                .unwrap()
                .contains(r#""a":{"b":"x","c":{"d":1},"#)
        );
        assert_eq!(run(r#"[{"drop_fields":{"fields":["a","host.ip"]}}]"#).unwrap(), r#"{"tags":["one"]}"#);
        assert!(run(r#"[{"drop_fields":{"fields":["zz"]}}]"#).unwrap().contains("there is no field zz"));
        assert!(run(r#"[{"rename":{"fields":[{"from":"a.b","to":"c.d"}]}}]"#).unwrap().contains(r#""c":{"d":"x"}"#));
        assert!(run(r#"[{"rename":{"fields":[{"from":"a.b","to":"tags"}]}}]"#).unwrap().contains("already there"));
        assert_eq!(run(r#"[{"drop_event":{"when":{"equals":{"a.b":"x"}}}}]"#), None);
        assert!(run(r#"[{"drop_event":{"when":{"equals":{"a.b":"y"}}}}]"#).is_some());
    }

    #[test]
    fn conditions_hold_for_one_element_of_a_list() {
        for (condition, expected) in [
            (r#"{"equals":{"a.n":20}}"#, true),
            (r#"{"equals":{"a.n":2}}"#, false),
            (r#"{"contains":{"a.b":"x"}}"#, true),
            (r#"{"regexp":{"a.b":"^[xy]$"}}"#, true),
            (r#"{"range":{"a.n.gt":19,"a.n.lte":20}}"#, true),
            (r#"{"range":{"a.n":{"gt":20}}}"#, false),
            (r#"{"network":{"host.ip":"10.0.0.0/8"}}"#, true),
            (r#"{"network":{"host.ip":"11.0.0.0/8"}}"#, false),
            (r#"{"network":{"host.ip":"0.0.0.0/0"}}"#, true),
            (r#"{"has_fields":["a.b","tags"]}"#, true),
            (r#"{"and":[{"has_fields":["a"]},{"not":{"has_fields":["z"]}}]}"#, true),
            (r#"{"or":[{"has_fields":["z"]},{"has_fields":["a"]}]}"#, true),
        ] {
            assert_eq!(holds(condition), expected, "{condition}");
        }
    }

    #[test]
    fn a_site_row_cuts_values_out_of_the_record() {
        let rows: Vec<SiteRow> = serde_json::from_str(
            r#"[{"from":"$.x[*].id","as":"keyword","to":"site.ids"},{"from":"$.bad","as":"ip","to":"site.ip"}]"#,
        )
        .unwrap();
        let mut json = "{}".to_owned();
        assert!(apply(&rows, &[], r#"{"x":[{"id":1},{"id":90071992547409931}],"bad":"q"}"#, &mut json, None));
        assert_eq!(
            json,
            r#"{"error":{"message":["$.bad: \"q\" is not an IP address"]},"site":{"ids":["1","90071992547409931"]}}"#
        );
    }
}
