//! YAML as a tree that knows where everything is written and keeps the text of every scalar, because only the option says
//! what a scalar is: `client_secret: 0123` is a text, `number_of_files: "7"` a number.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;
use serde_saphyr::{Location, Spanned};

use super::error::{ConfigError, Place, Problem};

/// Options below which keys are names of the user: a dot in them is no level, and nothing is checked by name.
pub(super) const FREE: [&str; 4] = ["endpoint_params", "headers", "processors", "rows"];

/// More than any configuration needs; keeps recursion shallow.
const MAX_DEPTH: usize = 64;

/// A value and where it is written; for a value in a map this is where its key is.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

#[derive(Clone)]
pub(super) enum Value {
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    Map(BTreeMap<String, Node>),
}

#[derive(Clone)]
pub(super) struct Scalar {
    /// As written, without quotes.
    pub(super) text: String,
    /// What YAML takes it for.
    pub(super) typed: Json,
    /// Written without quotes, on one line.
    pub(super) plain: bool,
}

impl Node {
    /// Reads YAML. Dotted keys become levels; a key that is given twice in one way or another is refused.
    pub(super) fn parse(origin: &str, text: &str) -> Result<Self, ConfigError> {
        Self::read(origin, text)?.nested()
    }

    /// Reads YAML as it is written.
    fn read(origin: &str, text: &str) -> Result<Self, ConfigError> {
        let text = text.trim_start_matches('\u{feff}');
        let source = Source { origin: origin.into(), text };
        let options = serde_saphyr::options! {
            with_snippet: false,
            // `0123` and `1_000` are texts where nothing says what they are.
            leading_zero_numbers_as_strings: true,
            underscored_numbers_as_strings: true,
            budget: serde_saphyr::budget! { max_depth: MAX_DEPTH },
        };
        let raw: Spanned<Raw> =
            serde_saphyr::from_str_with_options(text, options).map_err(|error| source.error(&error))?;
        Ok(source.node(raw))
    }

    /// Makes levels of dotted keys.
    fn nested(mut self) -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        self.nest("", &mut problems);
        if problems.is_empty() { Ok(self) } else { Err(ConfigError::Options(problems)) }
    }

    /// Reads `key=value`, the value being YAML.
    pub(super) fn parse_override(text: &str) -> Result<Self, ConfigError> {
        let refused = || ConfigError::Override { key: text.split('=').next().unwrap_or_default().trim().to_owned() };
        let (key, value) = text.split_once('=').ok_or_else(refused)?;
        let key = key.trim();
        if key.split('.').any(str::is_empty) {
            return Err(refused());
        }
        let origin = format!("-E {key}");
        let mut value = Self::read(&origin, value)?;
        value.place.line = 0;
        Self { place: value.place.clone(), value: Value::Map(BTreeMap::from([(key.to_owned(), value)])) }.nested()
    }

    /// Puts overrides over it, in their order.
    pub(super) fn put_over(&mut self, overrides: &[String]) -> Result<(), ConfigError> {
        for text in overrides {
            self.merge(Self::parse_override(text)?);
        }
        Ok(())
    }

    /// Puts another tree over this one: maps are merged, numbers are elements of a list, all else is replaced.
    pub(super) fn merge(&mut self, over: Self) {
        match (&mut self.value, over.value) {
            (Value::Map(members), Value::Map(over)) => {
                for (key, node) in over {
                    match members.entry(key) {
                        Entry::Occupied(mut member) => member.get_mut().merge(node),
                        Entry::Vacant(member) => {
                            member.insert(node);
                        }
                    }
                }
            }
            (Value::List(elements), Value::Map(over))
                if over.keys().all(|key| index(key) < Some(elements.len() + 1)) =>
            {
                for (key, node) in over {
                    match index(&key).and_then(|index| elements.get_mut(index)) {
                        Some(element) => element.merge(node),
                        None => elements.push(node),
                    }
                }
            }
            (_, value) => *self = Self { place: over.place, value },
        }
    }

    /// Where an option is, or else the level that it belongs to.
    pub(super) fn place(&self, option: &str) -> &Place {
        let mut node = self;
        for key in option.split('.') {
            match node.below(key) {
                Some(below) => node = below,
                None => break,
            }
        }
        &node.place
    }

    /// What an option is, where it is written.
    pub(super) fn find(&self, option: &str) -> Option<&Self> {
        option.split('.').try_fold(self, |node, key| node.below(key))
    }

    fn below(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(members) => members.get(key),
            Value::List(elements) => index(key).and_then(|index| elements.get(index)),
            Value::Null | Value::Scalar(_) => None,
        }
    }

    /// Turns `a.b: 1` into `a: {b: 1}`.
    fn nest(&mut self, option: &str, problems: &mut Vec<Problem>) {
        match &mut self.value {
            Value::Null | Value::Scalar(_) => {}
            Value::List(elements) => {
                for (index, element) in elements.iter_mut().enumerate() {
                    element.nest(&join(option, &index.to_string()), problems);
                }
            }
            Value::Map(members) => {
                for (key, mut node) in std::mem::take(members) {
                    let levels = levels(&key);
                    if !levels.iter().any(|level| FREE.contains(level)) {
                        node.nest(&join(option, &key), problems);
                    }
                    put(members, option, &levels, node, problems);
                }
            }
        }
    }
}

