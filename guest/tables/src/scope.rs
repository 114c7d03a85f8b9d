//! A scope while it is compiled: the record, or an item of one of its lists.

use std::collections::BTreeMap;

use defenderbeat_mapping::table::Shape;

use crate::path::Step;

/// A number that stands for no index.
pub(crate) const NONE: u16 = u16::MAX;

#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// Full source path of the scope with `[]`; empty for the record.
    pub(crate) path: String,
    pub(crate) nodes: Vec<Node>,
    pub(crate) values: u16,
    pub(crate) cells: Vec<Cell>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) lists: Vec<List>,
    pub(crate) kind: Option<u16>,
    pub(crate) kinds: Vec<String>,
    /// Whether unknown keys stay in the item.
    pub(crate) keep: bool,
    /// The row of the list whose items the scope is.
    pub(crate) row: u16,
    /// Own-field object of each node that keeps unknown keys.
    pub(crate) kept_in: BTreeMap<usize, Vec<String>>,
    /// Whether keys of the record are known with a capital first letter, too.
    pub(crate) pascal_case: bool,
    /// What slots that are copied may hold.
    pub(crate) shapes: BTreeMap<u16, Shape>,
}

#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) path: String,
    pub(crate) kids: BTreeMap<String, Kid>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Kid {
    pub(crate) slot: u16,
    pub(crate) presence: u16,
    pub(crate) node: u16,
    pub(crate) list: u16,
}

#[derive(Debug)]
pub(crate) struct List {
    pub(crate) scope: Scope,
    pub(crate) value: u16,
    pub(crate) path: String,
}

