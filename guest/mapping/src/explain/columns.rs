//! The columns of a record that nothing of its document was made of.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::DEPTH;
use crate::set::elements;
use crate::table::Table;
use crate::text::Text;
use crate::trace::{Origin, step};
use crate::value::is_container;
use crate::write;

/// How a row of a list names itself.
const KEEP: &str = "keep";

/// What is known of the columns that are left.
pub(crate) struct Left<'r> {
    /// Names under `unmapped`, with their raw text.
    pub(crate) unmapped: &'r [(Cow<'static, str>, Cow<'r, str>)],
    /// Where duplicates come from that are left out.
    pub(crate) duplicates: &'r [Origin],
}

/// A column: its path, its raw text, and why nothing was made of it.
type Column<'r> = (String, &'r str, &'static str);

/// Sorts the columns of a record.
struct Sorter<'s> {
    below: &'s str,
    left: Left<'s>,
    /// Paths that fields were made of.
    taken: Vec<Path>,
    /// Paths that only duplicates are made of which are left out.
    duplicates: Vec<Path>,
    /// Paths that rows ask for.
    asked: Vec<Path>,
}

impl<'r> Left<'r> {
    /// The columns that are left of a record, in its order.
    pub(super) fn columns<'o>(
        self,
        table: &Table,
        record: &'r str,
        taken: impl Iterator<Item = &'o Origin>,
    ) -> Vec<Column<'r>> {
        let duplicates = self.duplicates;
        let sorter = Sorter {
            below: table.below,
            taken: paths(taken.flat_map(Origin::from)),
            duplicates: paths(duplicates.iter().flat_map(Origin::from)),
            asked: table
                .rows
                .iter()
                .filter(|row| row.by != KEEP)
                .flat_map(|row| row.from)
                .map(|path| Path::parse(path))
                .collect(),
            left: self,
        };
        let mut columns = Vec::new();
        sorter.walk(&Path::default(), record, DEPTH, &mut columns);
        columns
    }
}

/// Paths of their texts, each once.
fn paths<'t>(texts: impl Iterator<Item = &'t String>) -> Vec<Path> {
    let texts: BTreeSet<&String> = texts.collect();
    texts.into_iter().map(|text| Path::parse(text)).collect()
}

impl Sorter<'_> {
    fn walk<'r>(&self, path: &Path, json: &'r str, depth: usize, columns: &mut Vec<Column<'r>>) {
        let is_below =
            || [&self.taken, &self.duplicates, &self.asked].iter().any(|all| all.iter().any(|one| path.is_above(one)));
        let is_open = depth > 0 && is_container(json) && (path.0.is_empty() || is_below());
        if is_open && let Some(members) = crate::members::members(json) {
            for (key, value) in members {
                let path = path.with(Part::Key(key.into_owned()));
                if !self.taken.iter().any(|taken| taken.covers(&path)) {
                    self.walk(&path, value.text, depth - 1, columns);
                }
            }
        } else if is_open && json.starts_with('[') && elements(json).iter().any(|item| item.starts_with('{')) {
            for (index, item) in elements(json).into_iter().enumerate() {
                self.walk(&path.with(Part::Index(Some(index))), item, depth - 1, columns);
            }
        } else {
            columns.push((path.text(), json, self.why(path, json)));
        }
    }

    /// Why nothing was made of a column.
    fn why(&self, path: &Path, json: &str) -> &'static str {
        let name = path.name();
        let name = name.strip_prefix(self.below).unwrap_or(&name);
        let is_in =
            |unmapped: &str| name.strip_prefix(unmapped).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        if !write::json(json, &mut Text::default()) {
            "empty"
        } else if self.left.unmapped.iter().any(|(unmapped, _)| is_in(unmapped)) {
            "unmapped"
        } else if self.duplicates.iter().any(|duplicate| duplicate.covers(path)) {
            "duplicate"
        } else if self.asked.iter().any(|asked| asked.covers(path)) {
            "no result"
        } else {
            "ignored"
        }
    }
}

/// A path of a record or of a row.
#[derive(Clone, Debug, Default)]
struct Path(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Key(String),
    /// An item of a list; none: any.
    Index(Option<usize>),
}

