//! From YAML shapes to scopes, with everything that can be wrong on the way.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use defenderbeat_mapping::table::{Builtin, RELATED, SCOPE_SIZE};
use serde_saphyr::Spanned;

use crate::compiled::{Compiled, Gather};
use crate::conversion::{fitting, is_of_parts, parts};
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::ecs::Ecs;
use crate::model::{Collect, Fragment, List, OneOrMany, Pipeline, Rest, Row};
use crate::path::{self, Step};
use crate::places::{Place, Places};
use crate::scope::{From, NONE, Output, Scope};
use crate::{Field, Functions};

mod rows;
mod sides;

/// The name of the value that tells the kinds of the record.
const KINDS: &str = "@kinds";
/// The name of the value that is the document's time.
const TIMESTAMP: &str = "@timestamp";
/// Fields that no output names: of a host's `agent`, and of the document of a collection that failed.
const ENGINE: [&str; 7] =
    ["agent.ephemeral_id", "agent.id", "agent.name", "agent.type", "agent.version", "error.code", "error.id"];

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
    /// What rows of the document gave so far, by full path or `@name`: the first that is there counts.
    given: BTreeMap<String, Vec<u16>>,
    /// What is put before source paths of the file that is read.
    below: String,
    places: Places,
}

pub(crate) fn compile(file: &Path, root: &Path, ecs: &Ecs, functions: &Functions) -> Result<Compiled, Diagnostics> {
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
        given: BTreeMap::new(),
        below: String::new(),
        places: Places::new(root),
    };
    let mut scope = Scope { pascal_case: pipeline.pascal_case, ..Scope::new(String::new()) };
    for (name, builtin) in Builtin::ALL {
        let path = compiler.absolute(name);
        compiler.targets.insert(path.clone(), (file.to_owned(), 0));
        let rows = if builtin == Builtin::Timestamp { compiler.times(&pipeline.time) } else { Vec::new() };
        // `agent` is an object whose fields ECS lists.
        if builtin != Builtin::Agent {
            let about = "Columns and properties that the mapping does not know, under their own names.";
            compiler.declare(&path, name.starts_with('.'), "flattened", about);
        }
        scope.outputs.push(Output { rows, ..output(&path, From::Builtin(format!("{builtin:?}"))) });
        compiler.places.end();
    }
    for path in ENGINE {
        compiler.declare(path, false, "", "");
    }
    for (name, accumulator) in RELATED.iter().zip(0..) {
        scope.outputs.push(output(&format!("related.{name}"), From::Accumulator(accumulator)));
    }
    for name in &pipeline.include {
        compiler.include(&mut scope, &[], None, name);
    }
    compiler.given.insert(TIMESTAMP.to_owned(), vec![scope.new_value()]);
    compiler.below = pipeline.below.as_ref().map(|below| format!("{below}.")).unwrap_or_default();
    compiler.lists(&mut scope, &[], &pipeline.lists);
    compiler.rows(&mut scope, None, &pipeline.rows);
    compiler.line = 1;
    let below = std::mem::take(&mut compiler.below);
    let identity = pipeline.identity.iter().map(|path| compiler.slot(&mut scope, path)).collect();
    let time = pipeline.time.iter().flat_map(|time| time.value.as_slice());
    let time = time.map(|path| compiler.slot(&mut scope, path)).collect();
    let position = pipeline.position.as_deref().map_or(NONE, |path| compiler.slot(&mut scope, path));
    let identity_members = match &pipeline.identity_members {
        None => NONE,
        Some(path) => match path::parse(path).and_then(|steps| scope.node(&steps)) {
            Some(node) => node,
            None => {
                compiler.error(format!("`identity_members: {path}` is no object that rows look into"), "");
                NONE
            }
        },
    };
    for (path, (accumulator, _)) in &compiler.gathered {
        scope.outputs.push(output(path, From::Accumulator(*accumulator)));
    }
    let retention = pipeline.retention.as_deref().map(days);
    if retention == Some(None) {
        compiler.error("`retention` is no number of days", "such as `7d`");
    }
    compiler.check_nesting(&scope);
    compiler.check_size(&scope);
    let sides = compiler.sides(&mut scope, &pipeline.sides);
    if !compiler.wrong.is_empty() {
        return Err(Diagnostics(compiler.wrong));
    }
    let kind =
        scope.outputs.iter().find(|output| output.path == ["event", "kind"]).map_or(NONE, |output| match output.from {
            From::Value(value) => value,
            _ => NONE,
        });
    if scope.kind.is_none() {
        scope.kind = compiler.given.get(KINDS).and_then(|values| values.first().copied());
    }
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
        identity_members,
        below,
        time,
        position,
        kind,
        on_error: pipeline.on_error.kind,
        preserve_original: pipeline.on_error.preserve_original,
        lookups: lookups.collect(),
        json_paths: compiler.json_paths,
        timestamp: compiler.given.get(TIMESTAMP).and_then(|values| values.first().copied()).unwrap_or(NONE),
        sides,
        labels: pipeline.labels,
        rows: compiler.places.into_rows(),
        retention: retention.flatten(),
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

