//! The conversions of the table: a closed set, each of one value.

use std::borrow::Cow;
use std::net::IpAddr;

use defenderbeat_records::{Broken, Cursor};

use crate::arena::Arena;
use crate::set::{elements, items};
use crate::table::{Dictionary, Op};
use crate::time;
use crate::url;
use crate::value::{Value, is_container};
use crate::walk::holds_object;

/// What conversions of a record have in common.
pub(crate) struct Converter<'r> {
    lookups: &'static [Dictionary],
    arena: &'r Arena,
    /// Values that could not be converted, and why.
    pub(crate) failures: Vec<(Value<'r>, Cause)>,
}

/// Why a value could not be converted.
pub(crate) type Cause = &'static str;

impl<'r> Converter<'r> {
    pub(crate) fn new(lookups: &'static [Dictionary], arena: &'r Arena) -> Self {
        Self { lookups, arena, failures: Vec::new() }
    }

    /// Converts a value; an array element by element. A value at fault is added to the failures and left out.
    pub(crate) fn convert(&mut self, op: Op, value: Value<'r>) -> Value<'r> {
        match (op, value) {
            (_, Value::Missing) => Value::Missing,
            (Op::Copy, _) => value,
            (Op::List, Value::Raw(json)) if json.starts_with('[') => value,
            (Op::List, _) => Value::List(self.arena.list(&[value])),
            (Op::Json, _) => self.json_text(value).unwrap_or_else(|cause| {
                self.failures.push((value, cause));
                value
            }),
            (Op::JsonScalars, _) => {
                let converted = self.json_scalars(value);
                self.or_fail(value, converted)
            }
            (Op::JsonObject, _) => {
                let converted = self.json_object(value);
                self.or_fail(value, converted)
            }
            (_, Value::Raw(json)) if json.starts_with('[') => {
                let converted = items(json).into_iter().map(|item| self.convert(op, Value::read(item)));
                let kept: Vec<Value<'r>> = converted.filter(|value| !value.is_missing()).collect();
                if kept.is_empty() { Value::Missing } else { Value::List(self.arena.list(&kept)) }
            }
            (_, Value::List(values)) => {
                let converted: Vec<Value<'r>> = values.iter().map(|value| self.convert(op, *value)).collect();
                Value::List(self.arena.list(&converted))
            }
            _ => {
                let converted = self.scalar(op, value);
                self.or_fail(value, converted)
            }
        }
    }

    fn or_fail(&mut self, value: Value<'r>, converted: Result<Value<'r>, Cause>) -> Value<'r> {
        converted.unwrap_or_else(|cause| {
            self.failures.push((value, cause));
            Value::Missing
        })
    }

    fn scalar(&self, op: Op, value: Value<'r>) -> Result<Value<'r>, Cause> {
        match op {
            Op::Keyword => self.keyword(value),
            Op::Lowercase => Ok(Value::from_text(self.arena.lowercase(self.keep(value, "is not text")?))),
            Op::Uppercase => Ok(self.text(&value.text().ok_or("is not text")?.to_uppercase())),
            Op::Long => long(value),
            Op::Double => self.double(value),
            Op::Boolean => truth(value)
                .filter(|_| !matches!(value.text().as_deref(), Some("0" | "1")))
                .ok_or("is not true or false"),
            Op::Truth => truth(value).ok_or("is not true or false"),
            Op::Date => {
                if let Value::Time(_) = value {
                    return Ok(value);
                }
                let text = value.string().ok_or("is not a date")?;
                time::parse(&text).map(Value::Time).ok_or("is not a date")
            }
            Op::Ip => {
                let text = value.string().ok_or("is not an IP address")?;
                // A dash stands for none.
                if text == "-" {
                    return Ok(Value::Missing);
                }
                if text.parse::<IpAddr>().is_ok() { Ok(value) } else { Err("is not an IP address") }
            }
            Op::Mac => Ok(self.text(&mac(&value.string().ok_or("is not a MAC address")?))),
            Op::Object => Ok(value.raw().filter(|json| is_container(json)).map_or(Value::Missing, Value::Raw)),
            Op::Url => {
                let json = value.string().and_then(|text| url::parts(&text, self.arena)).ok_or("is not a URL")?;
                Ok(Value::Json(json))
            }
            Op::Lookup(dictionary) => Ok(find(value, self.lookups.get(usize::from(dictionary)))),
            Op::Copy | Op::Json | Op::JsonObject | Op::JsonScalars | Op::List => Ok(value),
            // The engine asks, which knows the host.
            Op::Ask(_) => Ok(Value::Missing),
        }
    }

    fn text(&self, text: &str) -> Value<'r> {
        Value::from_text(self.arena.text(text))
    }

