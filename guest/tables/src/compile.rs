//! From YAML shapes to scopes, with everything that can be wrong on the way.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use defenderbeat_mapping::URL_PARTS;
use defenderbeat_mapping::table::{Builtin, RELATED};
use serde_saphyr::Spanned;

use crate::compiled::{Compiled, Gather};
use crate::conversion::{ANY, CONVERSIONS, fitting, shape};
use crate::diagnostics::{Diagnostic, Diagnostics, nearest};
use crate::ecs::Ecs;
use crate::model::{Arg, Collect, Fragment, List, Pipeline, Rest, Row};
use crate::path::{self, Step};
use crate::scope::{Cell, Computation, From, Lift, NONE, Output, Scope, Source};
use crate::{Field, Functions};

struct Compiler<'c> {
    ecs: &'c Ecs,
    functions: &'c Functions,
    dataset: String,
    file: PathBuf,
    line: u64,
    wrong: Vec<Diagnostic>,
    sources: String,
    lookups: Vec<String>,
    accumulators: Vec<Gather>,
    /// Accumulator of each gathered target, with the way it gathers.
    gathered: BTreeMap<String, (u16, Collect)>,
    /// Accumulators that feed functions, by path and kinds.
    arguments: BTreeMap<(String, u64), u16>,
    /// Where each target was said.
    targets: BTreeMap<String, (PathBuf, u64)>,
    json_paths: Vec<(String, u16)>,
    fields: BTreeMap<String, Field>,
}

pub(crate) fn compile(file: &Path, ecs: &Ecs, functions: &Functions) -> Result<Compiled, Diagnostics> {
    let mut sources = String::new();
    let pipeline: Pipeline = read(file, &mut sources)?;
    let mut compiler = Compiler {
        ecs,
        functions,
        dataset: pipeline.dataset.clone(),
        file: file.to_owned(),
        line: 1,
        wrong: Vec::new(),
        sources,
        lookups: pipeline.lookups.keys().cloned().collect(),
        accumulators: vec![Gather::Set; RELATED.len()],
        gathered: BTreeMap::new(),
        arguments: BTreeMap::new(),
        targets: BTreeMap::new(),
        json_paths: Vec::new(),
        fields: BTreeMap::new(),
    };
    let mut scope = Scope::new(String::new());
    for (name, builtin) in Builtin::ALL {
        let path = compiler.absolute(name);
        compiler.targets.insert(path.clone(), (file.to_owned(), 0));
        // `agent` is an object whose fields ECS lists.
        if builtin != Builtin::Agent {
            let about = "Columns and properties that the mapping does not know, under their own names.";
            compiler.declare(&path, name.starts_with('.'), "flattened", about, &[]);
        }
        scope.outputs.push(output(&path, From::Builtin(format!("{builtin:?}"))));
    }
    for (name, accumulator) in RELATED.iter().zip(0..) {
        let path = format!("related.{name}");
        compiler.declare(&path, false, "", "", &[]);
        scope.outputs.push(output(&path, From::Accumulator(accumulator)));
    }
    compiler.lists(&mut scope, &[], &pipeline.lists);
    compiler.rows(&mut scope, None, &pipeline.rows);
    compiler.line = 1;
    let identity = pipeline.identity.iter().map(|path| compiler.slot(&mut scope, path)).collect();
    let time = pipeline.time.as_deref().map_or(NONE, |path| compiler.slot(&mut scope, path));
    let position = pipeline.position.as_deref().map_or(NONE, |path| compiler.slot(&mut scope, path));
    for (path, (accumulator, _)) in &compiler.gathered {
        scope.outputs.push(output(path, From::Accumulator(*accumulator)));
    }
    compiler.check_nesting(&scope);
    if !compiler.wrong.is_empty() {
        return Err(Diagnostics(compiler.wrong));
    }
    let kind =
        scope.outputs.iter().find(|output| output.path == ["event", "kind"]).map_or(NONE, |output| match output.from {
            From::Value(value) => value,
            _ => NONE,
        });
    let lookups = pipeline.lookups.into_values().map(|lookup| {
        let values = lookup
            .values
            .into_iter()
            .map(|(key, value)| (if lookup.ignore_case { key.to_lowercase() } else { key }, value.to_string()));
        (lookup.ignore_case, values.collect())
    });
    Ok(Compiled {
        dataset: pipeline.dataset,
        ecs: pipeline.ecs,
        digest: format!("{:032x}", xxhash_rust::xxh3::xxh3_128(compiler.sources.as_bytes())),
        scope,
        accumulators: compiler.accumulators,
        identity,
        time,
        position,
        kind,
        on_error: pipeline.on_error.kind,
        preserve_original: pipeline.on_error.preserve_original,
        lookups: lookups.collect(),
        json_paths: compiler.json_paths,
        labels: pipeline.labels,
        fields: compiler.fields.into_values().collect(),
    })
}

