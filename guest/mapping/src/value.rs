//! A value between source and output.

use std::borrow::Cow;

use defenderbeat_records::{Json, plain_length};

use crate::arena::Arena;
use crate::digits::decimal;
use crate::text::Text;
use crate::time::{self, Ticks};
use crate::write;

/// A value between source and output. `'r` is the record, and the [`Arena`](crate::Arena) of what is made of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Value<'r> {
    /// Absent, null or empty text.
    #[default]
    Missing,
    /// JSON text of the record, as delivered: never null or empty text, but perhaps an object that prunes to nothing.
    Raw(&'r str),
    /// As [`Raw`](Self::Raw), of a string whose text is known.
    Quoted {
        /// As delivered, with quotes.
        json: &'r str,
        /// What it says, without escapes.
        text: &'r str,
    },
    /// Unescaped text.
    Text(&'r str),
    /// JSON text made here, compact and pruned.
    Json(&'r str),
    /// A whole number.
    Long(i64),
    /// A truth value.
    Bool(bool),
    /// An instant, written with milliseconds.
    Time(Ticks),
    /// Several values.
    List(&'r [Value<'r>]),
}

impl<'r> Value<'r> {
    /// The value of JSON text: empty text, null and empty containers, however they are spaced, are absent.
    #[inline]
    pub fn from_json(json: &'r str) -> Self {
        match json {
            "null" | "\"\"" | "{}" | "[]" => Value::Missing,
            _ if is_blank(json) => Value::Missing,
            _ => Value::Raw(json),
        }
    }

    /// As [`from_json`](Self::from_json), of what a cursor has read.
    #[inline(always)]
    pub fn read(json: Json<'r>) -> Self {
        match json.plain {
            true if json.text.len() > 2 => Value::Quoted { json: json.text, text: inner(json.text) },
            true => Value::Missing,
            false => Self::from_json(json.text),
        }
    }

    /// Text that is absent when empty.
    #[inline]
    pub fn from_text(text: &'r str) -> Self {
        if text.is_empty() { Value::Missing } else { Value::Text(text) }
    }

    /// A copy of JSON text, compact, empties pruned.
    pub fn pruned(json: &str, arena: &'r Arena) -> Self {
        if write::is_pruned(json) {
            return Value::Json(arena.text(json));
        }
        let pruned = arena.write(|out| {
            write::json(json, out);
        });
        if pruned.is_empty() { Value::Missing } else { Value::Json(pruned) }
    }

    /// The members of an object, keys unescaped, values as they are written; of text that holds an object, too. None
    /// where it is no object.
    pub fn members<T>(&self, read: impl FnOnce(Vec<(Cow<'_, str>, Json<'_>)>) -> T) -> Option<T> {
        let text = match self {
            Value::Raw(json) if !json.starts_with('"') => Cow::Borrowed(*json),
            Value::Json(json) => Cow::Borrowed(*json),
            _ => self.string()?,
        };
        crate::members::members(&text).map(read)
    }

    /// Whether there is nothing.
    #[inline]
    pub fn is_missing(&self) -> bool {
        matches!(self, Value::Missing)
    }

    /// The text of a scalar: strings unescaped, numbers and booleans as they are written.
    #[inline]
    pub fn text(&self) -> Option<Cow<'r, str>> {
        match *self {
            Value::Quoted { text, .. } | Value::Text(text) => Some(Cow::Borrowed(text)),
            Value::Raw(json) | Value::Json(json) => scalar_text(json),
            Value::Long(number) => Some(Cow::Owned(whole(number))),
            Value::Bool(truth) => Some(Cow::Borrowed(if truth { "true" } else { "false" })),
            Value::Time(ticks) => Some(Cow::Owned(time::format_millis(ticks))),
            Value::Missing | Value::List(_) => None,
        }
    }

    /// The text of a JSON string; none for any other type.
    #[inline]
    pub fn string(&self) -> Option<Cow<'r, str>> {
        match *self {
            Value::Quoted { text, .. } | Value::Text(text) => Some(Cow::Borrowed(text)),
            Value::Raw(json) | Value::Json(json) if json.starts_with('"') => scalar_text(json),
            _ => None,
        }
    }

    /// The JSON text of the record, where the value is one.
    #[inline]
    pub fn raw(&self) -> Option<&'r str> {
        match *self {
            Value::Raw(json) | Value::Quoted { json, .. } => Some(json),
            _ => None,
        }
    }

    /// The value as JSON text, empties pruned; none where nothing is left.
    pub fn to_json(&self) -> Option<String> {
        let mut json = Text::default();
        write::value(self, &mut json).then(|| json.into_string())
    }
}

