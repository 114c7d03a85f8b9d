//! Computing the cells of a scope whose slots are filled.

use crate::args::{Args, Results};
use crate::convert::Converter;
use crate::record::Record;
use crate::set::items;
use crate::table::{Lift, NONE, Op, Scope, Source, Step};
use crate::value::Value;
use crate::values::{Numbers, Values};

impl<'r> Record<'_, 'r> {
    /// Computes the cells of a scope whose slots are filled, in the order of their rows.
    pub(crate) fn compute(&mut self, scope: &'static Scope, values: &mut Values<'r>) {
        self.compute_some(scope, values, None);
    }

    /// As [`compute`](Self::compute), but only cells of a bit set, where there is one.
    pub(crate) fn compute_some(&mut self, scope: &'static Scope, values: &mut Values<'r>, only: Option<&[u64]>) {
        let mut kinds = Kinds::default();
        let mut given = std::mem::take(&mut self.results);
        let mut converter = Converter::new(self.table.lookups, self.arena);
        let mut numbers = Numbers::new(scope.cells.len(), scope.cells_always);
        numbers.gather(values.touched(), scope.cells_of);
        numbers.gather(values.empty(), scope.calls_of);
        numbers.retain(only);
        let mut is_sorted = false;
        while let Some(cell) = numbers.next().and_then(|number| scope.cells.get(usize::from(number))) {
            if cell.kinds != 0 && !is_sorted {
                // Of the cells that follow those of other kinds are passed over at once.
                let known = kinds.of(scope, values);
                let of_kind = |kind: usize| kind >= scope.kinds.len() || known >> kind & 1 == 1;
                let sets = scope.cells_of_kind.iter().enumerate().filter(|(kind, _)| of_kind(*kind));
                numbers.retain_any(sets.map(|(_, cells)| *cells));
                is_sorted = true;
                if cell.kinds & known == 0 {
                    continue;
                }
            }
            match &cell.step {
                Step::Const(json) => values.set(cell.value, Value::Raw(json)),
                Step::Convert(source, op) => {
                    let value = match source {
                        Source::Value(value) => values.get(*value),
                        Source::First(all) => values.first(all),
                        Source::Accumulator(at) => self
                            .gathered
                            .get(usize::from(*at))
                            .map_or(Value::Missing, |all| Value::List(self.arena.list(&all.values))),
                    };
                    if value.is_missing() {
                        continue;
                    }
                    if cell.value == NONE {
                        for lift in cell.lifts {
                            self.lift(*lift, kinds.of_lift(*lift, scope, values), value);
                        }
                        continue;
                    }
                    if let Op::Ask(question) = op {
                        let answer = self.ask(question, value);
                        values.put(cell.value, answer);
                        continue;
                    }
                    let result = match op {
                        Op::Copy => value,
                        op => converter.convert(*op, value),
                    };
                    if !converter.failures.is_empty() {
                        for (value, cause) in converter.failures.drain(..) {
                            self.fail(cell.path, value, cause);
                        }
                    }
                    for lift in cell.lifts {
                        self.lift(*lift, kinds.of_lift(*lift, scope, values), result);
                    }
                    values.put(cell.value, result);
                }
                Step::Call { function, from, results, lifts } => {
                    let args = Args {
                        sources: from,
                        values,
                        gathered: &self.gathered,
                        lookup: self.lookup,
                        arena: self.arena,
                    };
                    given.begin(usize::from(*results));
                    (function.0)(&args, &mut given);
                    if given.has_errors() {
                        self.report(cell.path, &mut given);
                    }
                    for (result, lift) in *lifts {
                        if let Some(value) = given.values.get(usize::from(*result)) {
                            self.lift(*lift, kinds.of_lift(*lift, scope, values), *value);
                        }
                    }
                    for (index, value) in (cell.value..).zip(&given.values) {
                        values.put(index, *value);
                    }
                }
            }
        }
        self.results = given;
    }

    /// Takes over what a function has to say against its arguments.
    #[cold]
    fn report(&mut self, path: &'static str, given: &mut Results<'r>) {
        for (value, cause) in given.failures.drain(..) {
            self.fail(path, value, cause);
        }
        for cause in given.errors.drain(..) {
            let place = self.place(path);
            self.errors.push(if place.is_empty() { cause } else { format!("{place}: {cause}") });
        }
        self.failed |= std::mem::take(&mut given.failed);
    }

    /// What the host knows of a value, or of the first of several that it knows.
    #[inline(never)]
    fn ask(&self, question: &str, value: Value<'r>) -> Value<'r> {
        let one = |value: &Value<'r>| self.lookup.find(question, &value.string()?);
        let answer = match value {
            Value::List(all) => all.iter().find_map(one),
            Value::Raw(json) if json.starts_with('[') => {
                items(json).into_iter().find_map(|item| one(&Value::read(item)))
            }
            value => one(&value),
        };
        answer.map_or(Value::Missing, |answer| Value::pruned(&answer, self.arena))
    }
}

/// The bits of the kinds of an object, found when the first row asks for them.
#[derive(Default)]
struct Kinds(Option<u64>);

impl Kinds {
    /// The kinds where a lift distinguishes any; it may come before the row that tells them.
    fn of_lift(&mut self, lift: Lift, scope: &Scope, values: &Values<'_>) -> u64 {
        if lift.kinds == 0 { 0 } else { self.of(scope, values) }
    }

    fn of(&mut self, scope: &Scope, values: &Values<'_>) -> u64 {
        *self.0.get_or_insert_with(|| {
            let bit = |value: &Value<'_>| {
                let text = value.string()?;
                let number = scope.kind_number(&text).or_else(|| scope.kind_number(text.rsplit_once('.')?.1))?;
                Some(1 << number)
            };
            match values.get(scope.kind) {
                Value::List(all) => all.iter().filter_map(bit).sum(),
                one => bit(&one).unwrap_or(0),
            }
        })
    }
}
