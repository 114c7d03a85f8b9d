//! The conversions of the table: a closed set, each of one value.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::set::elements;
use crate::table::{Dictionary, Op};
use crate::time;
use crate::url;
use crate::value::{Value, is_container};
use crate::walk::holds_object;

/// Converts a value; an array element by element. Each failure is reported with the value at fault, and that value is
/// left out.
pub(crate) fn convert<'r>(
    op: Op,
    value: &Value<'r>,
    lookups: &'static [Dictionary],
    failed: &mut dyn FnMut(&Value<'r>, Cause),
) -> Value<'r> {
    match (op, value) {
        (_, Value::Missing) => Value::Missing,
        (Op::Copy, _) => value.clone(),
        (Op::List, Value::Raw(json)) if json.starts_with('[') => value.clone(),
        (Op::List, _) => Value::List(vec![value.clone()]),
        (Op::Json, _) => json_text(value).unwrap_or_else(|cause| {
            failed(value, cause);
            value.clone()
        }),
        (Op::JsonScalars, _) => json_scalars(value).unwrap_or_else(|cause| {
            failed(value, cause);
            Value::Missing
        }),
        (Op::JsonObject, _) => json_object(value).unwrap_or_else(|cause| {
            failed(value, cause);
            Value::Missing
        }),
        (_, Value::Raw(json)) if json.starts_with('[') => {
            let mut kept = Vec::new();
            for item in elements(json) {
                let converted = convert(op, &Value::from_json(item), lookups, failed);
                if !converted.is_missing() {
                    kept.push(converted);
                }
            }
            if kept.is_empty() { Value::Missing } else { Value::List(kept) }
        }
        (_, Value::List(values)) => {
            Value::List(values.iter().map(|value| convert(op, value, lookups, failed)).collect())
        }
        _ => scalar(op, value, lookups).unwrap_or_else(|cause| {
            failed(value, cause);
            Value::Missing
        }),
    }
}

/// Why a value could not be converted.
pub(crate) type Cause = &'static str;

fn scalar<'r>(op: Op, value: &Value<'r>, lookups: &'static [Dictionary]) -> Result<Value<'r>, Cause> {
    match op {
        Op::Keyword => keyword(value),
        Op::Lowercase => {
            Ok(text(value, "is not text")?.map_or(Value::Missing, |text| Value::from_text(text.to_lowercase())))
        }
        Op::Uppercase => {
            Ok(text(value, "is not text")?.map_or(Value::Missing, |text| Value::from_text(text.to_uppercase())))
        }
        Op::Long => long(value),
        Op::Double => double(value),
        Op::Boolean => {
            truth(value).filter(|_| !matches!(value.text().as_deref(), Some("0" | "1"))).ok_or("is not true or false")
        }
        Op::Truth => truth(value).ok_or("is not true or false"),
        Op::Date => {
            if let Value::Time(_) = value {
                return Ok(value.clone());
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
            if text.parse::<IpAddr>().is_ok() { Ok(value.clone()) } else { Err("is not an IP address") }
        }
        Op::Mac => Ok(Value::from_text(mac(&value.string().ok_or("is not a MAC address")?))),
        Op::Object => Ok(value.raw().filter(|json| is_container(json)).map_or(Value::Missing, Value::Raw)),
        Op::Url => url::parts(&value.string().ok_or("is not a URL")?).map(Value::Json).ok_or("is not a URL"),
        Op::Lookup(dictionary) => Ok(find(value, lookups.get(usize::from(dictionary)))),
        Op::Copy | Op::Json | Op::JsonObject | Op::JsonScalars | Op::List => Ok(value.clone()),
        // The engine asks, which knows the host.
        Op::Ask(_) => Ok(Value::Missing),
    }
}

fn text<'v>(value: &'v Value<'_>, cause: Cause) -> Result<Option<Cow<'v, str>>, Cause> {
    match value.text() {
        Some(text) => Ok(Some(text)),
        None if value.is_missing() => Ok(None),
        None => Err(cause),
    }
}

fn keyword<'r>(value: &Value<'r>) -> Result<Value<'r>, Cause> {
    match value {
        Value::Raw(json) if json.starts_with('"') => Ok(value.clone()),
        Value::Raw(json) if is_container(json) => Err("is not a single value"),
        Value::Raw(json) => Ok(Value::Text(Cow::Borrowed(json))),
        _ => {
            Ok(text(value, "is not a single value")?.map_or(Value::Missing, |text| Value::from_text(text.into_owned())))
        }
    }
}

