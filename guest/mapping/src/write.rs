//! Writing JSON: one document a line, keys in a fixed order, empties left out.

use std::fmt::Write as _;

use defenderbeat_records::plain_length;

use crate::digits::decimal;
use crate::table::{Key, Object, Padded};
use crate::text::Text;
use crate::time;
use crate::value::{Value, is_container};

/// Writes an object whose fields come sorted by path. Objects are opened when their first field comes, so an object
/// without fields never appears.
pub(crate) struct ObjectWriter<'w> {
    out: &'w mut Text,
    objects: &'static [Object],
    /// The innermost object that is open.
    current: u16,
    /// Whether nothing is written in it.
    fresh: bool,
    start: usize,
}

impl<'w> ObjectWriter<'w> {
    pub(crate) fn new(out: &'w mut Text, objects: &'static [Object]) -> Self {
        let start = out.len();
        out.push('{');
        Self { out, objects, current: 0, fresh: true, start }
    }

    /// Goes on within an object whose fields are written so far; nothing, where its first is to come.
    pub(crate) fn within(out: &'w mut Text, objects: &'static [Object], object: u16) -> Self {
        let fresh = out.is_empty();
        Self { out, objects, current: object, fresh, start: 0 }
    }

    /// Writes one field. Nothing is written where `value` writes nothing.
    #[inline(always)]
    pub(crate) fn field(&mut self, object: u16, key: &Key, value: impl FnOnce(&mut Text) -> bool) {
        let before = self.out.len();
        self.enter(object);
        self.out.push_padded(key);
        self.end_field(object, before, value);
    }

    /// As [`field`](Self::field), with a key that is no table's: `"name":`.
    pub(crate) fn member(&mut self, object: u16, key: &str, value: impl FnOnce(&mut Text) -> bool) {
        let before = self.out.len();
        self.enter(object);
        self.out.push_str(key);
        self.end_field(object, before, value);
    }

    #[inline(always)]
    fn end_field(&mut self, object: u16, before: usize, value: impl FnOnce(&mut Text) -> bool) {
        if value(self.out) {
            self.current = object;
            self.fresh = false;
        } else {
            self.out.truncate(before);
        }
    }

    /// Writes what stands before a member of an object.
    #[inline(always)]
    fn enter(&mut self, object: u16) {
        if self.current != object {
            self.move_to(object);
        } else if !self.fresh {
            self.out.push(',');
        }
    }

    /// Closes and opens what lies between the current object and another.
    fn move_to(&mut self, object: u16) {
        let Some(wanted) = self.objects.get(usize::from(object)) else { return };
        let open = self.chain();
        let common = open.iter().zip(wanted.chain).take_while(|(open, wanted)| open == wanted).count();
        self.close(open.len() - common);
        if !self.fresh {
            self.out.push(',');
        }
        if let Some(opening) = wanted.opens.get(common) {
            self.out.push_padded(opening);
        }
    }

    /// Objects that are open, the root left out.
    fn chain(&self) -> &'static [u16] {
        self.objects.get(usize::from(self.current)).map_or(&[], |object| object.chain)
    }

    fn close(&mut self, count: usize) {
        static ALL: Padded<8> = Padded::new("}}}}}}}}");
        match count {
            0..=8 => self.out.push_first(&ALL, count),
            _ => (0..count).for_each(|_| self.out.push('}')),
        }
    }

    /// Writes fields that follow each other in one piece: what stands between the key of the first, which belongs to
    /// object `first`, and the value of the last, which belongs to object `last`.
    pub(crate) fn run(&mut self, first: u16, last: u16, text: impl FnOnce(&mut Text)) {
        self.member(first, "", |out| {
            text(out);
            true
        });
        self.current = last;
    }

    /// Ends the object; false, and nothing written, where it is empty.
    pub(crate) fn end(mut self) -> bool {
        if self.fresh {
            self.out.truncate(self.start);
            return false;
        }
        self.close(self.chain().len() + 1);
        true
    }
}