impl Path {
    /// Reads `a.b`, `list[].a`, `list[0].['odd.key']`.
    fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some((key, tail)) = rest.strip_prefix("['").and_then(|rest| rest.split_once("']")) {
                parts.push(Part::Key(key.to_owned()));
                rest = tail;
            } else if let Some((index, tail)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                parts.push(Part::Index(index.parse().ok()));
                rest = tail;
            } else if let Some(tail) = rest.strip_prefix('.') {
                rest = tail;
            } else {
                let (key, tail) =
                    rest.split_at_checked(rest.find(['.', '[']).unwrap_or(rest.len())).unwrap_or((rest, ""));
                parts.push(Part::Key(key.to_owned()));
                rest = tail;
            }
        }
        Self(parts)
    }

    fn with(&self, part: Part) -> Self {
        Self(self.0.iter().cloned().chain([part]).collect())
    }

    /// As rows write it.
    fn text(&self) -> String {
        self.0.iter().fold(String::new(), |text, part| match part {
            Part::Index(Some(index)) => format!("{text}[{index}]"),
            Part::Index(None) => format!("{text}[]"),
            Part::Key(key) => step(&text, key),
        })
    }

    /// As `unmapped` has it.
    fn name(&self) -> String {
        let keys = self.0.iter().filter_map(|part| match part {
            Part::Key(key) => Some(key.as_str()),
            Part::Index(_) => None,
        });
        keys.collect::<Vec<_>>().join(".")
    }

    /// Whether a path is this one or lies below it.
    fn covers(&self, path: &Self) -> bool {
        self.rest_of(path).is_some_and(|(own, _)| own.iter().all(|part| matches!(part, Part::Index(_))))
    }

    /// Whether a path lies below this one.
    fn is_above(&self, path: &Self) -> bool {
        path.rest_of(self).is_some_and(|(own, rest)| rest.is_empty() && !own.is_empty())
    }

    /// What remains of both behind what they have in common; none where they part. Keys are compared without case, because
    /// some records spell them in two ways; a single object counts as a list of one.
    fn rest_of<'p>(&'p self, path: &'p Self) -> Option<(&'p [Part], &'p [Part])> {
        let (mut own, mut other) = (self.0.as_slice(), path.0.as_slice());
        loop {
            match (own, other) {
                ([Part::Key(left), own_rest @ ..], [Part::Key(right), rest @ ..]) => {
                    if !left.eq_ignore_ascii_case(right) {
                        return None;
                    }
                    (own, other) = (own_rest, rest);
                }
                ([Part::Index(left), own_rest @ ..], [Part::Index(right), rest @ ..]) => {
                    if left.is_some_and(|left| *right != Some(left)) {
                        return None;
                    }
                    (own, other) = (own_rest, rest);
                }
                ([Part::Index(None | Some(0)), own_rest @ ..], [Part::Key(_), ..]) => own = own_rest,
                ([Part::Key(_), ..], [Part::Index(_), ..]) | ([Part::Index(_), ..], [Part::Key(_), ..]) => return None,
                ([], _) | (_, []) => return Some((own, other)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cover_what_lies_below_them() {
        let covers = |one: &str, other: &str| Path::parse(one).covers(&Path::parse(other));
        for (one, other) in [
            ("a", "a"),
            ("a", "a.b[3]"),
            ("DeviceId", "deviceId"),
            ("a[].b", "a[7].b"),
            ("a[2].b", "a[2].b.c"),
            ("a[].b", "a.b"),
            ("a[0].b", "a.b"),
            ("a.['@odata.type']", "a.['@odata.type']"),
            ("a[]", "a"),
        ] {
            assert!(covers(one, other), "{one} {other}");
        }
        for (one, other) in [("a.b", "a"), ("a", "b"), ("a[2].b", "a[1].b"), ("a[1].b", "a.b"), ("a.b", "a[0].b")] {
            assert!(!covers(one, other), "{one} {other}");
        }
    }

    #[test]
    fn paths_read_as_rows_write_them() {
        for text in ["a.b", "a[3].b", "a[].['@odata.type']"] {
            assert_eq!(Path::parse(text).text(), text);
        }
        assert!(Path::parse("a").is_above(&Path::parse("a[].b")));
        assert!(Path::parse("a[1]").is_above(&Path::parse("a[].b")));
        assert!(!Path::parse("a.b").is_above(&Path::parse("a.b")));
    }
}
