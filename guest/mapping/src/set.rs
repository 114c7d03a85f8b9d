//! Accumulators: values gathered over the whole record.

use std::borrow::Cow;

use defenderbeat_records::{Broken, Cursor, Json};
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use crate::table::{Accumulator, hash_key};
use crate::text::same;
use crate::value::{Value, is_container};
use crate::values::{KEPT, emptied};

/// Above this many values a hash index finds repeats; below it, looking at each is quicker.
const INDEXED: usize = 16;

/// The values of one accumulator. Order is that of first appearance; the index is only asked, never walked.
#[derive(Debug, Default)]
pub(crate) struct Gathered<'r> {
    pub(crate) values: Vec<Value<'r>>,
    /// Of each value a mark of its text: only values with one mark can be the same.
    marks: Vec<usize>,
    index: HashTable<usize>,
}

impl<'r> Gathered<'r> {
    /// The same room, empty, for another record.
    pub(crate) fn recycle<'n>(mut self) -> Gathered<'n> {
        if self.values.capacity() > KEPT {
            return Gathered::default();
        }
        self.index.clear();
        self.marks.clear();
        Gathered { values: emptied(self.values), marks: self.marks, index: self.index }
    }

    /// Adds a value, or each of a list.
    pub(crate) fn add(&mut self, mode: Accumulator, value: Value<'r>) {
        match value {
            Value::Missing => {}
            Value::List(values) => values.iter().for_each(|value| self.add(mode, *value)),
            Value::Raw(json) if json.starts_with('[') => {
                for item in items(json) {
                    self.add(mode, Value::read(item));
                }
            }
            Value::Raw(json) if is_container(json) => {}
            _ if mode == Accumulator::All => self.values.push(value),
            _ => self.insert(value),
        }
    }

    fn insert(&mut self, value: Value<'r>) {
        let Some(text) = value.text() else { return };
        let same = |other: &Value<'r>| other.text().is_some_and(|other| same(&other, &text));
        if self.values.len() < INDEXED {
            let mark = hash_key(&text);
            if !self.marks.iter().zip(&self.values).any(|(known, value)| *known == mark && same(value)) {
                self.values.push(value);
                self.marks.push(mark);
            }
            return;
        }
        let hash_of = |value: &Value<'r>| hash(value.text());
        if self.index.is_empty() {
            let values = &self.values;
            for (at, value) in values.iter().enumerate() {
                self.index.insert_unique(hash_of(value), at, |at| values.get(*at).map_or(0, hash_of));
            }
        }
        let hash = hash(Some(Cow::Borrowed(&*text)));
        if self.index.find(hash, |at| self.values.get(*at).is_some_and(same)).is_none() {
            let at = self.values.len();
            self.values.push(value);
            let values = &self.values;
            self.index.insert_unique(hash, at, |at| values.get(*at).map_or(0, hash_of));
        }
    }

    /// Sorts: numbers by value, then text.
    pub(crate) fn sort(&mut self) {
        self.values.sort_by_cached_key(|value| {
            let text = value.text().map(Cow::into_owned).unwrap_or_default();
            match text.parse::<i64>() {
                Ok(number) if value.string().is_none() => (0, number, String::new()),
                _ => (1, 0, text),
            }
        });
    }
}

fn hash(text: Option<Cow<'_, str>>) -> u64 {
    text.map_or(0, |text| xxh3_64(text.as_bytes()))
}

/// The elements of a JSON array, as raw text; none where it is no array.
pub(crate) fn elements(json: &str) -> Vec<&str> {
    items(json).into_iter().map(|item| item.text).collect()
}

/// As [`elements`], with what is known of each.
pub(crate) fn items(json: &str) -> Vec<Json<'_>> {
    fn read(json: &str) -> Result<Vec<Json<'_>>, Broken> {
        let mut cursor = Cursor::new(json);
        if cursor.peek() != Some(b'[') {
            return Err(Broken);
        }
        cursor.open();
        let mut items = Vec::new();
        while cursor.element()? {
            items.push(cursor.value()?);
        }
        if cursor.is_at_end() { Ok(items) } else { Err(Broken) }
    }
    read(json).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_left_out_below_and_above_the_index() {
        let texts: Vec<String> = (0..40).map(|number| format!("\"v{number}\"")).collect();
        let mut room = Gathered::default();
        for distinct in 1..texts.len() {
            let mut set = room;
            for text in texts.iter().take(distinct).cycle().take(distinct * 3) {
                set.add(Accumulator::Set, Value::Raw(text));
            }
            assert_eq!(set.values.len(), distinct);
            assert_eq!(set.values[distinct - 1].text().unwrap(), format!("v{}", distinct - 1));
            room = set.recycle();
        }
    }

    #[test]
    fn escaped_and_plain_spellings_are_one_value() {
        let mut set = Gathered::default();
        set.add(Accumulator::Set, Value::Raw(r#""a\/b""#));
        set.add(Accumulator::Set, Value::Text("a/b"));
        assert_eq!(set.values.len(), 1);
    }

    #[test]
    fn arrays_are_taken_apart_and_numbers_sort_by_value() {
        let mut set = Gathered::default();
        set.add(Accumulator::Sorted, Value::Raw("[10, 9, null, 10]"));
        set.sort();
        assert_eq!(set.values, [Value::Raw("9"), Value::Raw("10")]);
    }
}