fn long<'r>(value: &Value<'r>) -> Result<Value<'r>, Cause> {
    const CAUSE: Cause = "is not a whole number of 64 bits";
    if let Value::Long(_) = value {
        return Ok(value.clone());
    }
    value.text().and_then(|text| text.trim().parse::<i64>().ok()).map(Value::Long).ok_or(CAUSE)
}

fn double<'r>(value: &Value<'r>) -> Result<Value<'r>, Cause> {
    match value {
        Value::Long(_) => Ok(value.clone()),
        Value::Raw(json) if json.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => Ok(value.clone()),
        _ => {
            let text = value.string().ok_or("is not a number")?;
            let number: f64 = text.trim().parse().map_err(|_| "is not a number")?;
            if !number.is_finite() {
                return Err("is not a finite number");
            }
            // The text itself where JSON allows it as a number, so that no digit changes.
            let json = text.trim();
            match serde_json::from_str::<&serde_json::value::RawValue>(json) {
                Ok(raw) => Ok(Value::Json(raw.get().to_owned())),
                Err(_) => Ok(Value::Json(number.to_string())),
            }
        }
    }
}

fn truth<'r>(value: &Value<'_>) -> Option<Value<'r>> {
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

fn json_text<'r>(value: &Value<'r>) -> Result<Value<'r>, Cause> {
    let Some(text) = value.string() else { return Ok(value.clone()) };
    let parsed: &serde_json::value::RawValue = serde_json::from_str(&text).map_err(|_| "is not JSON text")?;
    let mut json = String::with_capacity(text.len());
    Ok(if crate::write::json(parsed.get(), &mut json) { Value::Json(json) } else { Value::Missing })
}

fn json_object<'r>(value: &Value<'r>) -> Result<Value<'r>, Cause> {
    let parsed = json_text(value)?;
    let fits = match &parsed {
        Value::Raw(json) => is_object(json),
        Value::Json(json) => is_object(json),
        other => other.is_missing(),
    };
    if fits { Ok(parsed) } else { Err("is not an object") }
}

fn json_scalars<'r>(value: &Value<'r>) -> Result<Value<'r>, Cause> {
    let parsed = json_text(value)?;
    let object = match &parsed {
        Value::Raw(json) => holds_object(json),
        Value::Json(json) => holds_object(json),
        _ => false,
    };
    if object { Err("holds an object") } else { Ok(parsed) }
}

/// Whether JSON text is an object or a list of objects, as far as anything is left of it.
fn is_object(json: &str) -> bool {
    let objects = |item: &str| item.starts_with('{') || Value::from_json(item).is_missing();
    json.starts_with('{') || (json.starts_with('[') && elements(json).into_iter().all(objects))
}

fn find<'r>(value: &Value<'_>, dictionary: Option<&'static Dictionary>) -> Value<'r> {
    let (Some(text), Some(dictionary)) = (value.text(), dictionary) else { return Value::Missing };
    let key = if dictionary.ignore_case { Cow::Owned(text.to_lowercase()) } else { text };
    let found = dictionary.entries.binary_search_by(|(entry, _)| (*entry).cmp(&key));
    found.ok().and_then(|at| dictionary.entries.get(at)).map_or(Value::Missing, |(_, json)| Value::Raw(json))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(op: Op, json: &str) -> (Option<String>, Vec<Cause>) {
        let mut causes = Vec::new();
        let value = convert(op, &Value::from_json(json), &[], &mut |_, cause| causes.push(cause));
        (value.to_json(), causes)
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
