//! From rows to cells and outputs.

use serde_saphyr::Spanned;

use super::{Compiler, Item, output};
use crate::compiled::Gather;
use crate::conversion::{ANY, CONVERSIONS, shape};
use crate::diagnostics::nearest;
use crate::model::{Arg, Row};
use crate::path::{self, Step};
use crate::places::Place;
use crate::scope::{Cell, Computation, From, Lift, NONE, Output, Scope, Source};

impl Compiler<'_> {
    pub(super) fn rows(&mut self, scope: &mut Scope, item: Option<&Item>, rows: &[Spanned<Row>]) {
        for spanned in rows {
            self.line = spanned.defined.line();
            let place = self.place(row_verb(&spanned.value), self.full_paths(scope, item, &spanned.value));
            self.places.begin(place);
            self.row(scope, item, &spanned.value);
            if item.is_none() {
                for target in spanned.value.to.as_slice() {
                    let target = self.absolute(target);
                    self.places.give(&target);
                }
            }
        }
    }

    /// Where and how a row gives what it gives.
    pub(super) fn place(&self, by: &str, from: Vec<String>) -> Place {
        Place { file: self.file.clone(), line: self.line, by: by.to_owned(), from }
    }

    /// The source paths of a row from the record on, and `@..` for what rows above gave.
    fn full_paths(&self, scope: &Scope, item: Option<&Item>, row: &Row) -> Vec<String> {
        let full = |arg: &Arg| {
            let (Arg::Path(text) | Arg::Filtered { path: text, .. }) = arg;
            match text.strip_prefix('@') {
                Some(name) if self.given.contains_key(text) => format!("@{name}"),
                Some(name) => self.absolute(name),
                None if item.is_none() => self.source(text.trim_end_matches('?')),
                None => source_path(scope, text.trim_end_matches('?')),
            }
        };
        row.from.as_slice().iter().map(full).collect()
    }

    fn row(&mut self, scope: &mut Scope, item: Option<&Item>, row: &Row) {
        let kinds = [
            row.constant.is_some(),
            row.by.is_some(),
            row.constant.is_none() && row.by.is_none() && !row.from.as_slice().is_empty(),
        ];
        if kinds.iter().filter(|kind| **kind).count() != 1 {
            self.error(
                "a row has a `from`, a `const` or a `by`",
                "exactly one of them (`by` takes its arguments from `from`)",
            );
            return;
        }
        if row.to.as_slice().is_empty() && row.related.is_none() {
            self.error("the row leads nowhere", "say `to:` or `related:`");
            return;
        }
        if row.about.is_empty() && row.to.as_slice().iter().any(|target| target.starts_with('.')) {
            self.error("an own field has no `about`", "one short sentence in our own words");
        }
        if let Some(constant) = &row.constant {
            self.constant(scope, item, row, constant);
        } else if let Some(function) = &row.by {
            self.call(scope, item, row, function);
        } else {
            self.copy(scope, item, row);
        }
    }

    /// A source path as it is in the record.
    pub(super) fn source(&self, text: &str) -> String {
        if text.starts_with('$') { text.to_owned() } else { format!("{}{text}", self.below) }
    }

    /// What rows above gave to the field or name that a source `@..` asks for; none where the source is a path.
    fn given(&mut self, text: &str) -> Option<Source> {
        let name = text.strip_prefix('@')?;
        let values = self.given.get(text).or_else(|| self.given.get(&self.absolute(name))).cloned().unwrap_or_default();
        match values.as_slice() {
            [] => {
                let known = self.given.keys().map(String::as_str);
                let hint = nearest(name, known.map(|name| name.trim_start_matches('@')));
                self.error(format!("no row above gives `{text}`"), hint);
                Some(Source::Value(NONE))
            }
            [value] => Some(Source::Value(*value)),
            _ => Some(Source::First(values)),
        }
    }

    /// Gives a field of the document a value, behind those that rows above gave it.
    fn give(&mut self, scope: &mut Scope, path: &str, value: u16, duplicate: bool) {
        let row = self.places.row();
        let values = self.given.entry(path.to_owned()).or_default();
        values.push(value);
        let from = if values.len() == 1 { From::Value(value) } else { From::First(values.clone()) };
        let steps: Vec<String> = path.split('.').map(str::to_owned).collect();
        match scope.outputs.iter_mut().find(|output| output.path == steps) {
            Some(output) => {
                output.from = from;
                output.rows.push(row);
            }
            None => scope.outputs.push(Output { duplicate, rows: vec![row], ..output(path, from) }),
        }
    }

    fn constant(&mut self, scope: &mut Scope, item: Option<&Item>, row: &Row, constant: &serde_json::Value) {
        if item.is_some() {
            self.error("a constant belongs to the document", "move the row out of the list");
            return;
        }
        let kinds = self.kinds(scope, &row.of);
        let value = scope.new_value();
        scope.cells.push(Cell {
            path: String::new(),
            step: Computation::Const(constant.to_string()),
            value,
            kinds,
            lifts: Vec::new(),
        });
        for target in row.to.as_slice() {
            if target.starts_with('@') {
                self.given.entry(target.clone()).or_default().push(value);
            } else if let Some(path) = self.target(None, row, target, ANY, "keyword") {
                self.give(scope, &path, value, false);
            }
        }
    }

    fn call(&mut self, scope: &mut Scope, item: Option<&Item>, row: &Row, function: &str) {
        if !self.functions.0.iter().any(|known| known == function) {
            let hint = nearest(function, self.functions.0.iter().map(String::as_str));
            self.error(
                format!("there is no function `{function}`"),
                if hint.is_empty() { "define it in the guest's src/functions".to_owned() } else { hint },
            );
        }
        let mut from = Vec::new();
        let mut first = None;
        for arg in row.from.as_slice() {
            let (text, of) = match arg {
                Arg::Path(path) => (path, &[][..]),
                Arg::Filtered { path, of } => (path, of.as_slice()),
            };
            if let Some(values) = self.given(text) {
                from.push(values);
                continue;
            }
            let text = &if item.is_none() { self.source(text) } else { text.clone() };
            first.get_or_insert_with(|| source_path(scope, text));
            let (text, presence) = text.strip_suffix('?').map_or((text.as_str(), false), |text| (text, true));
            let Some(steps) = path::parse(text) else {
                self.error(format!("`{text}` is no source path"), "such as `a.b` or `list[].a`");
                return;
            };
            match Scope::split(&steps) {
                (_, None) if presence => from.push(Source::Value(scope.presence(&steps))),
                (_, None) => from.push(Source::Value(scope.slot(&steps))),
                (_, Some(_)) if item.is_some() => {
                    self.error(
                        format!("`{text}` gathers items inside an item"),
                        "functions of items take single values",
                    );
                    return;
                }
                (_, Some(_)) => match self.gather(scope, &steps, text, of) {
                    Some(accumulator) => from.push(Source::Accumulator(accumulator)),
                    None => return,
                },
            }
        }
        let results = u16::try_from(row.to.as_slice().len()).unwrap_or(NONE);
        let value = scope.values;
        scope.values += results;
        let kinds = self.kinds(scope, &row.of);
        let mut lifts = Vec::new();
        for (target, result) in row.to.as_slice().iter().zip(0..) {
            if target.starts_with('@') {
                if item.is_some() {
                    self.error(format!("`{target}` belongs to the document"), "move the row out of the list");
                }
                self.given.entry(target.clone()).or_default().push(value + result);
                continue;
            }
            let own = target.starts_with('.');
            let Some(path) = self.target(item, row, target, ANY, row.kind.as_deref().unwrap_or("keyword")) else {
                continue;
            };
            if item.is_some() && !own {
                if let Some(accumulator) = self.accumulator(&path, row.collect) {
                    lifts.push((result, self.lift_to(accumulator, kinds)));
                }
            } else if item.is_some() {
                let path = target.trim_start_matches('.');
                let (duplicate, rows) = (row.dup && own, vec![self.places.row()]);
                scope.outputs.push(Output { duplicate, rows, ..output(path, From::Value(value + result)) });
            } else {
                self.give(scope, &path, value + result, row.dup && own);
            }
        }
        if let Some(accumulator) = self.related(row) {
            let lift = self.lift_to(accumulator, kinds);
            lifts.extend((0..results).map(|result| (result, lift)));
        }
        let path = first.unwrap_or_default();
        let step = Computation::Call { function: function.to_owned(), from, results, lifts };
        // In a list kinds choose what is lifted; the item keeps its own fields.
        let kinds = if item.is_some() { 0 } else { kinds };
        scope.cells.push(Cell { path, step, value, kinds, lifts: Vec::new() });
    }

    fn copy(&mut self, scope: &mut Scope, item: Option<&Item>, row: &Row) {
        let [Arg::Path(text)] = row.from.as_slice() else {
            self.error("a row without `by` has one source path", "write a row for each");
            return;
        };
        let name = row.conversion.as_deref().unwrap_or("copy");
        let Some((_, op, own_kind, fits)) = CONVERSIONS.iter().find(|(known, ..)| *known == name) else {
            let hint = nearest(name, CONVERSIONS.iter().map(|(known, ..)| *known));
            self.error(format!("there is no conversion `{name}`"), hint);
            return;
        };
        let Some(mut op) = self.op(op, row) else { return };
        if op == "Json" {
            // What Elasticsearch takes there.
            op = match row.kind.as_deref().unwrap_or(own_kind) {
                "flattened" => "JsonObject",
                "any" => "Json",
                _ => "JsonScalars",
            }
            .to_owned();
        }
        if let Some(values) = self.given(text) {
            return self.direct(scope, item, row, text, values, &op, own_kind, fits);
        }
        let text = &if item.is_none() { self.source(text) } else { text.clone() };
        let steps = match path::parse(text) {
            Some(steps) => steps,
            None if text.starts_with('$') && item.is_none() => {
                if let Err(error) = defenderbeat_mapping::check_json_path(text) {
                    let cause = error.lines().last().unwrap_or_default().trim_start_matches([' ', '=']).to_owned();
                    self.error(format!("`{text}` is no JSONPath: {cause}"), "RFC 9535 describes it");
                }
                let slot = scope.new_value();
                self.json_paths.push((text.clone(), slot));
                return self.direct(scope, item, row, text, Source::Value(slot), &op, own_kind, fits);
            }
            None => {
                self.error(
                    format!("`{text}` is no source path"),
                    "such as `a.b`, `list[].a`, `['odd.key']`; one that begins with `$` may be any JSONPath",
                );
                return;
            }
        };
        match Scope::split(&steps) {
            (_, None) => {
                let slot = scope.slot(&steps);
                self.direct(scope, item, row, &source_path(scope, text), Source::Value(slot), &op, own_kind, fits);
                let parent = row.to.as_slice().iter().find_map(|target| target.strip_prefix('.')).map(|own| {
                    let mut object: Vec<String> = own.split('.').map(str::to_owned).collect();
                    object.pop();
                    object
                });
                if let (Some(object), Some(Item { keep: true, .. })) = (parent, item) {
                    scope.keep_in(&steps, object);
                }
            }
            (_, Some(_)) if item.is_some() => {
                self.error(format!("`{text}` leads into a list of an item"), "write the row in that list's `rows`");
            }
            (_, Some(_)) => self.lift(scope, row, &steps, text, &op, fits),
        }
    }

    fn op(&mut self, op: &str, row: &Row) -> Option<String> {
        if op != "Lookup" {
            if row.lookup.is_some() {
                self.error("`lookup:` without `as: lookup`", "");
            }
            return Some(op.to_owned());
        }
        let name = row.lookup.as_deref().unwrap_or_default();
        let index = self.lookups.iter().position(|known| known == name);
        if index.is_none() {
            let hint = nearest(name, self.lookups.iter().map(String::as_str));
            self.error(format!("there is no lookup `{name}`"), hint);
        }
        index.map(|index| format!("Lookup({index})"))
    }

    /// A row whose value lies in the scope that it is written in.
    #[allow(clippy::too_many_arguments, reason = "the facts of one row, resolved")]
    fn direct(
        &mut self,
        scope: &mut Scope,
        item: Option<&Item>,
        row: &Row,
        text: &str,
        from: Source,
        op: &str,
        own_kind: &str,
        fits: &[&str],
    ) {
        let kinds = self.kinds(scope, &row.of);
        let related = self.related(row);
        let mut lifts: Vec<Lift> = related.map(|accumulator| self.lift_to(accumulator, kinds)).into_iter().collect();
        let mut outputs = Vec::new();
        let mut locals = Vec::new();
        for target in row.to.as_slice() {
            let own = target.starts_with('.');
            if target.starts_with('@') {
                locals.push(target.clone());
                continue;
            }
            if own && item.is_some() && !row.of.is_empty() {
                self.error(
                    format!("`{target}` depends on the item's kind"),
                    "`of` filters ECS fields; own fields keep the value of every item",
                );
            }
            let own_kind = row.kind.as_deref().unwrap_or(own_kind);
            let kind = if own { own_kind } else { self.ecs.kind(target).unwrap_or_default() };
            if op == "Copy"
                && (own || item.is_none())
                && row.of.is_empty()
                && let Source::Value(slot) = from
            {
                scope.shapes.insert(slot, shape(kind));
            }
            let Some(path) = self.target(item, row, target, fits, own_kind) else { continue };
            if item.is_some() && !own {
                let accumulator = self.accumulator(&path, row.collect);
                lifts.extend(accumulator.map(|accumulator| self.lift_to(accumulator, kinds)));
            } else {
                outputs.push((
                    if item.is_some() { target.trim_start_matches('.').to_owned() } else { path },
                    row.dup && own,
                ));
            }
        }
        let cell_kinds = if item.is_some() { 0 } else { kinds };
        let value = scope.convert(text, from, op, cell_kinds, &lifts);
        for (path, duplicate) in outputs {
            if item.is_some() {
                let rows = vec![self.places.row()];
                scope.outputs.push(Output { duplicate, rows, ..output(&path, From::Value(value)) });
            } else {
                self.give(scope, &path, value, duplicate);
            }
        }
        for local in locals {
            self.given.entry(local).or_default().push(value);
        }
    }

    /// A row of the document whose value lies in list items.
    fn lift(&mut self, scope: &mut Scope, row: &Row, steps: &[Step], text: &str, op: &str, fits: &[&str]) {
        let mut accumulators: Vec<u16> = self.related(row).into_iter().collect();
        for target in row.to.as_slice() {
            if let Some(path) = self.target(None, row, target, fits, row.kind.as_deref().unwrap_or("keyword"))
                && let Some(accumulator) = self.accumulator(&path, row.collect)
            {
                accumulators.push(accumulator);
            }
        }
        let Some((inner, below)) = innermost(scope, steps) else { return };
        let kinds = self.kinds(inner, &row.of);
        let slot = inner.slot(below);
        let lifts: Vec<Lift> = accumulators.into_iter().map(|accumulator| self.lift_to(accumulator, kinds)).collect();
        inner.convert(text, Source::Value(slot), op, 0, &lifts);
    }

    /// How the row at hand adds to an accumulator.
    fn lift_to(&self, accumulator: u16, kinds: u64) -> Lift {
        Lift { accumulator, row: self.places.row(), kinds }
    }

    /// The accumulator of all values of a path over items, for a function.
    fn gather(&mut self, scope: &mut Scope, steps: &[Step], text: &str, of: &[String]) -> Option<u16> {
        let (inner, below) = innermost(scope, steps)?;
        let kinds = self.kinds(inner, of);
        if let Some(known) = self.arguments.get(&(text.to_owned(), kinds)) {
            return Some(*known);
        }
        let accumulator = self.new_accumulator(Gather::All);
        let slot = inner.slot(below);
        inner.convert(text, Source::Value(slot), "Copy", 0, &[self.lift_to(accumulator, kinds)]);
        self.arguments.insert((text.to_owned(), kinds), accumulator);
        Some(accumulator)
    }
}

/// The scope of the innermost list of a path, and what is left of the path there.
fn innermost<'s, 'p>(scope: &'s mut Scope, steps: &'p [Step]) -> Option<(&'s mut Scope, &'p [Step])> {
    match Scope::split(steps) {
        (_, None) => Some((scope, steps)),
        (before, Some(below)) => innermost(&mut scope.list(before)?.scope, below),
    }
}

/// How a row makes what it gives: by a function, a conversion or as a constant.
fn row_verb(row: &Row) -> &str {
    let conversion = row.conversion.as_deref().unwrap_or("copy");
    row.by.as_deref().unwrap_or(if row.constant.is_some() { "const" } else { conversion })
}

fn source_path(scope: &Scope, text: &str) -> String {
    crate::scope::join(&scope.path, text)
}
