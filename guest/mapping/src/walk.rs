//! Reading a record: one pass that walks the trie and keeps raw text.

use std::borrow::Cow;

use defenderbeat_records::{Broken, Cursor, Json, Member, Outline, plain_length};

use crate::identity;
use crate::kept::{Kept, forget_repeats};
use crate::record::Record;
use crate::set::elements;
use crate::table::{Kid, List, NONE, Node, Scope, Shape};
use crate::text::Text;
use crate::trace::{place, step};
use crate::value::{Value, is_container, unescape, write_unescaped};
use crate::values::Values;
use crate::write;

/// Levels of arrays in a value of scalars; no column has more than two.
const DEEP: usize = 16;

/// Reads an object of a scope. `'w` is the time of reading.
pub(crate) struct ScopeReader<'w, 't, 'r> {
    pub(crate) scope: &'static Scope,
    pub(crate) values: &'w mut Values<'r>,
    pub(crate) kept: &'w mut Vec<Kept<'r>>,
    pub(crate) record: &'w mut Record<'t, 'r>,
}

impl<'r> ScopeReader<'_, '_, 'r> {
    /// Reads JSON text as the object of a node. It fails where the text is no JSON, and where the table has an object or list
    /// and the text something that cannot be told in an error: a number beyond double precision or half a surrogate pair.
    pub(crate) fn read(&mut self, node: u16, json: &'r str, outline: &Outline) -> Result<(), Broken> {
        let Some(node) = self.scope.nodes.get(usize::from(node)) else { return Ok(()) };
        if let Some(members) = outline.members() {
            return self.listed(node, json, members);
        }
        let mut cursor = Cursor::new(json);
        self.object(node, &mut cursor)?;
        if cursor.is_at_end() { Ok(()) } else { Err(Broken) }
    }

    /// Reads the members of an object that are listed already.
    fn listed(&mut self, node: &'static Node, json: &'r str, members: &[Member]) -> Result<(), Broken> {
        let identified = self.record.begin_identity(node);
        let mut at = 0;
        while let Some(member) = members.get(at) {
            at += 1;
            let value = member.value(json);
            let key = member.key(json);
            let kid = if member.escaped { node.kid_escaped(key) } else { node.kid(key) };
            match (kid, member.inner) {
                (None, _) => self.unlisted(node, &name(key, member.escaped), value, identified),
                (Some(kid), _) if kid.slot != NONE => self.keep(node, kid, value, identified),
                (Some(kid), Some(count)) if let Some(node) = self.scope.nodes.get(usize::from(kid.node)) => {
                    self.listed(node, json, members.get(at..at + count).unwrap_or_default())?;
                }
                (Some(kid), _) => self.descend(kid, &mut Cursor::new(value.text))?,
            }
            at += member.inner.unwrap_or(0);
        }
        Ok(())
    }

    /// Reads an object, of which the first byte was seen or is certain.
    fn object(&mut self, node: &'static Node, cursor: &mut Cursor<'r>) -> Result<(), Broken> {
        if cursor.peek() != Some(b'{') {
            return Err(Broken);
        }
        cursor.open();
        let identified = self.record.begin_identity(node);
        while let Some(key) = cursor.key()? {
            let kid = if key.escaped { node.kid_escaped(key.inner()) } else { node.kid(key.inner()) };
            match kid {
                None => self.unlisted(node, &name(key.inner(), key.escaped), cursor.value()?, identified),
                Some(kid) if kid.slot != NONE => self.keep(node, kid, cursor.value()?, identified),
                Some(kid) => self.descend(kid, cursor)?,
            }
        }
        Ok(())
    }

    /// A member that the table does not know.
    #[cold]
    fn unlisted(&mut self, node: &'static Node, key: &str, value: Json<'r>, identified: bool) {
        if identified {
            self.record.add_member(identity::member(identity::member_key(key), value.text));
        }
        self.unknown(node, key, value.text);
    }

    /// A member whose value is kept whole.
    #[inline(always)]
    fn keep(&mut self, node: &'static Node, kid: &'static Kid, value: Json<'r>, identified: bool) {
        if value.text == "null" {
            // Half of the members are: there is nothing to look into.
            if identified {
                self.record.add_member(kid.null);
            }
            self.values.fill(kid.slot, Value::Missing);
            return;
        }
        if identified {
            self.record.add_member(identity::member(kid.hash, value.text));
        }
        self.fill(node, kid, value);
        if kid.node != NONE || kid.list != NONE {
            self.look_into(kid, value.text);
        }
    }

    /// Looks into a value that is kept whole, too, which reads it a second time.
    #[inline(never)]
    fn look_into(&mut self, kid: &'static Kid, value: &'r str) {
        let depth = self.record.trail.len();
        self.record.whole += 1;
        self.descend(kid, &mut Cursor::new(value)).unwrap_or_default();
        self.record.whole -= 1;
        // A list that broke off has left its index.
        self.record.trail.truncate(depth);
        if let Some(trace) = &mut self.record.trace {
            trace.back_to(depth);
        }
    }