/// The text of a whole number.
fn whole(number: i64) -> String {
    // Digits are text.
    String::from_utf8(decimal(number, &mut [0; 24]).to_vec()).unwrap_or_default()
}

/// What stands between the quotes of a JSON string.
#[inline]
fn inner(json: &str) -> &str {
    json.get(1..json.len() - 1).unwrap_or_default()
}

/// Whether JSON text is an object or an array.
pub(crate) fn is_container(json: &str) -> bool {
    matches!(json.as_bytes().first(), Some(b'{' | b'['))
}

/// The text of a JSON scalar; none for containers and null.
pub(crate) fn scalar_text(json: &str) -> Option<Cow<'_, str>> {
    if let Some(inner) = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return Some(unescape(inner));
    }
    (!is_container(json) && json != "null").then_some(Cow::Borrowed(json))
}

/// Resolves JSON escapes (RFC 8259, section 7). A surrogate without its twin becomes U+FFFD.
pub(crate) fn unescape(inner: &str) -> Cow<'_, str> {
    let at = plain_length(inner.as_bytes());
    if at == inner.len() {
        return Cow::Borrowed(inner);
    }
    let mut text = Text::with_capacity(inner.len());
    write_unescaped(inner, at, &mut text);
    Cow::Owned(text.into_string())
}

/// Writes what the inside of a JSON string says, of which the bytes before `at` are plain.
pub(crate) fn write_unescaped(inner: &str, mut at: usize, text: &mut Text) {
    let mut from = 0;
    loop {
        text.push_str(inner.get(from..at).unwrap_or_default());
        from = at + 2;
        match inner.as_bytes().get(at + 1) {
            // Not in JSON text, where nothing but a backslash can stand at the end of what is plain.
            _ if inner.as_bytes().get(at) != Some(&b'\\') => {
                text.push_str(inner.get(at..).and_then(|rest| rest.get(..1)).unwrap_or_default());
                from = at + 1;
            }
            Some(b'b') => text.push('\u{8}'),
            Some(b'f') => text.push('\u{c}'),
            Some(b'n') => text.push('\n'),
            Some(b'r') => text.push('\r'),
            Some(b't') => text.push('\t'),
            Some(b'u') => {
                let (unit, after) = code_unit(inner.get(from..).unwrap_or_default());
                let low = after.strip_prefix("\\u").map(code_unit);
                let (scalar, after) = match (unit, low) {
                    (0xD800..=0xDBFF, Some((low @ 0xDC00..=0xDFFF, after))) => {
                        (0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), after)
                    }
                    _ => (unit, after),
                };
                text.push(char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER));
                from = inner.len() - after.len();
            }
            Some(byte) if byte.is_ascii() => text.push(char::from(*byte)),
            // What is escaped stays, whatever it is.
            Some(_) => from = at + 1,
            None => return,
        }
        let rest = inner.as_bytes().get(from..).unwrap_or_default();
        at = from + plain_length(rest);
        if at >= inner.len() {
            text.push_str(inner.get(from..).unwrap_or_default());
            return;
        }
    }
}

fn code_unit(rest: &str) -> (u32, &str) {
    match rest.split_at_checked(4) {
        Some((digits, after)) => (u32::from_str_radix(digits, 16).unwrap_or(0xFFFD), after),
        None => (0xFFFD, rest),
    }
}

/// Whether a container holds nothing but white space.
fn is_blank(json: &str) -> bool {
    match json.as_bytes() {
        [b'{' | b'[', inner @ .., b'}' | b']'] if inner.first().is_some_and(u8::is_ascii_whitespace) => {
            inner.iter().all(u8::is_ascii_whitespace)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_resolve_and_lone_surrogates_are_replaced() {
        assert_eq!(unescape(r"a\/b\u0041\n\ud83d\ude00"), "a/bA\n😀");
        assert_eq!(unescape(r"\ud83dx"), "\u{fffd}x");
        assert_eq!(unescape(r"\ud83d\u0041"), "\u{fffd}A");
        assert_eq!(unescape(r"\udc00"), "\u{fffd}");
    }

    #[test]
    fn text_of_scalars() {
        assert_eq!(Value::Raw("12").text().unwrap(), "12");
        assert_eq!(Value::Raw("\"12\"").text().unwrap(), "12");
        assert!(Value::Raw("[1]").text().is_none());
        assert!(Value::Raw("12").string().is_none());
    }
}