    /// The text of a value, for as long as the record lives.
    fn keep(&self, value: Value<'r>, cause: Cause) -> Result<&'r str, Cause> {
        Ok(self.arena.keep(value.text().ok_or(cause)?))
    }

    fn keyword(&self, value: Value<'r>) -> Result<Value<'r>, Cause> {
        match value {
            Value::Quoted { .. } => Ok(value),
            Value::Raw(json) if json.starts_with('"') => Ok(value),
            Value::Raw(json) if is_container(json) => Err("is not a single value"),
            Value::Raw(json) => Ok(Value::Text(json)),
            _ => Ok(Value::from_text(self.keep(value, "is not a single value")?)),
        }
    }

    fn double(&self, value: Value<'r>) -> Result<Value<'r>, Cause> {
        match value {
            Value::Long(_) => Ok(value),
            Value::Raw(json) if json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => Ok(value),
            _ => {
                let text = value.string().ok_or("is not a number")?;
                let number: f64 = text.trim().parse().map_err(|_| "is not a number")?;
                if !number.is_finite() {
                    return Err("is not a finite number");
                }
                // The text itself where JSON allows it as a number, so that no digit changes.
                let json = text.trim();
                match serde_json::from_str::<&serde_json::value::RawValue>(json) {
                    Ok(raw) => Ok(Value::Json(self.arena.text(raw.get()))),
                    Err(_) => Ok(Value::Json(self.arena.text(&number.to_string()))),
                }
            }
        }
    }

    fn json_text(&self, value: Value<'r>) -> Result<Value<'r>, Cause> {
        let Some(text) = value.string() else { return Ok(value) };
        let mut cursor = Cursor::new(&text);
        let json = cursor.value().map_err(|Broken| "is not JSON text")?;
        if !cursor.is_at_end() {
            return Err("is not JSON text");
        }
        Ok(Value::pruned(json.text, self.arena))
    }

    fn json_object(&self, value: Value<'r>) -> Result<Value<'r>, Cause> {
        let parsed = self.json_text(value)?;
        let fits = match parsed {
            Value::Raw(json) | Value::Json(json) => is_object(json),
            other => other.is_missing(),
        };
        if fits { Ok(parsed) } else { Err("is not an object") }
    }

    fn json_scalars(&self, value: Value<'r>) -> Result<Value<'r>, Cause> {
        let parsed = self.json_text(value)?;
        let object = match parsed {
            Value::Raw(json) | Value::Json(json) => holds_object(json),
            _ => false,
        };
        if object { Err("holds an object") } else { Ok(parsed) }
    }
}

fn long<'r>(value: Value<'r>) -> Result<Value<'r>, Cause> {
    const CAUSE: Cause = "is not a whole number of 64 bits";
    if let Value::Long(_) = value {
        return Ok(value);
    }
    if let Value::Raw(json) = value
        && let Ok(number) = json.parse()
    {
        return Ok(Value::Long(number));
    }
    value.text().and_then(|text| text.trim().parse::<i64>().ok()).map(Value::Long).ok_or(CAUSE)
}

fn truth<'r>(value: Value<'r>) -> Option<Value<'r>> {
    let text = value.text()?;
    if text.eq_ignore_ascii_case("true") || text == "1" {
        Some(Value::Bool(true))
    } else if text.eq_ignore_ascii_case("false") || text == "0" {
        Some(Value::Bool(false))
    } else {
        None
    }
}

/// Upper case, `:` and `.` become `-`; where there is no `-`, one is put between pairs of characters.
fn mac(text: &str) -> String {
    let text = text.replace([':', '.'], "-").to_uppercase();
    if text.contains('-') {
        return text;
    }
    let mut joined = String::with_capacity(text.len() + text.len() / 2);
    for (at, character) in text.chars().enumerate() {
        if at > 0 && at % 2 == 0 {
            joined.push('-');
        }
        joined.push(character);
    }
    joined
}

/// Whether JSON text is an object or a list of objects, as far as anything is left of it.
fn is_object(json: &str) -> bool {
    let objects = |item: &str| item.starts_with('{') || Value::from_json(item).is_missing();
    json.starts_with('{') || (json.starts_with('[') && elements(json).into_iter().all(objects))
}

fn find<'r>(value: Value<'r>, dictionary: Option<&'static Dictionary>) -> Value<'r> {
    let (Some(text), Some(dictionary)) = (value.text(), dictionary) else { return Value::Missing };
    let key = if dictionary.ignore_case { Cow::Owned(text.to_lowercase()) } else { text };
    let found = dictionary.entries.binary_search_by(|(entry, _)| (*entry).cmp(&key));
    found.ok().and_then(|at| dictionary.entries.get(at)).map_or(Value::Missing, |(_, json)| Value::Raw(json))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(op: Op, json: &str) -> (Option<String>, Vec<Cause>) {
        let arena = Arena::default();
        let mut converter = Converter::new(&[], &arena);
        let value = converter.convert(op, Value::from_json(json));
        (value.to_json(), converter.failures.into_iter().map(|(_, cause)| cause).collect())
    }

    #[test]
    fn each_conversion_takes_what_it_names_and_nothing_else() {
        for (op, json, expected) in [
            (Op::Keyword, "12", Some("\"12\"")),
            (Op::Keyword, "true", Some("\"true\"")),
            (Op::Keyword, r#""a\/b""#, Some(r#""a\/b""#)),
            (Op::Lowercase, r#""ÄB\u0043""#, Some(r#""äbc""#)),
            (Op::Long, "\"8224\"", Some("8224")),
            (Op::Long, "9223372036854775807", Some("9223372036854775807")),
            (Op::Double, "1.10", Some("1.10")),
            (Op::Double, "\"7.50\"", Some("7.50")),
            (Op::Double, "\".5\"", Some("0.5")),
            (Op::Boolean, "\"TRUE\"", Some("true")),
            (Op::Truth, "\"1\"", Some("true")),
            (Op::Truth, "0", Some("false")),
            (Op::Ip, "\"FE80::1\"", Some("\"FE80::1\"")),
            (Op::Ip, "\"-\"", None),
            (Op::Mac, "\"000c2910f1da\"", Some("\"00-0C-29-10-F1-DA\"")),
            (Op::Mac, "\"00:0c:29\"", Some("\"00-0C-29\"")),
            (Op::Json, r#""{\"a\": [1, null]}""#, Some(r#"{"a":[1]}"#)),
            (Op::Json, r#"{"a": 1}"#, Some(r#"{"a":1}"#)),
            (Op::List, "\"x\"", Some("[\"x\"]")),
            (Op::List, "[\"x\"]", Some("[\"x\"]")),
            (Op::Object, r#"{"a":""}"#, None),
            (Op::Object, r#"[{"a":1},"x"]"#, Some(r#"[{"a":1}]"#)),
            (Op::Object, "\"x\"", None),
        ] {
            let (value, causes) = converted(op, json);
            assert_eq!(value.as_deref(), expected, "{op:?} {json}");
            assert!(causes.is_empty(), "{op:?} {json}");
        }
    }

    #[test]
    fn failures_are_reported_and_leave_nothing() {
        for (op, json) in [
            (Op::Keyword, r#"{"a":1}"#),
            (Op::Long, "1.5"),
            (Op::Long, "9223372036854775808"),
            (Op::Long, "\"x\""),
            (Op::Double, "\"NaN\""),
            (Op::Boolean, "1"),
            (Op::Truth, "\"yes\""),
            (Op::Date, "5"),
            (Op::Ip, "\"1.2.3\""),
        ] {
            let (value, causes) = converted(op, json);
            assert_eq!((value, causes.len()), (None, 1), "{op:?} {json}");
        }
    }

    #[test]
    fn a_bad_element_leaves_the_list_and_the_others_stay() {
        let (value, causes) = converted(Op::Ip, r#"["10.0.0.1", "x", null, "::1"]"#);
        assert_eq!((value.as_deref(), causes.len()), (Some(r#"["10.0.0.1","::1"]"#), 1));
    }

    #[test]
    fn text_that_is_no_json_stays_text_and_is_reported() {
        let (value, causes) = converted(Op::Json, "\"a b\"");
        assert_eq!((value.as_deref(), causes.len()), (Some("\"a b\""), 1));
    }
}