/// Writes a value; false, and nothing written, where it is empty.
#[inline]
pub(crate) fn value(value: &Value<'_>, out: &mut Text) -> bool {
    match value {
        // Mostly it is one of these.
        Value::Quoted { json, .. } => out.push_str(json),
        Value::Text(text) => string(text, out),
        Value::Raw(json) if !is_container(json) && *json != "null" && *json != "\"\"" => out.push_str(json),
        value => return other(value, out),
    }
    true
}

#[inline(never)]
fn other(value: &Value<'_>, out: &mut Text) -> bool {
    match value {
        Value::Missing => return false,
        Value::Raw(json) => return self::json(json, out),
        Value::Quoted { json, .. } | Value::Json(json) => out.push_str(json),
        Value::Text(text) => string(text, out),
        Value::Long(number) => out.push_ascii_slice(decimal(*number, &mut [0; 24])),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Time(ticks) => {
            out.push('"');
            time::write_millis(*ticks, out);
            out.push('"');
        }
        Value::List(values) => return list(values, out),
    }
    true
}

/// Writes a list; false, and nothing written, where it is empty.
pub(crate) fn list(values: &[Value<'_>], out: &mut Text) -> bool {
    let start = out.len();
    for item in values {
        let before = out.len();
        out.push(if before == start { '[' } else { ',' });
        if !value(item, out) {
            out.truncate(before);
        }
    }
    if out.len() == start {
        return false;
    }
    out.push(']');
    true
}

pub(crate) fn push_display(out: &mut Text, value: impl std::fmt::Display) {
    // Writing to a text cannot fail.
    let _ = write!(out, "{value}");
}

/// Writes text as a JSON string. The escapes are those that RFC 8259 requires, the short forms where there is one.
pub fn string(text: &str, out: &mut Text) {
    out.push('"');
    escaped(text, out);
    out.push('"');
}

/// Writes text with JSON escapes, without the quotes around it.
pub(crate) fn escaped(text: &str, out: &mut Text) {
    let bytes = text.as_bytes();
    let (mut from, mut at) = (0, plain_length(bytes));
    while let Some(special) = bytes.get(at) {
        out.push_str(text.get(from..at).unwrap_or_default());
        from = at + 1;
        match special {
            b'"' | b'\\' => {
                out.push('\\');
                // It goes with what follows.
                from = at;
            }
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => push_display(out, format_args!("\\u{control:04x}")),
        }
        at += 1;
        at += plain_length(bytes.get(at..).unwrap_or_default());
    }
    out.push_str(text.get(from..).unwrap_or_default());
}

/// Copies JSON text, compact, without nulls, empty texts and containers that are or become empty, from the inside
/// out. False, and nothing written, where nothing is left. The text must be valid JSON, as the parser's raw text is;
/// nesting costs heap, not stack.
pub fn json(json: &str, out: &mut Text) -> bool {
    if is_pruned(json) {
        out.push_str(json);
        return true;
    }
    if !is_container(json) {
        return false;
    }
    let start = out.len();
    let mut open: Vec<Container> = Vec::new();
    let mut key = None;
    let mut rest = json;
    while let Some(first) = rest.bytes().next() {
        match first {
            b'{' | b'[' => {
                let rollback = out.len();
                prefix(&open, key.take(), out);
                out.push(char::from(first));
                open.push(Container { object: first == b'{', rollback, members: false });
                rest = rest.get(1..).unwrap_or_default();
            }
            b'}' | b']' => {
                if let Some(container) = open.pop() {
                    if container.members {
                        out.push(char::from(first));
                        if let Some(parent) = open.last_mut() {
                            parent.members = true;
                        }
                    } else {
                        out.truncate(container.rollback);
                    }
                }
                rest = rest.get(1..).unwrap_or_default();
            }
            b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => rest = rest.get(1..).unwrap_or_default(),
            _ => {
                let (scalar, tail) = rest.split_at_checked(scalar_length(rest)).unwrap_or((rest, ""));
                rest = tail;
                if key.is_none() && open.last().is_some_and(|container| container.object) {
                    key = Some(scalar);
                } else if scalar == "null" || scalar == "\"\"" {
                    key = None;
                } else {
                    prefix(&open, key.take(), out);
                    out.push_str(scalar);
                    if let Some(container) = open.last_mut() {
                        container.members = true;
                    }
                }
            }
        }
    }
    out.len() > start
}

/// Whether JSON text is as [`json`] would write it, which is what programs send mostly; a key that is empty is not looked
/// at closely.
pub fn is_pruned(json: &str) -> bool {
    if !is_container(json) {
        return json != "null" && json != "\"\"";
    }
    let bytes = json.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at = match byte {
            b'"' => match string_end(bytes, at) {
                end if end == at + 2 => return false,
                end => end,
            },
            b'{' | b'[' if matches!(bytes.get(at + 1), Some(b'}' | b']')) => return false,
            // Outside of strings only null begins so.
            b' ' | b'\t' | b'\n' | b'\r' | b'n' => return false,
            _ => at + 1,
        };
    }
    true
}