fn read<T: serde::de::DeserializeOwned>(file: &Path, sources: &mut String) -> Result<T, Diagnostics> {
    let text = fs::read_to_string(file).map_err(|error| Diagnostics::one(file, format!("cannot be read: {error}")))?;
    sources.push_str(&text);
    serde_saphyr::from_str(&text).map_err(|error| {
        let line = error.location().map_or(0, |location| location.line());
        let message = error.to_string().lines().next().unwrap_or_default().to_owned();
        Diagnostics(vec![Diagnostic {
            file: file.to_owned(),
            line,
            message,
            hint: "the format is described in pipelines/README.md".to_owned(),
        }])
    })
}

fn output(path: &str, from: From) -> Output {
    Output { path: path.split('.').map(str::to_owned).collect(), from, duplicate: false }
}

/// Where rows of an item write: the prefix of its own fields, and the path of the list.
#[derive(Clone)]
struct Item {
    prefix: String,
    keep: bool,
}

impl Compiler<'_> {
    fn error(&mut self, message: impl Into<String>, hint: impl Into<String>) {
        self.wrong.push(Diagnostic {
            file: self.file.clone(),
            line: self.line,
            message: message.into(),
            hint: hint.into(),
        });
    }

    fn absolute(&self, target: &str) -> String {
        target.strip_prefix('.').map_or_else(|| target.to_owned(), |own| format!("{}.{own}", self.dataset))
    }

    fn declare(&mut self, path: &str, own: bool, kind: &str, about: &str, sources: &[String]) {
        let kind = if own { kind.to_owned() } else { self.ecs.kind(path).unwrap_or("keyword").to_owned() };
        let field = self.fields.entry(path.to_owned()).or_insert_with(|| Field {
            path: path.to_owned(),
            kind,
            about: about.to_owned(),
            sources: Vec::new(),
            ecs: !own,
            as_delivered: false,
            open: false,
        });
        for source in sources {
            if !field.sources.contains(source) {
                field.sources.push(source.clone());
            }
        }
    }

    /// Says more of a declared field.
    fn mark(&mut self, path: &str, mark: impl FnOnce(&mut Field)) {
        if let Some(field) = self.fields.get_mut(path) {
            mark(field);
        }
    }

    /// The slot of a path of the record.
    fn slot(&mut self, scope: &mut Scope, text: &str) -> u16 {
        match path::parse(text) {
            Some(steps) if !steps.contains(&Step::Items) => scope.slot(&steps),
            _ => {
                self.error(format!("`{text}` is no path to a single value of the record"), "such as `id` or `a.b`");
                NONE
            }
        }
    }

    fn lists(&mut self, scope: &mut Scope, above: &[Item], lists: &[Spanned<List>]) {
        for spanned in lists {
            let list = &spanned.value;
            self.line = spanned.defined.line();
            let Some(steps) = path::parse(&list.from).filter(|steps| !steps.contains(&Step::Items)) else {
                self.error(
                    format!("`from: {}` is no path to a list", list.from),
                    "a list inside another belongs to the other's `lists`",
                );
                continue;
            };
            let mut item = Item { prefix: String::new(), keep: list.rest == Rest::Keep };
            if let Some(to) = &list.to {
                let Some(own) = to.strip_prefix('.') else {
                    self.error(
                        format!("`to: {to}` is no own field"),
                        "the list of items is written under the dataset: begin with `.`",
                    );
                    continue;
                };
                item.prefix = match above.last() {
                    Some(above) => format!("{}.{own}", above.prefix),
                    None => format!("{}.{own}", self.dataset),
                };
                if list.about.is_empty() {
                    self.error(format!("`{to}` has no `about`"), "one short sentence");
                }
                self.declare(&item.prefix, true, "object", &list.about, std::slice::from_ref(&list.from));
                self.mark(&item.prefix, |field| field.open = item.keep);
                let value = scope.new_value();
                scope.outputs.push(output(if above.is_empty() { &item.prefix } else { own }, From::Value(value)));
                if let Some(list) = scope.list(&steps) {
                    list.value = value;
                }
            }
            let Some(inner) = scope.list(&steps).map(|list| &mut list.scope) else { continue };
            inner.keep = item.keep;
            if let Some(kind) = &list.kind {
                let slot = self.slot(inner, kind);
                inner.kind = Some(slot);
            }
            let mut nested = above.to_vec();
            nested.push(item.clone());
            if let Some(include) = &list.include {
                self.include(inner, &nested, &item, include);
            }
            self.lists(inner, &nested, &list.lists);
            self.rows(inner, Some(&item), &list.rows);
        }
    }

    fn include(&mut self, scope: &mut Scope, nested: &[Item], item: &Item, name: &str) {
        let file = self.file.with_file_name(name);
        match read::<Fragment>(&file, &mut self.sources) {
            Err(Diagnostics(wrong)) => {
                if !file.exists() {
                    self.error(
                        format!("`include: {name}` is not there"),
                        "the file lies beside the one that includes it",
                    );
                } else {
                    self.wrong.extend(wrong);
                }
            }
            Ok(fragment) => {
                let outer = std::mem::replace(&mut self.file, file);
                self.lists(scope, nested, &fragment.lists);
                self.rows(scope, Some(item), &fragment.rows);
                self.file = outer;
            }
        }
    }

    fn rows(&mut self, scope: &mut Scope, item: Option<&Item>, rows: &[Spanned<Row>]) {
        for spanned in rows {
            self.line = spanned.defined.line();
            self.row(scope, item, &spanned.value);
        }
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

    fn constant(&mut self, scope: &mut Scope, item: Option<&Item>, row: &Row, constant: &serde_json::Value) {
        if item.is_some() {
            self.error("a constant belongs to the document", "move the row out of the list");
            return;
        }
        let value = scope.new_value();
        scope.cells.push(Cell {
            path: String::new(),
            step: Computation::Const(constant.to_string()),
            value,
            lifts: Vec::new(),
        });
        for target in row.to.as_slice() {
            if let Some(path) = self.target(None, row, target, ANY, "keyword", &[]) {
                scope.outputs.push(Output { duplicate: false, ..output(&path, From::Value(value)) });
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
        let mut sources = Vec::new();
        for arg in row.from.as_slice() {
            let (text, of) = match arg {
                Arg::Path(path) => (path, &[][..]),
                Arg::Filtered { path, of } => (path, of.as_slice()),
            };
            sources.push(source_path(scope, text));
            let Some(steps) = path::parse(text) else {
                self.error(format!("`{text}` is no source path"), "such as `a.b` or `list[].a`");
                return;
            };
            match Scope::split(&steps) {
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
            let own = target.starts_with('.');
            let Some(path) = self.target(item, row, target, ANY, row.kind.as_deref().unwrap_or("keyword"), &sources)
            else {
                continue;
            };
            if item.is_some() && !own {
                if let Some(accumulator) = self.accumulator(&path, row.collect) {
                    lifts.push((result, Lift { accumulator, kinds }));
                }
            } else {
                let path = if item.is_some() { target.trim_start_matches('.') } else { &path };
                scope.outputs.push(Output { duplicate: row.dup && own, ..output(path, From::Value(value + result)) });
            }
        }
        if let Some(accumulator) = self.related(row) {
            lifts.extend((0..results).map(|result| (result, Lift { accumulator, kinds })));
        }
        let path = sources.first().cloned().unwrap_or_default();
        let step = Computation::Call { function: function.to_owned(), from, results, lifts };
        scope.cells.push(Cell { path, step, value, lifts: Vec::new() });
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
        let Some(op) = self.op(op, row) else { return };
        let steps = match path::parse(text) {
            Some(steps) => steps,
            None if text.starts_with('$') && item.is_none() => {
                if let Err(error) = defenderbeat_mapping::check_json_path(text) {
                    let cause = error.lines().last().unwrap_or_default().trim_start_matches([' ', '=']).to_owned();
                    self.error(format!("`{text}` is no JSONPath: {cause}"), "RFC 9535 describes it");
                }
                let slot = scope.new_value();
                self.json_paths.push((text.clone(), slot));
                return self.direct(scope, item, row, text, slot, &op, own_kind, fits);
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
                self.direct(scope, item, row, &source_path(scope, text), slot, &op, own_kind, fits);
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
        slot: u16,
        op: &str,
        own_kind: &str,
        fits: &[&str],
    ) {
        let kinds = self.kinds(scope, &row.of);
        let sources = [text.to_owned()];
        let mut lifts: Vec<Lift> =
            self.related(row).map(|accumulator| Lift { accumulator, kinds }).into_iter().collect();
        let mut outputs = Vec::new();
        for target in row.to.as_slice() {
            let own = target.starts_with('.');
            if own && !row.of.is_empty() {
                self.error(
                    format!("`{target}` depends on the item's kind"),
                    "`of` filters ECS fields; own fields keep the value of every item",
                );
            }
            let own_kind = row.kind.as_deref().unwrap_or(own_kind);
            let kind = if own { own_kind } else { self.ecs.kind(target).unwrap_or_default() };
            if op == "Copy" && (own || item.is_none()) {
                scope.shapes.insert(slot, shape(kind));
            }
            let Some(path) = self.target(item, row, target, fits, own_kind, &sources) else { continue };
            if item.is_some() && !own {
                lifts.extend(self.accumulator(&path, row.collect).map(|accumulator| Lift { accumulator, kinds }));
            } else {
                outputs.push((
                    if item.is_some() { target.trim_start_matches('.').to_owned() } else { path },
                    row.dup && own,
                ));
            }
        }
        let value = scope.convert(text, slot, op, &lifts);
        for (path, duplicate) in outputs {
            scope.outputs.push(Output { duplicate, ..output(&path, From::Value(value)) });
        }
    }

    /// A row of the document whose value lies in list items.
    fn lift(&mut self, scope: &mut Scope, row: &Row, steps: &[Step], text: &str, op: &str, fits: &[&str]) {
        let mut accumulators: Vec<u16> = self.related(row).into_iter().collect();
        for target in row.to.as_slice() {
            let sources = [text.to_owned()];
            if let Some(path) = self.target(None, row, target, fits, row.kind.as_deref().unwrap_or("keyword"), &sources)
                && let Some(accumulator) = self.accumulator(&path, row.collect)
            {
                accumulators.push(accumulator);
            }
        }
        let Some((inner, below)) = innermost(scope, steps) else { return };
        let kinds = self.kinds(inner, &row.of);
        let slot = inner.slot(below);
        let lifts: Vec<Lift> = accumulators.into_iter().map(|accumulator| Lift { accumulator, kinds }).collect();
        inner.convert(text, slot, op, &lifts);
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
        inner.convert(text, slot, "Copy", &[Lift { accumulator, kinds }]);
        self.arguments.insert((text.to_owned(), kinds), accumulator);
        Some(accumulator)
    }

    fn kinds(&mut self, scope: &mut Scope, of: &[String]) -> u64 {
        if of.is_empty() {
            return 0;
        }
        if scope.kind.is_none() {
            self.error("`of` where items have no kind", "say `kind:` at the list");
        }
        let kinds = scope.kinds(of);
        if scope.kinds.len() > 64 {
            self.error("rows distinguish more than 64 kinds", "");
        }
        kinds
    }

    fn related(&mut self, row: &Row) -> Option<u16> {
        let name = row.related.as_deref()?;
        let found = RELATED.iter().position(|known| *known == name);
        if found.is_none() {
            self.error(format!("there is no field `related.{name}`"), "hash, hosts, ip or user");
        }
        found.and_then(|index| u16::try_from(index).ok())
    }

    fn new_accumulator(&mut self, mode: Gather) -> u16 {
        self.accumulators.push(mode);
        u16::try_from(self.accumulators.len() - 1).unwrap_or(NONE)
    }

    /// The accumulator of a gathered target; its output is added when all rows are done.
    fn accumulator(&mut self, path: &str, collect: Collect) -> Option<u16> {
        if let Some((accumulator, known)) = self.gathered.get(path).copied() {
            if known != collect {
                self.error(
                    format!("`{path}` is gathered both sorted and not"),
                    "say `collect: sorted` in all of its rows or in none",
                );
            }
            return Some(accumulator);
        }
        let accumulator = self.new_accumulator(if collect == Collect::Sorted { Gather::Sorted } else { Gather::Set });
        self.gathered.insert(path.to_owned(), (accumulator, collect));
        Some(accumulator)
    }

    /// Checks a target and declares its field; gives its full path.
    fn target(
        &mut self,
        item: Option<&Item>,
        row: &Row,
        target: &str,
        fits: &[&str],
        own_kind: &str,
        sources: &[String],
    ) -> Option<String> {
        let own = target.starts_with('.');
        let path = match item {
            Some(item) if own => format!("{}{target}", item.prefix),
            _ => self.absolute(target),
        };
        let url = row.conversion.as_deref() == Some("url");
        if !own {
            let Some(kind) = self.ecs.kind(&path).map(str::to_owned) else {
                let hint = self.ecs.hint(&path);
                self.error(
                    format!("`{path}` is no ECS field"),
                    if hint.is_empty() { "own fields begin with `.`".to_owned() } else { hint },
                );
                return None;
            };
            let by_conversion = row.from.as_slice().len() == 1 && row.by.is_none() && row.constant.is_none();
            if by_conversion && (url || (!fits.is_empty() && !fits.contains(&kind.as_str()))) {
                let conversion = row.conversion.as_deref().unwrap_or("copy");
                self.error(
                    format!("`as: {conversion}` does not fit `{path}`, which is of type {kind}"),
                    fitting(&kind),
                );
            }
        } else if item.is_some_and(|item| item.prefix.is_empty()) {
            self.error(format!("`{target}` has no object"), "say `to:` at the list");
        }
        let gathers = !own && item.is_some() || sources.iter().any(|source| source.contains("[]")) && row.by.is_none();
        let here = (self.file.clone(), self.line);
        if let Some((file, line)) =
            self.targets.insert(path.clone(), here).filter(|_| !gathers || !self.gathered.contains_key(&path))
        {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            self.error(format!("a second row for `{path}`"), format!("the first is {name}:{line}"));
        }
        if url {
            for part in URL_PARTS {
                let kind = if part == "port" { "long" } else { "keyword" };
                self.declare(&format!("{path}.{part}"), true, kind, &format!("{} Part: {part}.", row.about), sources);
            }
        } else {
            self.declare(&path, own, own_kind, &row.about, sources);
            let copied = own && row.conversion.is_none() && row.by.is_none() && row.constant.is_none();
            self.mark(&path, |field| field.as_delivered = copied);
        }
        Some(path)
    }

    /// Looks for paths that are both a field and an object.
    fn check_nesting(&mut self, scope: &Scope) {
        let mut paths: Vec<String> = scope.outputs.iter().map(|output| output.path.join(".")).collect();
        paths.sort();
        for pair in paths.windows(2) {
            if let [upper, lower] = pair
                && lower.strip_prefix(upper.as_str()).is_some_and(|rest| rest.starts_with('.'))
            {
                if let Some((file, line)) = self.targets.get(lower).cloned() {
                    (self.file, self.line) = (file, line);
                }
                self.error(
                    format!("`{upper}` is a field, and `{lower}` lies below it"),
                    "a field cannot be an object too",
                );
            }
        }
    }
}

/// The scope of the innermost list of a path, and what is left of the path there.
fn innermost<'s, 'p>(scope: &'s mut Scope, steps: &'p [Step]) -> Option<(&'s mut Scope, &'p [Step])> {
    match Scope::split(steps) {
        (_, None) => Some((scope, steps)),
        (before, Some(below)) => innermost(&mut scope.list(before)?.scope, below),
    }
}

fn source_path(scope: &Scope, text: &str) -> String {
    crate::scope::join(&scope.path, text)
}