/// `inputs.0` and `url` to `inputs.0.url`.
pub(super) fn join(option: &str, key: &str) -> String {
    if option.is_empty() { key.to_owned() } else { format!("{option}.{key}") }
}

fn index(key: &str) -> Option<usize> {
    key.parse().ok()
}

/// The levels of a dotted key. What follows a [`FREE`] one is a single name.
fn levels(key: &str) -> Vec<&str> {
    let mut levels = Vec::new();
    let mut rest = key;
    while let Some((level, below)) = rest.split_once('.') {
        if level.is_empty() || below.is_empty() || levels.last().is_some_and(|last| FREE.contains(last)) {
            break;
        }
        levels.push(level);
        rest = below;
    }
    levels.push(rest);
    levels
}

/// Puts a value into a map by its levels; what is there already may be added to, not replaced.
fn put(members: &mut BTreeMap<String, Node>, option: &str, levels: &[&str], node: Node, problems: &mut Vec<Problem>) {
    let Some((level, below)) = levels.split_first() else { return };
    let option = join(option, level);
    let node = match below {
        [] => node,
        below => {
            let place = node.place.clone();
            let mut inner = BTreeMap::new();
            put(&mut inner, &option, below, node, problems);
            Node { place, value: Value::Map(inner) }
        }
    };
    match members.entry((*level).to_owned()) {
        Entry::Vacant(member) => {
            member.insert(node);
        }
        Entry::Occupied(mut member) => match (&mut member.get_mut().value, node.value) {
            (there @ Value::Null, value) => *there = value,
            (_, Value::Null) => {}
            (Value::Map(members), Value::Map(more)) => {
                for (key, node) in more {
                    put(members, &option, &[&key], node, problems);
                }
            }
            _ => {
                let message = format!("is given twice, the other time at {}; keep one of them", member.get().place);
                problems.push(Problem { place: node.place, option, message });
            }
        },
    }
}

/// What serde-saphyr makes of a node.
enum Raw {
    Null,
    Scalar(Json),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RawVisitor;

        impl<'de> Visitor<'de> for RawVisitor {
            type Value = Raw;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Scalar(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Scalar(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Scalar(value.into()))
            }

            fn visit_i128<E>(self, value: i128) -> Result<Raw, E> {
                Ok(Raw::Scalar(value.to_string().into()))
            }

            fn visit_u128<E>(self, value: u128) -> Result<Raw, E> {
                Ok(Raw::Scalar(value.to_string().into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Scalar(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Scalar(value.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Raw, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = list.next_element()? {
                    elements.push(element);
                }
                Ok(Raw::List(elements))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Raw::Map(members))
            }
        }

        deserializer.deserialize_any(RawVisitor)
    }
}

struct Source<'a> {
    origin: Arc<str>,
    text: &'a str,
}

impl Source<'_> {
    fn place(&self, location: &Location) -> Place {
        Place { origin: self.origin.clone(), line: location.line() }
    }

