//! From the fields of documents to a mapping.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde_json::{Map, Value as Json, json};

use super::abilities::{Abilities, Feature};
use crate::fields::{self, Field};

/// Characters of a keyword that are indexed, as in ECS. Longer ones stay in the document.
const IGNORE_ABOVE: u32 = 1024;
/// The same where a keyword stands in for a type without a limit: Lucene's terms have at most 32766 bytes, and a character
/// up to four.
const IGNORE_ABOVE_LONG: u32 = 8191;
/// How deep a flattened object may be. Documents whose objects are deeper are refused; the default of 20 is below what
/// records may have as properties that the mapping does not know.
const FLATTENED_DEPTH: u32 = 1000;

/// A mapping, and what settings need to know of it.
pub(super) struct Mapping {
    /// The `mappings` of a template.
    pub(super) json: Json,
    /// How many fields it has, objects and multi-fields too, as Elasticsearch counts them.
    pub(super) fields: usize,
    /// ECS fields that hold text and are indexed, for queries that name no field.
    pub(super) texts: Vec<&'static str>,
}

/// The mapping of a dataset's documents, such as of `alert`, with the types that a server knows.
///
/// All fields of the dataset and those ECS fields that its rows write are mapped. A site's own fields are mapped when they
/// first come: by the type of their ECS field, else texts as keywords. Objects that hold what the source delivers take no new
/// fields.
pub(super) fn mapping(dataset: &str, abilities: &Abilities, meta: &Json) -> Mapping {
    let own = fields::own(dataset).unwrap_or_default();
    let ecs: BTreeMap<&str, &Field> = fields::ecs().iter().map(|field| (field.path, field)).collect();
    let written = written(dataset, &ecs);
    let mut tree = Tree::default();
    let mut texts = Vec::new();
    for field in own.iter().chain(written.iter().copied()) {
        let json = fixed(field.path, dataset, abilities).unwrap_or_else(|| leaf(field.kind, field.path, abilities));
        tree.put(field.path, json, matches!(field.kind, "object" | "nested"));
    }
    // A query that names no field fails as a whole on one that is not indexed.
    let is_indexed =
        |path: &str| fixed(path, dataset, abilities).is_none_or(|json| json.get("index") != Some(&false.into()));
    let is_asked =
        |field: &Field| is_text(field.kind) && !field.path.starts_with("data_stream.") && is_indexed(field.path);
    for field in &written {
        match ecs.get(parent(field.path)) {
            // A multi-field, of which queries by default need nothing.
            Some(above) if !is_object(above) => {}
            _ if is_asked(field) => texts.push(field.path),
            _ => {}
        }
    }
    let fields = tree.count();
    let json = json!({
        "_meta": meta,
        "date_detection": false,
        "dynamic": true,
        "dynamic_templates": dynamic_templates(&tree, abilities),
        "properties": tree.properties(),
    });
    Mapping { json, fields, texts }
}

/// ECS fields that rows write, with the fields of objects that are written whole and with all multi-fields.
fn written<'a>(dataset: &str, ecs: &BTreeMap<&str, &'a Field>) -> Vec<&'a Field> {
    let mut written: BTreeMap<&str, &Field> = BTreeMap::new();
    for &Field { path, .. } in fields::written(dataset) {
        let from = ecs
            .range::<str, _>((Bound::Included(path), Bound::Unbounded))
            .take_while(|(name, _)| name.starts_with(path));
        let is_below =
            |name: &str| name.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        written.extend(from.filter(|(name, _)| is_below(name)).map(|(name, field)| (*name, *field)));
    }
    written.into_values().collect()
}

/// Fields whose mapping their type does not tell.
fn fixed(path: &str, dataset: &str, abilities: &Abilities) -> Option<Json> {
    let constant = |value: Option<String>| match (abilities.kind("constant_keyword"), value) {
        ("constant_keyword", Some(value)) => json!({ "type": "constant_keyword", "value": value }),
        ("constant_keyword", None) => json!({ "type": "constant_keyword" }),
        _ => leaf("keyword", path, abilities),
    };
    match path {
        // A data stream's time has to be a time.
        "@timestamp" => Some(json!({ "type": "date", "ignore_malformed": false })),
        "data_stream.type" => Some(constant(Some("logs".to_owned()))),
        "data_stream.dataset" | "event.dataset" => Some(constant(Some(format!("m365_defender.{dataset}")))),
        "data_stream.namespace" => Some(constant(None)),
        "event.module" => Some(constant(Some("m365_defender".to_owned()))),
        // ECS: not indexed; it may be of any size.
        "event.original" => Some(json!({ "type": "keyword", "index": false, "doc_values": false })),
        _ => None,
    }
}

