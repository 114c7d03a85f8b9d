//! JSON for comparing: numbers keep their text, half a surrogate pair is no error, a key that comes twice is one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Objects and lists nested deeper are compared as text.
const DEPTH: usize = 512;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json {
    Object(BTreeMap<String, Json>),
    List(Vec<Json>),
    Text(String),
    /// A number, as it is written; or a value that is nested too deeply.
    Number(String),
    Bool(bool),
    Null,
}

impl Json {
    /// Reads JSON text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        read(&without_lone_surrogates(text), DEPTH)
    }

    /// The value at a path of keys, separated by dots.
    pub(super) fn get(&self, path: &str) -> Option<&Json> {
        path.split('.').try_fold(self, |value, key| match value {
            Json::Object(members) => members.get(key),
            _ => None,
        })
    }

    /// Takes the value at a path away.
    pub(super) fn remove(&mut self, path: &str) {
        let Json::Object(members) = self else { return };
        match path.split_once('.') {
            None => {
                members.remove(path);
            }
            Some((key, below)) => {
                if let Some(value) = members.get_mut(key) {
                    value.remove(below);
                }
            }
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether both are the same; numbers by their value.
    pub(super) fn same(&self, other: &Json) -> bool {
        match (self, other) {
            (Json::Object(left), Json::Object(right)) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .zip(right)
                        .all(|((key, value), (other_key, other))| key == other_key && value.same(other))
            }
            (Json::List(left), Json::List(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(value, other)| value.same(other))
            }
            (Json::Number(left), Json::Number(right)) => {
                left == right || {
                    let whole = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
                    // Whole numbers that differ in their text differ, even where double precision does not show it.
                    !(whole(left) && whole(right)) && left.parse::<f64>() == right.parse::<f64>()
                }
            }
            _ => self == other,
        }
    }
}

/// Compact JSON text.
impl fmt::Display for Json {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Object(members) => {
                formatter.write_str("{")?;
                for (at, (key, value)) in members.iter().enumerate() {
                    let comma = if at > 0 { "," } else { "" };
                    write!(formatter, "{comma}{}:{value}", serde_json::Value::from(key.as_str()))?;
                }
                formatter.write_str("}")
            }
            Json::List(items) => {
                formatter.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    let comma = if at > 0 { "," } else { "" };
                    write!(formatter, "{comma}{item}")?;
                }
                formatter.write_str("]")
            }
            Json::Text(text) => write!(formatter, "{}", serde_json::Value::from(text.as_str())),
            Json::Number(text) => formatter.write_str(text),
            Json::Bool(truth) => write!(formatter, "{truth}"),
            Json::Null => formatter.write_str("null"),
        }
    }
}

fn read(text: &str, depth: usize) -> Result<Json, String> {
    let error = |error: serde_json::Error| format!("is not JSON: {error}");
    Ok(match text.trim_start().as_bytes().first() {
        Some(b'{' | b'[') if depth == 0 => Json::Number(text.trim().to_owned()),
        Some(b'{') => {
            let mut object = BTreeMap::new();
            for (key, value) in serde_json::from_str::<Members<'_>>(text).map_err(error)?.0 {
                let value = read(value.get(), depth - 1)?;
                if object.contains_key(&key) {
                    return Err(format!("the key {key} comes twice"));
                }
                object.insert(key, value);
            }
            Json::Object(object)
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(error)?;
            Json::List(items.into_iter().map(|item| read(item.get(), depth - 1)).collect::<Result<_, _>>()?)
        }
        Some(b'"') => Json::Text(serde_json::from_str(text).map_err(error)?),
        _ => match serde_json::from_str::<&RawValue>(text).map_err(error)?.get() {
            "null" => Json::Null,
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            number => Json::Number(number.to_owned()),
        },
    })
}

/// The members of an object in their order, repeats included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// Replaces the escape of half a surrogate pair, which JSON allows and serde_json refuses, by that of U+FFFD.
fn without_lone_surrogates(text: &str) -> Cow<'_, str> {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        let end =
            match (code_unit(escape), escape.get(5..).and_then(|after| after.strip_prefix('\\')).and_then(code_unit)) {
                (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 11,
                (Some(0xD800..=0xDFFF), _) => {
                    kept.push_str(plain);
                    kept.push_str("\\ufffd");
                    rest = escape.get(5..).unwrap_or_default();
                    continue;
                }
                _ => escape.chars().next().map_or(0, char::len_utf8),
            };
        kept.push_str(plain);
        kept.push('\\');
        kept.push_str(escape.get(..end).unwrap_or_default());
        rest = escape.get(end..).unwrap_or_default();
    }
    if kept.is_empty() {
        return Cow::Borrowed(text);
    }
    kept.push_str(rest);
    Cow::Owned(kept)
}

/// The UTF-16 unit of `uXXXX`.
fn code_unit(escape: &str) -> Option<u32> {
    u32::from_str_radix(escape.strip_prefix('u')?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_compared_by_value_and_keep_their_digits() {
        assert!(parse("1.0").same(&parse("1")));
        assert!(!parse("9007199254740993").same(&parse("9007199254740992")));
        assert_eq!(parse("[1e400, 1.10]").to_string(), "[1e400,1.10]");
    }

    #[test]
    fn half_a_surrogate_pair_is_read() {
        assert_eq!(parse(r#""a\ud83d\\ud83d\ud83d\ude00""#), Json::Text("a\u{fffd}\\ud83d😀".to_owned()));
        assert_eq!(parse(r#""\udc00""#), Json::Text("\u{fffd}".to_owned()));
    }

    #[test]
    fn a_key_that_comes_twice_is_refused() {
        assert!(Json::parse(r#"{"a":{"b":1,"b":2}}"#).unwrap_err().contains("the key b comes twice"));
        assert!(Json::parse(r#"{"a":"#).is_err());
    }
}