/// A number of days, such as `7d`.
fn days(text: &str) -> Option<u16> {
    text.strip_suffix('d')?.parse().ok().filter(|days| *days > 0)
}

fn output(path: &str, from: From) -> Output {
    Output { path: path.split('.').map(str::to_owned).collect(), from, duplicate: false, rows: Vec::new() }
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

    /// The row that `@timestamp` comes from, and what it is given from.
    fn times(&mut self, time: &Option<Spanned<OneOrMany<String>>>) -> Vec<u16> {
        let Some(time) = time else { return Vec::new() };
        self.line = time.defined.line();
        let from = time.value.as_slice().to_vec();
        let row = self.places.begin(Place { file: self.file.clone(), line: self.line, by: "date".to_owned(), from });
        self.places.give(TIMESTAMP);
        vec![row]
    }

    /// Declares a field that the row at hand, if any, gives a value.
    fn declare(&mut self, path: &str, own: bool, kind: &str, about: &str) {
        let kind = if own { kind.to_owned() } else { self.ecs.kind(path).unwrap_or("keyword").to_owned() };
        let field = self.fields.entry(path.to_owned()).or_insert_with(|| Field {
            path: path.to_owned(),
            kind,
            about: if own { about.to_owned() } else { String::new() },
            sources: Vec::new(),
            rows: Vec::new(),
            ecs: !own,
            as_delivered: false,
            open: false,
        });
        self.places.tell(field);
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
            let from = if above.is_empty() { self.source(&list.from) } else { list.from.clone() };
            let Some(steps) = path::parse(&from).filter(|steps| !steps.contains(&Step::Items)) else {
                self.error(
                    format!("`from: {}` is no path to a list", list.from),
                    "a list inside another belongs to the other's `lists`",
                );
                continue;
            };
            let place = self.place("keep", vec![crate::scope::join(&scope.path, &from)]);
            let row = self.places.begin(place);
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
                self.declare(&item.prefix, true, "object", &list.about);
                self.mark(&item.prefix, |field| field.open = item.keep);
                let value = scope.new_value();
                let path = if above.is_empty() { item.prefix.as_str() } else { own };
                scope.outputs.push(Output { rows: vec![row], ..output(path, From::Value(value)) });
                if let Some(list) = scope.list(&steps) {
                    list.value = value;
                }
            }
            let Some(inner) = scope.list(&steps).map(|list| &mut list.scope) else { continue };
            inner.keep = item.keep;
            inner.row = row;
            if let Some(kind) = &list.kind {
                let slot = self.slot(inner, kind);
                inner.kind = Some(slot);
            }
            let mut nested = above.to_vec();
            nested.push(item.clone());
            if let Some(include) = &list.include {
                self.include(inner, &nested, Some(&item), include);
            }
            self.lists(inner, &nested, &list.lists);
            self.rows(inner, Some(&item), &list.rows);
        }
    }

    fn include(&mut self, scope: &mut Scope, nested: &[Item], item: Option<&Item>, name: &str) {
        let file = self.file.with_file_name(name);
        match read::<Fragment>(&file, &mut self.sources) {
            Err(Diagnostics(wrong)) => {
                if !file.exists() {
                    self.error(
                        format!("`include: {name}` is not there"),
                        "the path is relative to the folder of the file that includes it",
                    );
                } else {
                    self.wrong.extend(wrong);
                }
            }
            Ok(fragment) => {
                let outer = std::mem::replace(&mut self.file, file);
                self.lists(scope, nested, &fragment.lists);
                self.rows(scope, item, &fragment.rows);
                self.file = outer;
            }
        }
    }

    fn kinds(&mut self, scope: &mut Scope, of: &[String]) -> u64 {
        if of.is_empty() {
            return 0;
        }
        if scope.kind.is_none() {
            if !scope.path.is_empty() {
                self.error("`of` where items have no kind", "say `kind:` at the list");
            } else if !self.given.contains_key(KINDS) {
                self.error("`of` where the record has no kinds", "a row above gives them: `to: \"@kinds\"`");
            }
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
        self.declare(&format!("related.{name}"), false, "", "");
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
    ) -> Option<String> {
        let own = target.starts_with('.');
        let path = match item {
            Some(item) if own => format!("{}{target}", item.prefix),
            _ => self.absolute(target),
        };
        let parts = parts(row.conversion.as_deref(), &path);
        let ecs_object = !own && self.is_ecs_object(&path, parts);
        if !own && !ecs_object {
            let Some(kind) = self.ecs.kind(&path).map(str::to_owned) else {
                let hint = self.ecs.hint(&path);
                self.error(
                    format!("`{path}` is no ECS field"),
                    if hint.is_empty() { "own fields begin with `.`".to_owned() } else { hint },
                );
                return None;
            };
            let by_conversion = row.by.is_none() && row.constant.is_none() && !row.is_copy_of_field();
            let fitting_parts = row.conversion.as_deref().is_none_or(|name| !is_of_parts(name));
            if by_conversion && (!fitting_parts || (!fits.is_empty() && !fits.contains(&kind.as_str()))) {
                let conversion = row.conversion.as_deref().unwrap_or("copy");
                self.error(
                    format!("`as: {conversion}` does not fit `{path}`, which is of type {kind}"),
                    fitting(&kind),
                );
            }
        } else if item.is_some_and(|item| item.prefix.is_empty()) {
            self.error(format!("`{target}` has no object"), "say `to:` at the list");
        }
        if row.otherwise {
            if !self.targets.contains_key(&path) {
                self.error(format!("`else` at the first row for `{path}`"), "a row above gives it a value");
            }
            self.declare(&path, own, own_kind, &row.about);
            return Some(path);
        }
        let lies_in_items = self.places.sources().iter().any(|source| source.contains("[]"));
        let gathers = !own && item.is_some() || lies_in_items && row.by.is_none();
        let here = (self.file.clone(), self.line);
        if let Some((file, line)) =
            self.targets.insert(path.clone(), here).filter(|_| !gathers || !self.gathered.contains_key(&path))
        {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let hint = "the first is {name}:{line}; `else: true` at the second gives what no row above gives";
            let hint = hint.replace("{name}", &name).replace("{line}", &line.to_string());
            self.error(format!("a second row for `{path}`"), hint);
        }
        if ecs_object || (own && row.conversion.as_deref().is_some_and(is_of_parts)) {
            for (part, kind) in parts {
                let about = format!("{} Part: {part}.", row.about);
                self.declare(&format!("{path}.{part}"), own, kind, if own { &about } else { "" });
            }
        } else {
            self.declare(&path, own, own_kind, &row.about);
            let copied = own && row.conversion.is_none() && row.by.is_none() && row.constant.is_none();
            self.mark(&path, |field| field.as_delivered = copied);
        }
        Some(path)
    }

    /// Whether a path is an object of ECS that has the parts.
    fn is_ecs_object(&self, path: &str, parts: &[(&str, &str)]) -> bool {
        !parts.is_empty() && parts.iter().all(|(part, _)| self.ecs.kind(&format!("{path}.{part}")).is_some())
    }

    /// Looks for scopes that have more than the engine takes.
    fn check_size(&mut self, scope: &Scope) {
        if scope.cells.len().max(scope.outputs.len()) > SCOPE_SIZE {
            self.error(
                format!("more than {SCOPE_SIZE} fields or computed values belong to `{}`", scope.path),
                "raise `SCOPE_SIZE` in guest/mapping/src/table.rs",
            );
        }
        scope.lists.iter().for_each(|list| self.check_size(&list.scope));
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