struct Container {
    object: bool,
    rollback: usize,
    members: bool,
}

fn prefix(open: &[Container], key: Option<&str>, out: &mut Text) {
    if open.last().is_some_and(|container| container.members) {
        out.push(',');
    }
    if let Some(key) = key {
        out.push_str(key);
        out.push(':');
    }
}

/// Length of the scalar that the text begins with.
pub(crate) fn scalar_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return bytes
            .iter()
            .position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'))
            .unwrap_or(bytes.len());
    }
    string_end(bytes, 0)
}

/// Where the string ends that begins at a place.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(rest) = bytes.get(at..) {
        at += plain_length(rest);
        match bytes.get(at) {
            Some(b'"') => return at + 1,
            Some(b'\\') => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pruned(text: &str) -> Option<String> {
        let mut out = Text::default();
        let written = json(text, &mut out).then(|| out.into_string());
        // What is pruned stays as it is.
        assert!(written.as_deref().is_none_or(|written| pruned_again(written) == written));
        assert_eq!(is_pruned(text), written.as_deref() == Some(text));
        written
    }

    fn pruned_again(text: &str) -> String {
        let mut out = Text::default();
        json(text, &mut out);
        out.into_string()
    }

    #[test]
    fn empties_vanish_from_the_inside_out() {
        assert_eq!(
            pruned(r#" {"a": null, "b" : [ "" , {} , [null] ], "c": 0, "d":false }"#.trim()).unwrap(),
            r#"{"c":0,"d":false}"#
        );
        assert_eq!(pruned(r#"[[[]],{"a":{"b":""}}]"#), None);
        assert_eq!(pruned(r#"["a",null,"b\"]"]"#).unwrap(), r#"["a","b\"]"]"#);
        assert_eq!(pruned(r#"{"a":{"x":1},"b":{},"c":[{"d":2}]}"#).unwrap(), r#"{"a":{"x":1},"c":[{"d":2}]}"#);
        assert_eq!(pruned("\"\""), None);
        assert_eq!(pruned("\" \"").unwrap(), "\" \"");
        assert_eq!(
            pruned(r#"{"n":" \\","\"":[-1e5,{"null":true}]}"#).unwrap(),
            r#"{"n":" \\","\"":[-1e5,{"null":true}]}"#
        );
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let deep = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(pruned(&deep).unwrap(), deep);
    }

    #[test]
    fn strings_are_escaped_as_the_standard_asks() {
        let mut out = Text::default();
        string("a\"\\\n\u{1}é\u{202e}", &mut out);
        let out = out.into_string();
        assert_eq!(out, "\"a\\\"\\\\\\n\\u0001é\u{202e}\"");
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), "a\"\\\n\u{1}é\u{202e}");
    }
}
