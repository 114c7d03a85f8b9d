//! What a function of a row sees and gives.

use std::borrow::Cow;
use std::fmt;

use crate::arena::Arena;
use crate::members::member;
use crate::set::{Gathered, items};
use crate::table::Source;
use crate::text::same;
use crate::value::Value;
use crate::values::{Values, emptied};

/// The host's own data, asked by kind and key; the answer is a JSON fragment.
pub trait Lookup {
    /// Asks. The same question has the same answer as long as the pipeline lives.
    fn find(&self, kind: &str, key: &str) -> Option<String>;
}

/// A host without data of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLookup;

impl Lookup for NoLookup {
    fn find(&self, _: &str, _: &str) -> Option<String> {
        None
    }
}

/// A function that a row names: its arguments come from the row's `from`, its results go to the row's `to`, both in
/// order. It is pure.
#[derive(Clone, Copy)]
pub struct Function(pub for<'a, 'r> fn(&Args<'a, 'r>, &mut Results<'r>));

impl fmt::Debug for Function {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Function")
    }
}

/// The arguments of a function.
pub struct Args<'a, 'r> {
    pub(crate) sources: &'static [Source],
    pub(crate) values: &'a Values<'r>,
    pub(crate) gathered: &'a [Gathered<'r>],
    pub(crate) lookup: &'a dyn Lookup,
    pub(crate) arena: &'r Arena,
}

impl<'a, 'r> Args<'a, 'r> {
    /// Where texts and lists are kept that a result holds.
    pub fn arena(&self) -> &'r Arena {
        self.arena
    }

    /// Argument `index`; a list over items is not a value.
    #[inline]
    pub fn value(&self, index: usize) -> Value<'r> {
        match self.sources.get(index) {
            Some(Source::Value(value)) => self.values.get(*value),
            Some(Source::First(values)) => self.values.first(values),
            _ => Value::Missing,
        }
    }

    /// The text of argument `index`, unescaped, or that of the only element of a list; none where it is absent or no
    /// scalar.
    #[inline]
    pub fn text(&self, index: usize) -> Option<&'r str> {
        match self.value(index) {
            Value::Quoted { text, .. } | Value::Text(text) => Some(text),
            Value::Missing => None,
            value => self.text_of(value),
        }
    }

    /// The text of a value; see [`text`](Self::text).
    pub fn text_of(&self, value: Value<'r>) -> Option<&'r str> {
        let text = match value {
            Value::Raw(json) if json.starts_with('[') => match items(json).as_slice() {
                [only] => Value::read(*only).text(),
                _ => None,
            },
            _ => value.text(),
        };
        text.map(|text| self.keep(text))
    }

    /// Text for as long as the record lives.
    pub fn keep(&self, text: Cow<'r, str>) -> &'r str {
        self.arena.keep(text)
    }

    /// The JSON text of a value: as the record has it, or what text says, because many columns have JSON as text.
    pub fn json(&self, value: Value<'r>) -> Option<&'r str> {
        match value {
            Value::Raw(json) if !json.starts_with('"') => Some(json),
            Value::Json(json) => Some(json),
            _ => value.string().map(|text| self.keep(text)),
        }
    }

    /// The member with a name of the object that a value is or, as text, holds; of several the last.
    pub fn member(&self, value: Value<'r>, name: &str) -> Option<Value<'r>> {
        member(self.json(value)?, name).map(Value::read)
    }

    /// Argument `index` as the values over all items of a list (`list[].path`).
    pub fn list(&self, index: usize) -> &'a [Value<'r>] {
        match self.sources.get(index) {
            Some(Source::Accumulator(accumulator)) => {
                self.gathered.get(usize::from(*accumulator)).map_or(&[], |gathered| gathered.values.as_slice())
            }
            _ => &[],
        }
    }

    /// Whether argument `index` is this text, or a list that has it.
    pub fn has(&self, index: usize, text: &str) -> bool {
        let is = |value: &Value<'_>| match value {
            Value::Text(own) => same(own, text),
            _ => value.string().is_some_and(|own| same(&own, text)),
        };
        match self.value(index) {
            Value::List(all) => all.iter().any(is),
            value => is(&value),
        }
    }

    /// Asks the host.
    pub fn lookup(&self, kind: &str, key: &str) -> Option<String> {
        self.lookup.find(kind, key)
    }
}

/// The results of a function.
#[derive(Debug, Default)]
pub struct Results<'r> {
    pub(crate) values: Vec<Value<'r>>,
    pub(crate) errors: Vec<String>,
    pub(crate) failures: Vec<(Value<'r>, &'static str)>,
    pub(crate) failed: bool,
}

impl<'r> Results<'r> {
    /// The same room, empty, for another record.
    pub(crate) fn recycle<'n>(self) -> Results<'n> {
        Results { values: emptied(self.values), ..Results::default() }
    }

    /// Whether there is anything to report.
    pub(crate) fn has_errors(&self) -> bool {
        self.failed || !self.errors.is_empty() || !self.failures.is_empty()
    }

    /// Makes room for so many results, none of which is there.
    pub(crate) fn begin(&mut self, count: usize) {
        self.values.clear();
        self.values.resize(count, Value::Missing);
    }

    /// Sets result `index`; one that no row asks for is nowhere.
    #[inline]
    pub fn set(&mut self, index: usize, value: Value<'r>) {
        if let Some(result) = self.values.get_mut(index) {
            *result = value;
        }
    }

    /// Reports a value that cannot be mapped: it is named in `error.message` and kept under `unmapped`.
    pub fn fail(&mut self, value: Value<'r>, cause: &'static str) {
        self.failures.push((value, cause));
    }

    /// Reports an error of the whole record: as [`error`](Self::error), and the document says that it is about a failure
    /// and keeps its original.
    pub fn failure(&mut self, cause: impl Into<String>) {
        self.errors.push(cause.into());
        self.failed = true;
    }

    /// Reports a field error: `cause` is appended to `error.message`, the rest of the record is mapped.
    pub fn error(&mut self, cause: impl Into<String>) {
        self.errors.push(cause.into());
    }
}