    fn node(&self, raw: Spanned<Raw>) -> Node {
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Scalar(typed) => Value::Scalar(self.scalar(typed, &raw.defined)),
            Raw::List(elements) => Value::List(elements.into_iter().map(|element| self.node(element)).collect()),
            Raw::Map(members) => Value::Map(
                members
                    .into_iter()
                    .map(|(key, value)| (key.value, Node { place: self.place(&key.referenced), ..self.node(value) }))
                    .collect(),
            ),
        };
        Node { place: self.place(&raw.referenced), value }
    }

    fn scalar(&self, typed: Json, location: &Location) -> Scalar {
        let span = location.span();
        let bounds = span.byte_offset().zip(span.byte_len()).and_then(|(start, length)| {
            let start = usize::try_from(start).ok()?;
            Some(start..start.checked_add(usize::try_from(length).ok()?)?)
        });
        let written = bounds.and_then(|bounds| self.text.get(bounds)).unwrap_or_default().trim_end();
        let text = match &typed {
            Json::String(text) => text.clone(),
            _ if written.is_empty() => typed.to_string(),
            _ => written.to_owned(),
        };
        // The span of a block scalar begins after its `|`.
        let plain = !written.starts_with(['"', '\'']) && !written.contains('\n');
        Scalar { plain: plain && !text.ends_with('\n'), text, typed }
    }

    fn error(&self, error: &serde_saphyr::Error) -> ConfigError {
        let location = error.location();
        let place = match &location {
            Some(location) => self.place(location),
            None => Place { origin: self.origin.clone(), line: 0 },
        };
        let column = location.map_or(0, |location| location.column());
        let message = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
        let message = message.strip_suffix(&format!(" at line {}, column {column}", place.line)).unwrap_or(&message);
        ConfigError::Syntax { message: message.to_owned(), place, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(text: &str) -> Scalar {
        match Node::parse("f", text).unwrap().value {
            Value::Map(mut members) => match members.remove("a").unwrap().value {
                Value::Scalar(scalar) => scalar,
                _ => panic!("{text}: no scalar"),
            },
            _ => panic!("{text}: no map"),
        }
    }

    #[test]
    fn a_scalar_keeps_its_text() {
        for (text, kept, plain) in [
            ("a: 0123", "0123", true),
            ("a: 1_000 # comment", "1_000", true),
            ("b: &x 1.50\na: *x", "1.50", true),
            ("b: &x {a: 1.50}\n<<: *x", "1.50", true),
            ("\u{feff}ü: 1\r\na: 1e3\r\n", "1e3", true),
            ("a: !!str 12", "12", true),
            ("a: \"5\"", "5", false),
            ("a: '5'", "5", false),
            ("a: |\n  7\n", "7\n", false),
        ] {
            let scalar = scalar(text);
            assert_eq!((scalar.text.as_str(), scalar.plain), (kept, plain), "{text}");
        }
    }

    #[test]
    fn a_syntax_error_has_a_place_and_shows_no_value() {
        for (text, place) in [
            ("s: *hunter2", "f:1:4: "),
            ("a: 1\ns: @hunter2", "f:2:4: "),
            ("s: {hunter2", "f:1:4: "),
            ("s: \"hunter2", "f:1:4: "),
            ("s: hunter2: x", "f:1:11: "),
            ("s: !!int hunter2", "f:1:10: "),
            ("s: hunter2\n b: c", "f:2:3: "),
            ("s: a\n---\nb: c", "f:3:1: "),
        ] {
            let error = Node::parse("f", text).err().unwrap().to_string();
            assert!(error.starts_with(place) && !error.contains("hunter2"), "{text}: {error}");
        }
        let deep = "[".repeat(MAX_DEPTH + 1) + &"]".repeat(MAX_DEPTH + 1);
        assert!(Node::parse("f", &deep).err().unwrap().to_string().contains("too complex"));
    }
}