    /// Reads the object or the list that a member leads to.
    fn descend(&mut self, kid: &'static Kid, cursor: &mut Cursor<'r>) -> Result<(), Broken> {
        let below = self.scope.nodes.get(usize::from(kid.node));
        let list = self.scope.lists.get(usize::from(kid.list));
        match (cursor.peek(), below, list) {
            (Some(b'{'), Some(node), _) => self.object(node, cursor),
            (Some(b'[' | b'{'), None, Some(list)) => self.list(list, cursor),
            (Some(b'n'), ..) | (_, None, None) => cursor.value().map(drop),
            (_, Some(node), _) => {
                let value = misfit(cursor.value()?.text)?;
                self.misfit(node.path, value, "an object");
                Ok(())
            }
            (_, None, Some(list)) => {
                let value = misfit(cursor.value()?.text)?;
                self.misfit(list.path, value, "a list of objects");
                Ok(())
            }
        }
    }

    /// Reads a list; a single object counts as a list of one.
    fn list(&mut self, list: &'static List, cursor: &mut Cursor<'r>) -> Result<(), Broken> {
        let mut json = Text::from("[".to_owned());
        self.record.trail.push(0);
        if let Some(trace) = &mut self.record.trace {
            trace.begin_list(list.value);
        }
        if cursor.peek() == Some(b'[') {
            cursor.open();
            while cursor.element()? {
                self.record.item(list, cursor, &mut json)?;
                if let Some(index) = self.record.trail.last_mut() {
                    *index += 1;
                }
            }
        } else {
            self.record.item(list, cursor, &mut json)?;
        }
        self.record.trail.pop();
        if json.len() > 1 {
            json.push(']');
            self.values.set(list.value, Value::Json(self.record.arena.text(json.as_str())));
        }
        Ok(())
    }

    /// Fills the slot of a kid, unless the fields that it is copied to cannot hold the value.
    #[inline(always)]
    pub(crate) fn fill(&mut self, node: &'static Node, kid: &'static Kid, json: Json<'r>) {
        // Most are text without escapes, or numbers.
        let is_taken = kid.presence == NONE && kid.shape != Shape::Object;
        if is_taken && json.plain {
            self.values.fill(kid.slot, Value::read(json));
        } else if is_taken && matches!(json.text.as_bytes().first(), Some(b'-' | b'0'..=b'9')) {
            self.values.set(kid.slot, Value::Raw(json.text));
        } else {
            self.fill_any(node, kid, json);
        }
    }

    #[inline(never)]
    fn fill_any(&mut self, node: &'static Node, kid: &'static Kid, json: Json<'r>) {
        if kid.presence != NONE && json.text != "null" {
            self.values.set(kid.presence, Value::Bool(true));
        }
        let value = self.value(kid, json);
        let text = json.text;
        let (fits, wanted) = match kid.shape {
            Shape::Any => (true, ""),
            Shape::Single => (!is_container(text) || (!holds_object(text) && !is_deep(text)), "a single value"),
            Shape::Object => (text.starts_with('{') || is_list_of_objects(text), "an object"),
        };
        if fits || value.is_missing() {
            self.values.fill(kid.slot, value);
        } else {
            self.misfit(&join(node.path, kid.key), Cow::Borrowed(text), wanted);
        }
    }

    /// The value of a kid. Escapes are resolved where something is computed of it: once, however often that is.
    fn value(&self, kid: &'static Kid, json: Json<'r>) -> Value<'r> {
        let Json { text: json, plain: false } = json else { return Value::read(json) };
        let is_asked = self.scope.cells_of.get(usize::from(kid.slot)).is_some_and(|cells| !cells.is_empty());
        match json
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .filter(|inner| is_asked && !inner.is_empty())
        {
            Some(inner) => {
                let text = self.record.arena.write(|out| write_unescaped(inner, plain_length(inner.as_bytes()), out));
                Value::Quoted { json, text }
            }
            None => Value::from_json(json),
        }
    }

    pub(crate) fn unknown(&mut self, node: &'static Node, key: &str, value: &'r str) {
        if self.record.whole > 0 {
            return;
        }
        let name = join(node.path, key);
        if node.keep == NONE {
            if !Value::from_json(value).is_missing() {
                self.record.keep_unmapped(&name, Cow::Borrowed(value));
            }
        } else {
            let mut text = Text::with_capacity(key.len() + 4);
            write::string(key, &mut text);
            text.push(':');
            let text = text.into_string();
            let taken = self.scope.outputs.iter().any(|output| output.object == node.keep && output.key.text() == text)
                || self.scope.objects.iter().any(|object| Some(object.key()) == text.strip_suffix(':'));
            if taken {
                self.record.keep_unmapped(&name, Cow::Borrowed(value));
            } else {
                self.kept.push(Kept { object: node.keep, key: text, value });
                if let Some(trace) = &mut self.record.trace {
                    trace.keep(node.keep, key, place(&step(node.path, key), &self.record.trail));
                }
            }
        }
        self.record.drift.push(name);
    }

    /// A scalar or array where the table has an object or list.
    fn misfit(&mut self, path: &str, value: Cow<'r, str>, wanted: &str) {
        if value == "\"\"" || value == "[]" || self.record.whole > 0 {
            return;
        }
        let place = self.record.place(path);
        self.record.errors.push(format!("{place}: is not {wanted}"));
        self.record.keep_unmapped(path, value);
    }
}

