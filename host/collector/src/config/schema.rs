//! What options there are: read from the JSON schema that schemars derives from the structs and their comments. The
//! check of a file, its hints and the reference all follow from it, so none can differ from what is parsed.

use std::fmt;

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::de::{Deserialize, Deserializer, Visitor};
use serde_json::{Map, Value as Json};

/// Keyword for the order of a struct's fields; a JSON object of serde_json is sorted.
const ORDER: &str = "x-order";
/// Keyword for further names of a choice.
const ALIASES: &str = "x-aliases";

/// One option.
#[derive(Clone, Debug)]
pub(super) struct Opt {
    pub(super) name: String,
    /// Its comment.
    pub(super) doc: String,
    pub(super) default: Option<Json>,
    pub(super) example: Option<Json>,
    pub(super) required: bool,
    pub(super) shape: Shape,
}

/// What an option takes.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Options(Vec<Opt>),
    /// Options, or `off`.
    OrOff(Vec<Opt>),
    /// An input, whose options depend on its type.
    Input,
    List(Box<Shape>),
    /// Names of the user, each with a value.
    Map(Box<Shape>),
    Text,
    Secret,
    Time,
    Bytes,
    Permissions,
    Number {
        min: u64,
        max: u64,
    },
    Switch,
    Choice(Vec<Choice>),
    /// Checked by the component that it is for.
    Free,
}

/// One value of a choice.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) name: String,
    pub(super) doc: String,
}

/// The options of a struct, in its order.
pub(super) fn options<T: JsonSchema>() -> Vec<Opt> {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<T>();
    schema.as_object().map(members).unwrap_or_default()
}

/// For `#[schemars(transform = in_order::<Self>)]`: keeps the order of the fields.
pub(crate) fn in_order<T: for<'de> Deserialize<'de>>(schema: &mut Schema) {
    let mut fields = Fields(&[]);
    // It only asks for the names of the fields and never gives a value, so this is always an error.
    let _ = T::deserialize(&mut fields);
    schema.insert(ORDER.to_owned(), fields.0.into());
}

fn members(schema: &Map<String, Json>) -> Vec<Opt> {
    let texts = |keyword: &str| -> Vec<&str> {
        schema.get(keyword).and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str).collect()
    };
    let (order, required) = (texts(ORDER), texts("required"));
    let properties = schema.get("properties").and_then(Json::as_object);
    let mut options: Vec<Opt> = properties
        .into_iter()
        .flatten()
        .map(|(name, property)| {
            let default = property.get("default").filter(|default| !default.is_null()).cloned();
            let bound = property.get("minLength").or_else(|| property.get("minItems"));
            let not_empty = bound.is_some_and(|min| min != 0);
            let empty = |default: &Json| *default == "" || *default == Json::Array(Vec::new());
            Opt {
                name: name.clone(),
                doc: description(property),
                required: required.contains(&name.as_str()) || not_empty && default.as_ref().is_none_or(empty),
                default,
                example: property.get("examples").and_then(|examples| examples.get(0)).cloned(),
                shape: shape(property),
            }
        })
        .collect();
    options.sort_by_key(|option| order.iter().position(|name| *name == option.name));
    options
}