#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) path: String,
    pub(crate) step: Computation,
    pub(crate) value: u16,
    pub(crate) kinds: u64,
    pub(crate) lifts: Vec<Lift>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Computation {
    Convert { from: Source, op: String },
    Call { function: String, from: Vec<Source>, results: u16, lifts: Vec<(u16, Lift)> },
    Const(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Value(u16),
    /// The first that is there.
    First(Vec<u16>),
    Accumulator(u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lift {
    pub(crate) accumulator: u16,
    pub(crate) row: u16,
    pub(crate) kinds: u64,
}

impl Lift {
    /// Whether both add the same values to the same accumulator.
    fn does_as(self, other: &Self) -> bool {
        (self.accumulator, self.kinds) == (other.accumulator, other.kinds)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) path: Vec<String>,
    pub(crate) from: From,
    pub(crate) duplicate: bool,
    /// The row of each value of `from`; none where several rows gather values.
    pub(crate) rows: Vec<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Value(u16),
    /// The first that is there.
    First(Vec<u16>),
    Accumulator(u16),
    Builtin(String),
    Rest,
}

impl Cell {
    /// Whether a value is a result of the cell.
    pub(crate) fn makes(&self, value: u16) -> bool {
        let results = match &self.step {
            Computation::Call { results, .. } => *results,
            _ => 1,
        };
        self.value != NONE && (self.value..self.value.saturating_add(results)).contains(&value)
    }
}

impl Scope {
    pub(crate) fn new(path: String) -> Self {
        Self { nodes: vec![Node { path: path.clone(), ..Node::default() }], path, ..Self::default() }
    }

    pub(crate) fn new_value(&mut self) -> u16 {
        self.values += 1;
        self.values - 1
    }

    /// Splits a path at its first list: what lies before it in this scope, and what lies in the items.
    pub(crate) fn split(path: &[Step]) -> (&[Step], Option<&[Step]>) {
        match path.iter().position(|step| *step == Step::Items) {
            Some(at) => (path.get(..at).unwrap_or_default(), path.get(at + 1..)),
            None => (path, None),
        }
    }

    /// The slot of a path without lists.
    pub(crate) fn slot(&mut self, path: &[Step]) -> u16 {
        let Some((node, key)) = self.descend(path) else { return NONE };
        let slot = self.kid(node, &key).map_or(NONE, |kid| kid.slot);
        if slot != NONE {
            return slot;
        }
        let slot = self.new_value();
        if let Some(kid) = self.kid_mut(node, &key) {
            kid.slot = slot;
        }
        slot
    }

    /// The value that is true where the member at a path is there and not null, even when it is empty.
    pub(crate) fn presence(&mut self, path: &[Step]) -> u16 {
        let slot = self.slot(path);
        let Some((node, key)) = self.descend(path) else { return NONE };
        let known = self.kid(node, &key).map_or(NONE, |kid| kid.presence);
        if known != NONE || slot == NONE {
            return known;
        }
        let value = self.new_value();
        if let Some(kid) = self.kid_mut(node, &key) {
            kid.presence = value;
        }
        value
    }

    /// The list at a path without lists.
    pub(crate) fn list(&mut self, path: &[Step]) -> Option<&mut List> {
        let (node, key) = self.descend(path)?;
        let mut index = self.kid(node, &key).map_or(NONE, |kid| kid.list);
        if index == NONE {
            index = u16::try_from(self.lists.len()).ok()?;
            let parent = self.nodes.get(node).map(|node| node.path.clone()).unwrap_or_default();
            let path = join(&parent, &key);
            self.lists.push(List { scope: Scope::new(format!("{path}[]")), value: NONE, path });
            self.kid_mut(node, &key)?.list = index;
        }
        self.lists.get_mut(usize::from(index))
    }

    /// The node that the last key belongs to.
    fn descend(&mut self, path: &[Step]) -> Option<(usize, String)> {
        let (last, before) = path.split_last()?;
        let mut node = 0;
        for step in before {
            let Step::Key(key) = step else { return None };
            let below = self.kid(node, key).map_or(NONE, |kid| kid.node);
            node = if below == NONE {
                let parent = self.nodes.get(node)?.path.clone();
                let new = self.nodes.len();
                self.nodes.push(Node { path: join(&parent, key), ..Node::default() });
                self.kid_mut(node, key)?.node = u16::try_from(new).ok()?;
                new
            } else {
                usize::from(below)
            };
        }
        match last {
            Step::Key(key) => Some((node, key.clone())),
            Step::Items => None,
        }
    }

    /// Says in which own-field object the unknown keys of a path's parent stay, unless that was said before.
    pub(crate) fn keep_in(&mut self, path: &[Step], object: Vec<String>) {
        if let Some((node, _)) = self.descend(path)
            && node > 0
        {
            self.kept_in.entry(node).or_insert(object);
        }
    }

    fn kid(&self, node: usize, key: &str) -> Option<Kid> {
        self.nodes.get(node)?.kids.get(key).copied()
    }

    fn kid_mut(&mut self, node: usize, key: &str) -> Option<&mut Kid> {
        Some(self.nodes.get_mut(node)?.kids.entry(key.to_owned()).or_insert(Kid {
            slot: NONE,
            presence: NONE,
            node: NONE,
            list: NONE,
        }))
    }

    /// The bits of kinds.
    pub(crate) fn kinds(&mut self, names: &[String]) -> u64 {
        names.iter().fold(0, |bits, name| {
            let bit = self.kinds.iter().position(|kind| kind == name).unwrap_or_else(|| {
                self.kinds.push(name.clone());
                self.kinds.len() - 1
            });
            bits | 1_u64.checked_shl(u32::try_from(bit).unwrap_or(64)).unwrap_or(0)
        })
    }

    /// The value of a conversion, computed once however many rows ask for it; adds the lifts to it. Kinds other than 0
    /// restrict it.
    pub(crate) fn convert(&mut self, path: &str, from: Source, op: &str, kinds: u64, lifts: &[Lift]) -> u16 {
        let plain = match &from {
            Source::Value(value) if op == "Copy" && kinds == 0 => Some(*value),
            _ => None,
        };
        let step = Computation::Convert { from, op: op.to_owned() };
        if let Some(cell) = self.cells.iter_mut().find(|cell| cell.step == step && cell.kinds == kinds) {
            let known = |lift: &&Lift| !cell.lifts.iter().any(|known| known.does_as(lift));
            let new: Vec<Lift> = lifts.iter().filter(known).copied().collect();
            cell.lifts.extend(new);
            return plain.unwrap_or(cell.value);
        }
        if let Some(value) = plain
            && lifts.is_empty()
        {
            return value;
        }
        let value = if plain.is_some() { NONE } else { self.new_value() };
        self.cells.push(Cell { path: path.to_owned(), step, value, kinds, lifts: lifts.to_vec() });
        plain.unwrap_or(value)
    }

    /// The node of an object that some path leads through.
    pub(crate) fn node(&mut self, path: &[Step]) -> Option<u16> {
        let (node, key) = self.descend(path)?;
        self.kid(node, &key).map(|kid| kid.node).filter(|node| *node != NONE)
    }

    /// Outputs sorted by path, the unknown keys of an object behind its own.
    pub(crate) fn sorted_outputs(&self) -> Vec<Output> {
        let mut outputs = self.outputs.clone();
        if self.keep {
            let rest = |path| Output { path, from: From::Rest, duplicate: false, rows: vec![self.row] };
            outputs.push(rest(vec![REST.to_owned()]));
            for object in self.kept_in.values() {
                let mut path = object.clone();
                path.push(REST.to_owned());
                let rest = rest(path);
                if !outputs.contains(&rest) {
                    outputs.push(rest);
                }
            }
        }
        outputs.sort_by(|left, right| left.path.cmp(&right.path));
        outputs
    }
}

/// Sorts behind every key.
pub(crate) const REST: &str = "\u{10ffff}";

pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