impl<'r> Record<'_, 'r> {
    /// Reads, computes and writes an item of a list.
    fn item(&mut self, list: &'static List, cursor: &mut Cursor<'r>, out: &mut Text) -> Result<(), Broken> {
        let scope = list.scope;
        match (cursor.peek(), scope.nodes.first()) {
            (Some(b'{'), Some(node)) => {
                if let Some(trace) = &mut self.trace {
                    trace.begin_item();
                }
                let mut values = self.take_values(scope);
                let mut kept = Vec::new();
                let mut reader = ScopeReader { scope, values: &mut values, kept: &mut kept, record: self };
                reader.object(node, cursor)?;
                forget_repeats(&mut kept);
                self.compute(scope, &mut values);
                let before = out.len();
                if before > 1 {
                    out.push(',');
                }
                let written = list.value != NONE && self.write_item(scope, &values, &kept, out);
                if !written {
                    out.truncate(before);
                }
                if let Some(trace) = &mut self.trace {
                    trace.end_item(scope, &values, (list.value, written), self.duplicates, &self.trail);
                }
                self.spare.push(values);
            }
            (Some(b'{' | b'n'), _) => {
                cursor.value()?;
            }
            _ => {
                let value = misfit(cursor.value()?.text)?;
                if self.whole == 0 {
                    let place = self.place(&format!("{}[]", list.path));
                    self.errors.push(format!("{place}: is not an object"));
                    self.keep_unmapped(list.path, value);
                }
            }
        }
        Ok(())
    }
}

/// A key as the table has it.
fn name(key: &str, escaped: bool) -> Cow<'_, str> {
    if escaped { unescape(key) } else { Cow::Borrowed(key) }
}

/// What is told of a value that is no object: scalars as a JSON parser prints them, elements of arrays as they are
/// written.
fn misfit(json: &str) -> Result<Cow<'_, str>, Broken> {
    if json.starts_with('[') {
        return Ok(Cow::Owned(format!("[{}]", elements(json).join(","))));
    }
    let mut text = Text::default();
    match serde_json::from_str(json).map_err(|_| Broken)? {
        serde_json::Value::String(value) => write::string(&value, &mut text),
        serde_json::Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => write::push_display(&mut text, number),
            (_, Some(number), _) => write::push_display(&mut text, number),
            (.., Some(number)) => write::push_display(&mut text, number),
            _ => return Err(Broken),
        },
        _ => return Ok(Cow::Borrowed(json)),
    }
    Ok(Cow::Owned(text.into_string()))
}

pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Whether JSON text is or holds an object, at any depth.
pub(crate) fn holds_object(json: &str) -> bool {
    let mut rest = json;
    while let Some(at) = memchr::memchr2(b'"', b'{', rest.as_bytes()) {
        let found = rest.get(at..).unwrap_or_default();
        if found.starts_with('{') {
            return true;
        }
        rest = found.get(write::scalar_length(found)..).unwrap_or_default();
    }
    false
}

/// Whether arrays of text without objects nest deeper than anybody means them to: each is read once for each that it lies in.
fn is_deep(json: &str) -> bool {
    let (mut rest, mut depth) = (json, 0_usize);
    while let Some(at) = memchr::memchr3(b'"', b'[', b']', rest.as_bytes()) {
        let found = rest.get(at..).unwrap_or_default();
        let length = match found.as_bytes().first() {
            Some(b'[') if depth == DEEP => return true,
            Some(b'[') => {
                depth += 1;
                1
            }
            Some(b']') => {
                depth = depth.saturating_sub(1);
                1
            }
            _ => write::scalar_length(found),
        };
        rest = found.get(length..).unwrap_or_default();
    }
    false
}

/// Whether text is an array of objects and nulls.
fn is_list_of_objects(json: &str) -> bool {
    json.starts_with('[') && elements(json).iter().all(|item| item.starts_with('{') || *item == "null")
}