/// The mapping of a type, or of the nearest one that the server knows.
fn leaf(kind: &str, path: &str, abilities: &Abilities) -> Json {
    match (kind, abilities.kind(kind)) {
        // Any JSON value: kept, not indexed.
        ("any", _) => json!({ "type": "object", "enabled": false }),
        ("flattened", "object") => json!({ "type": "object", "enabled": false }),
        ("object", _) => json!({ "type": "object", "dynamic": false }),
        ("nested", _) => json!({ "type": "nested", "dynamic": false }),
        (_, "keyword") if path.ends_with(".caseless") => {
            json!({ "type": "keyword", "ignore_above": IGNORE_ABOVE, "normalizer": "lowercase" })
        }
        ("keyword", _) => json!({ "type": "keyword", "ignore_above": IGNORE_ABOVE }),
        (_, "keyword") => json!({ "type": "keyword", "ignore_above": IGNORE_ABOVE_LONG }),
        (_, "flattened") => {
            json!({ "type": "flattened", "ignore_above": IGNORE_ABOVE, "depth_limit": FLATTENED_DEPTH })
        }
        (_, "scaled_float") => json!({ "type": "scaled_float", "scaling_factor": 1000 }),
        (_, "text") => json!({ "type": "text", "norms": false }),
        (_, kind) => json!({ "type": kind }),
    }
}

/// What becomes of fields that no row writes: an ECS field gets its type, any other text becomes a keyword.
fn dynamic_templates(tree: &Tree, abilities: &Abilities) -> Json {
    let mut templates = vec![json!({ "labels": {
        "path_match": "labels.*", "mapping": leaf("keyword", "labels", abilities),
    }})];
    if abilities.has(Feature::PathLists) {
        let mut others: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for field in fields::ecs() {
            // Objects get their fields' types; keywords are what texts become anyway.
            if !is_object(field) && field.kind != "keyword" && tree.is_free(field.path) {
                others.entry(field.kind).or_default().push(field.path);
            }
        }
        templates.extend(others.into_iter().map(|(kind, paths)| {
            let name = format!("ecs_{kind}");
            json!({ name: { "path_match": paths, "mapping": leaf(kind, "", abilities) } })
        }));
    }
    templates.push(json!({ "texts": {
        "match_mapping_type": "string", "mapping": leaf("keyword", "", abilities),
    }}));
    templates.into()
}

fn is_object(field: &Field) -> bool {
    matches!(field.kind, "object" | "nested")
}

fn is_text(kind: &str) -> bool {
    matches!(kind, "keyword" | "wildcard" | "match_only_text" | "text")
}

fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}

/// The properties of a mapping by their names.
#[derive(Default)]
struct Tree(BTreeMap<String, Node>);

struct Node {
    /// The field's own mapping; none: an object that only its fields tell of.
    json: Option<Json>,
    is_object: bool,
    below: Tree,
}

impl Tree {
    fn put(&mut self, path: &str, json: Json, is_object: bool) {
        match path.split_once('.') {
            Some((name, rest)) => self.node(name).below.put(rest, json, is_object),
            None => {
                let node = self.node(path);
                node.json = Some(json);
                node.is_object = is_object;
            }
        }
    }

    fn node(&mut self, name: &str) -> &mut Node {
        self.0.entry(name.to_owned()).or_insert_with(|| Node { json: None, is_object: true, below: Tree::default() })
    }

    fn properties(&self) -> Json {
        let properties = self.0.iter().map(|(name, node)| (name.clone(), node.json()));
        Json::Object(properties.collect::<Map<_, _>>())
    }

    fn count(&self) -> usize {
        self.0.values().map(|node| 1 + node.below.count()).sum()
    }

    /// Whether the field at a path would be a new one that its objects take.
    fn is_free(&self, path: &str) -> bool {
        let (name, rest) = path.split_once('.').unwrap_or((path, ""));
        match self.0.get(name) {
            None => true,
            Some(node) if rest.is_empty() || node.json.is_some() => false,
            Some(node) => node.below.is_free(rest),
        }
    }
}

impl Node {
    fn json(&self) -> Json {
        let mut json = self.json.clone().unwrap_or_else(|| json!({}));
        if let (Some(json), false) = (json.as_object_mut(), self.below.0.is_empty()) {
            let name = if self.is_object { "properties" } else { "fields" };
            json.insert(name.to_owned(), self.below.properties());
        }
        json
    }
}
