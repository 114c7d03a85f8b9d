//! JSON written straight into one text: no tree in between, because millions of records are made.

use std::fmt::{self, Write};

use crate::time::{self, Ticks};

/// Which characters are escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// Those that JSON asks for.
    Few,
    /// Also `<`, `>`, `&`, `'`, `+` and all that is not ASCII, as .NET's serializer does by default.
    Many,
}

/// An object under way.
pub(super) struct Object<'a> {
    json: &'a mut String,
    escapes: Escapes,
    empty: bool,
}

impl Object<'_> {
    /// Appends an object.
    pub(super) fn write(json: &mut String, escapes: Escapes, members: impl FnOnce(&mut Object<'_>)) {
        json.push('{');
        members(&mut Object { json, escapes, empty: true });
        json.push('}');
    }

    /// Appends a member.
    pub(super) fn set(&mut self, name: &str, value: impl Value) {
        self.name(name);
        value.write(self.json, self.escapes);
    }

    /// Appends members that are null.
    pub(super) fn nulls<const N: usize>(&mut self, names: [&str; N]) {
        for name in names {
            self.set(name, Null);
        }
    }

    /// Appends a member that is an object.
    pub(super) fn object(&mut self, name: &str, members: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        Object::write(self.json, self.escapes, members);
    }

    /// Appends a member that is a list of objects.
    pub(super) fn objects(&mut self, name: &str, count: usize, members: impl FnMut(usize, &mut Object<'_>)) {
        self.name(name);
        push_objects(self.json, self.escapes, count, members);
    }

    /// Appends a member that is the text of a JSON list of objects.
    pub(super) fn objects_text(&mut self, name: &str, count: usize, members: impl FnMut(usize, &mut Object<'_>)) {
        let mut text = String::with_capacity(512);
        push_objects(&mut text, Escapes::Few, count, members);
        self.set(name, &*text);
    }

    /// Appends a member that is the text of a JSON object.
    pub(super) fn object_text(&mut self, name: &str, members: impl FnOnce(&mut Object<'_>)) {
        let mut text = String::with_capacity(1024);
        Object::write(&mut text, Escapes::Few, members);
        self.set(name, &*text);
    }

    /// Appends a member that is the text of a JSON list.
    pub(super) fn list_text(&mut self, name: &str, items: impl Value) {
        let mut text = String::with_capacity(256);
        items.write(&mut text, Escapes::Few);
        self.set(name, &*text);
    }

    fn name(&mut self, name: &str) {
        if !self.empty {
            self.json.push(',');
        }
        self.empty = false;
        self.json.push('"');
        self.json.push_str(name);
        self.json.push_str("\":");
    }
}

/// What a member can be.
pub(super) trait Value {
    /// Appends itself.
    fn write(&self, json: &mut String, escapes: Escapes);
}

/// `null`.
pub(super) struct Null;

/// A time: up to seven digits of the second.
pub(super) struct Time(pub(super) Ticks);

impl Value for Null {
    fn write(&self, json: &mut String, _: Escapes) {
        json.push_str("null");
    }
}

impl Value for Time {
    fn write(&self, json: &mut String, _: Escapes) {
        json.push('"');
        time::write(self.0, json);
        json.push('"');
    }
}

impl Value for str {
    fn write(&self, json: &mut String, escapes: Escapes) {
        json.push('"');
        push_escaped(json, self, escapes);
        json.push('"');
    }
}

impl Value for String {
    fn write(&self, json: &mut String, escapes: Escapes) {
        self.as_str().write(json, escapes);
    }
}

impl Value for fmt::Arguments<'_> {
    fn write(&self, json: &mut String, escapes: Escapes) {
        json.push('"');
        let _ = Escaping { json, escapes }.write_fmt(*self);
        json.push('"');
    }
}

impl Value for bool {
    fn write(&self, json: &mut String, _: Escapes) {
        json.push_str(if *self { "true" } else { "false" });
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {
        $(impl Value for $type {
            fn write(&self, json: &mut String, _: Escapes) {
                let _ = write!(json, "{self}");
            }
        })*
    };
}

numbers!(i32, i64, u32, u64, usize, f64);

impl<T: Value + ?Sized> Value for &T {
    fn write(&self, json: &mut String, escapes: Escapes) {
        (**self).write(json, escapes);
    }
}

impl<T: Value> Value for Option<T> {
    fn write(&self, json: &mut String, escapes: Escapes) {
        match self {
            Some(value) => value.write(json, escapes),
            None => json.push_str("null"),
        }
    }
}

impl<T: Value> Value for [T] {
    fn write(&self, json: &mut String, escapes: Escapes) {
        json.push('[');
        for (index, item) in self.iter().enumerate() {
            if index > 0 {
                json.push(',');
            }
            item.write(json, escapes);
        }
        json.push(']');
    }
}

impl<T: Value> Value for Vec<T> {
    fn write(&self, json: &mut String, escapes: Escapes) {
        self.as_slice().write(json, escapes);
    }
}

impl<T: Value, const N: usize> Value for [T; N] {
    fn write(&self, json: &mut String, escapes: Escapes) {
        self.as_slice().write(json, escapes);
    }
}

/// Escapes what is formatted into it.
struct Escaping<'a> {
    json: &'a mut String,
    escapes: Escapes,
}

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_escaped(self.json, text, self.escapes);
        Ok(())
    }
}

fn push_objects(json: &mut String, escapes: Escapes, count: usize, mut members: impl FnMut(usize, &mut Object<'_>)) {
    json.push('[');
    for index in 0..count {
        if index > 0 {
            json.push(',');
        }
        Object::write(json, escapes, |object| members(index, object));
    }
    json.push(']');
}

fn push_escaped(json: &mut String, text: &str, escapes: Escapes) {
    let many = escapes == Escapes::Many;
    let is_escaped = |byte: u8| {
        matches!(byte, b'"' | b'\\' | 0..=0x1f)
            || many && matches!(byte, b'<' | b'>' | b'&' | b'\'' | b'+' | 0x80..=0xff)
    };
    let mut rest = text;
    while let Some((plain, special)) = rest.bytes().position(is_escaped).and_then(|at| rest.split_at_checked(at)) {
        json.push_str(plain);
        let mut characters = special.chars();
        if let Some(character) = characters.next() {
            push_escape(json, character);
        }
        rest = characters.as_str();
    }
    json.push_str(rest);
}

fn push_escape(json: &mut String, character: char) {
    let short = match character {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        _ => "",
    };
    json.push_str(short);
    if short.is_empty() {
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(json, "\\u{unit:04x}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_escaped_reads_the_same() {
        let text = "a \"b\" \\c\\ \r\n\t\u{1} <d> & 'é' + 漢 \u{1f980} \u{202e}";
        for escapes in [Escapes::Few, Escapes::Many] {
            let mut json = String::new();
            Object::write(&mut json, escapes, |object| {
                object.set("text", text);
                object.set("arguments", format_args!("{text}{}", 7));
                object.list_text("list", [text]);
            });
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(value["text"], text);
            assert_eq!(value["arguments"], format!("{text}7"));
            assert_eq!(serde_json::from_str::<Vec<String>>(value["list"].as_str().unwrap()).unwrap(), [text]);
            assert_eq!(json.is_ascii(), escapes == Escapes::Many);
        }
    }
}
