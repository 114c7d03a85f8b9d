//! What becomes of a record on its way to a document, noted for an explanation.
//!
//! Nothing is noted unless the setting `explain` asks for it. Rows are numbers, indexes into [`Table::rows`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::table::{From, Lift, Object, Output, Scope, Table};
use crate::value::Value;
use crate::values::Values;
use crate::walk::join;

/// Notes on a record.
#[derive(Debug)]
pub(crate) struct Trace {
    table: &'static Table,
    /// Additions to accumulators.
    lifted: Vec<(u16, Origin)>,
    /// The record and the items that are being read, outermost first.
    frames: Vec<Frame>,
    /// Where duplicates come from that are left out.
    left_out: Vec<Origin>,
}

/// What is known of an object that is being read.
#[derive(Debug, Default)]
struct Frame {
    /// Items that were written, by the value that takes their list.
    lists: BTreeMap<u16, Vec<Vec<Made>>>,
    /// Unknown keys that stay: object of the output, key, source path.
    kept: Vec<(u16, String, String)>,
}

/// A field, by its path below the object that has it, and what it was made of.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) path: String,
    pub(crate) origins: Vec<Origin>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A row of the table, and the paths of the record that it takes.
    Row(u16, Vec<String>),
    /// The settings, by JSONPath, and the paths of the record that they take.
    Settings(String, Vec<String>),
    /// The engine, and the paths of the record that it takes.
    Engine(Vec<String>),
}

impl Origin {
    /// Paths of the record.
    pub(crate) fn from(&self) -> &[String] {
        let (Origin::Row(_, from) | Origin::Settings(_, from) | Origin::Engine(from)) = self;
        from
    }
}

impl Trace {
    pub(crate) fn new(table: &'static Table) -> Self {
        Self { table, lifted: Vec::new(), frames: vec![Frame::default()], left_out: Vec::new() }
    }

    /// A list begins, whose items a list that came before it under the same name loses.
    #[cold]
    pub(crate) fn begin_list(&mut self, value: u16) {
        if let Some(frame) = self.frames.last_mut() {
            frame.lists.remove(&value);
        }
    }

    /// An item begins.
    #[cold]
    pub(crate) fn begin_item(&mut self) {
        self.frames.push(Frame::default());
    }

    /// An item ends, of the list that `value` takes.
    #[cold]
    pub(crate) fn end_item(
        &mut self,
        scope: &'static Scope,
        values: &Values<'_>,
        (value, written): (u16, bool),
        duplicates: bool,
        trail: &[usize],
    ) {
        let made = self.end(scope, values, duplicates, trail);
        if let Some(frame) = self.frames.last_mut().filter(|_| written) {
            frame.lists.entry(value).or_default().push(made);
        }
    }

    /// Forgets items that broke off, but for those of `depth` lists.
    #[cold]
    pub(crate) fn back_to(&mut self, depth: usize) {
        self.frames.truncate(depth + 1);
    }

    /// A value was added to an accumulator.
    #[cold]
    pub(crate) fn lift(&mut self, lift: Lift, value: &Value<'_>, trail: &[usize]) {
        if !value.is_missing() {
            self.lifted.push((lift.accumulator, self.row(lift.row, trail)));
        }
    }

    /// An unknown key stays in its object.
    #[cold]
    pub(crate) fn keep(&mut self, object: u16, key: &str, source: String) {
        if let Some(frame) = self.frames.last_mut() {
            frame.kept.push((object, key.to_owned(), source));
        }
    }

    /// All is read and computed: the fields of the document but for those that every document has, and where the
    /// duplicates come from that are left out of it.
    pub(crate) fn finish(mut self, values: &Values<'_>, duplicates: bool) -> (Vec<Made>, Vec<Origin>) {
        let made = self.end(&self.table.scope, values, duplicates, &[]);
        (made, self.left_out)
    }

    /// The fields of the innermost object.
    fn end(&mut self, scope: &'static Scope, values: &Values<'_>, duplicates: bool, trail: &[usize]) -> Vec<Made> {
        let mut frame = self.frames.pop().unwrap_or_default();
        let mut made = Vec::new();
        for output in scope.outputs {
            let path = object_path(scope.objects, output);
            let origins = |rows: Option<&u16>| rows.map(|row| vec![self.row(*row, trail)]).unwrap_or_default();
            let origins = match output.from {
                From::Value(value) if frame.lists.contains_key(&value) => {
                    for (index, item) in frame.lists.remove(&value).unwrap_or_default().into_iter().enumerate() {
                        let below = |made: Made| Made { path: format!("{path}[{index}].{}", made.path), ..made };
                        made.extend(item.into_iter().map(below));
                    }
                    continue;
                }
                From::Value(value) if values.get(value).is_missing() => continue,
                From::Value(_) => origins(output.rows.first()),
                From::First(all) => {
                    match all.iter().zip(output.rows).find(|(value, _)| !values.get(**value).is_missing()) {
                        Some((_, row)) => origins(Some(row)),
                        None => continue,
                    }
                }
                From::Accumulator(accumulator) => {
                    let mut origins: Vec<Origin> = Vec::new();
                    for (_, origin) in self.lifted.iter().filter(|(of, _)| *of == accumulator) {
                        if !origins.contains(origin) {
                            origins.push(origin.clone());
                        }
                    }
                    origins
                }
                From::Rest => {
                    for (_, key, source) in frame.kept.iter().filter(|(object, ..)| *object == output.object) {
                        let origins = output.rows.first().map(|row| Origin::Row(*row, vec![source.clone()]));
                        made.push(Made { path: join(&path, key), origins: origins.into_iter().collect() });
                    }
                    continue;
                }
                // The engine knows of these.
                From::Builtin(_) => continue,
            };
            if output.duplicate && !duplicates {
                self.left_out.extend(origins);
            } else {
                made.push(Made { path, origins });
            }
        }
        made
    }

    /// A row, with its paths as they are within the lists that are being read.
    fn row(&self, row: u16, trail: &[usize]) -> Origin {
        let from = self.table.rows.get(usize::from(row)).map_or(&[][..], |row| row.from);
        Origin::Row(row, from.iter().map(|path| place(path, trail)).collect())
    }
}

/// The path of a member, as rows write it.
pub(crate) fn step(path: &str, key: &str) -> String {
    let is_plain = key.chars().all(|letter| letter.is_alphanumeric() || "_-".contains(letter));
    if is_plain { join(path, key) } else { join(path, &format!("['{key}']")) }
}

/// The path with the indexes of the lists that are being read.
pub(crate) fn place(path: &str, trail: &[usize]) -> String {
    let mut indexes = trail.iter();
    let mut parts = path.split("[]");
    let mut place = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match indexes.next() {
            Some(index) => place.push_str(&format!("[{index}]")),
            None => place.push_str("[]"),
        }
        place.push_str(part);
    }
    place
}

/// The path of an output below the object that has it.
pub(crate) fn object_path(objects: &'static [Object], output: &Output) -> String {
    let chain = objects.get(usize::from(output.object)).map_or(&[][..], |object| object.chain);
    let opens = chain.iter().filter_map(|object| objects.get(usize::from(*object)));
    let keys = opens.map(Object::key);
    let key = output.key.text().strip_prefix(',').and_then(|key| key.strip_suffix(':'));
    keys.chain(key).fold(String::new(), |path, key| join(&path, &unquoted(key)))
}

/// The text of a JSON string.
fn unquoted(json: &str) -> Cow<'_, str> {
    Value::from_json(json).string().unwrap_or_default()
}