fn shape(schema: &Json) -> Shape {
    if let Some(alternatives) = schema.get("anyOf").and_then(Json::as_array) {
        // An option that may be absent.
        let given = alternatives.iter().find(|alternative| alternative.get("type").is_none_or(|kind| kind != "null"));
        return given.map_or(Shape::Free, shape);
    }
    let choices = choices(schema);
    if !choices.is_empty() {
        return Shape::Choice(choices);
    }
    let kind = match schema.get("type") {
        Some(Json::Array(kinds)) => kinds.iter().find_map(|kind| kind.as_str().filter(|kind| *kind != "null")),
        kind => kind.and_then(Json::as_str),
    };
    let number = |keyword: &str, default: u64| schema.get(keyword).and_then(Json::as_u64).unwrap_or(default);
    match (kind, schema.get("format").and_then(Json::as_str)) {
        (Some("object"), Some("input")) => Shape::Input,
        (Some("object"), Some("or-off")) => Shape::OrOff(schema.as_object().map(members).unwrap_or_default()),
        (Some("object"), _) => match (schema.as_object(), schema.get("additionalProperties")) {
            (_, Some(values)) if values.is_object() => Shape::Map(Box::new(shape(values))),
            (Some(schema), _) => Shape::Options(members(schema)),
            (None, _) => Shape::Free,
        },
        (Some("array"), _) => Shape::List(Box::new(schema.get("items").map_or(Shape::Free, shape))),
        (Some("string"), Some("secret")) => Shape::Secret,
        (Some("string"), Some("duration")) => Shape::Time,
        (Some("string"), Some("size")) => Shape::Bytes,
        (Some("string"), Some("permissions")) => Shape::Permissions,
        (Some("string"), _) => Shape::Text,
        (Some("integer"), format) => {
            let max = if format == Some("uint32") { u64::from(u32::MAX) } else { u64::MAX };
            Shape::Number { min: number("minimum", 0), max: number("maximum", max) }
        }
        (Some("boolean"), _) => Shape::Switch,
        _ => Shape::Free,
    }
}

fn choices(schema: &Json) -> Vec<Choice> {
    let variants = schema.get("oneOf").and_then(Json::as_array).map_or(std::slice::from_ref(schema), Vec::as_slice);
    let mut choices = Vec::new();
    for variant in variants {
        let doc = description(variant);
        let names = variant.get("enum").and_then(Json::as_array).into_iter().flatten().chain(variant.get("const"));
        choices.extend(names.filter_map(Json::as_str).map(|name| Choice { name: name.to_owned(), doc: doc.clone() }));
    }
    let aliases = schema.get(ALIASES).and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
    choices.extend(aliases.map(|name| Choice { name: name.to_owned(), doc: String::new() }));
    choices
}

fn description(schema: &Json) -> String {
    // That of an option which may be absent can be the one of its type.
    let of_type = schema.get("anyOf").and_then(|alternatives| alternatives.get(0));
    let text = schema.get("description").or_else(|| of_type?.get("description"));
    text.and_then(Json::as_str).unwrap_or_default().to_owned()
}

/// Takes the names of a struct's fields from its derived `Deserialize`.
struct Fields(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut Fields {
    type Error = serde::de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(serde::de::Error::custom("only names of fields are asked for"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0 = fields;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl fmt::Display for Shape {
    /// What is wanted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use super::units::{Bytes, Permissions, Time};
        match self {
            Shape::Options(options) => match options.first() {
                Some(option) => write!(f, "options below it, such as `{}`", option.name),
                None => f.write_str("no options: {}"),
            },
            Shape::OrOff(options) => write!(f, "off, or {}", Shape::Options(options.clone())),
            Shape::Input => f.write_str("the options of an input, such as `id` and `type`"),
            Shape::List(_) => f.write_str("a list"),
            Shape::Map(_) => f.write_str("names with values"),
            Shape::Text | Shape::Secret => f.write_str("a text"),
            Shape::Time => f.write_str(Time::WANTED),
            Shape::Bytes => f.write_str(Bytes::WANTED),
            Shape::Permissions => f.write_str(Permissions::WANTED),
            Shape::Number { min, max } if *max >= u64::from(u32::MAX) => write!(f, "a whole number from {min} on"),
            Shape::Number { min, max } => write!(f, "a whole number from {min} to {max}"),
            Shape::Switch => f.write_str("true or false"),
            Shape::Choice(choices) => {
                let names: Vec<&str> = choices.iter().map(|choice| choice.name.as_str()).collect();
                write!(f, "{}{}", if names.len() > 1 { "one of " } else { "" }, names.join(", "))
            }
            Shape::Free => f.write_str("a value"),
        }
    }
}
