//! Which side of a join each cell and output belongs to.

use std::collections::BTreeSet;

use serde_saphyr::Spanned;

use super::Compiler;
use crate::compiled;
use crate::model::Side;
use crate::path::{self, Step};
use crate::scope::{Cell, Computation, From, Lift, NONE, Scope, Source};

/// The sides that something depends on, a bit each.
type Sides = u64;

/// What is known of the sides of values, cells and accumulators.
struct Origins {
    values: Vec<Sides>,
    cells: Vec<Sides>,
    accumulators: Vec<Sides>,
    /// The bit of the last side, which what depends on several sides belongs to.
    last: Sides,
}

impl Compiler<'_> {
    /// The sides of the pipeline, in their order.
    pub(super) fn sides(&mut self, scope: &mut Scope, sides: &[Spanned<Side>]) -> Vec<compiled::Side> {
        let Some(last) = sides.len().checked_sub(1) else { return Vec::new() };
        if sides.len() > 64 || !self.json_paths.is_empty() {
            self.error("a join has at most 64 sides and no rows with the whole of JSONPath", "");
            return Vec::new();
        }
        let mut made: Vec<compiled::Side> = Vec::new();
        for side in sides {
            self.line = side.defined.line();
            let at = side.value.at.as_deref().unwrap_or_default();
            let steps = if at.is_empty() { Some(Vec::new()) } else { path::parse(at) };
            let node = match &steps {
                Some(steps) if steps.is_empty() => Some(0),
                Some(steps) => scope.node(steps),
                None => None,
            };
            let (Some(steps), Some(node)) = (steps, node) else {
                self.error(format!("`at: {at}` is no object that rows look into"), "");
                return Vec::new();
            };
            let mut slots = |names: &[String]| -> Vec<u16> {
                let below = |name: &String| [steps.as_slice(), &[Step::Key(name.clone())]].concat();
                names.iter().map(|name| scope.slot(&below(name))).collect()
            };
            let (members, without) = (slots(&side.value.members), slots(&side.value.without));
            let rest = side.value.members.is_empty();
            made.push(compiled::Side { node, members, without, rest, ..compiled::Side::default() });
        }
        self.line = sides.first().map_or(1, |side| side.defined.line());
        let mut origins = Origins {
            values: vec![0; usize::from(scope.values)],
            cells: vec![0; scope.cells.len()],
            accumulators: vec![0; self.accumulators.len()],
            last: 1 << last,
        };
        origins.read(scope, &made);
        while origins.spread(scope) {}
        if let Some(list) = scope.lists.iter().find(|list| !origins.keeps(&list.scope)) {
            let message = format!("items of `{}` feed a list that other sides of the join feed too", list.path);
            self.error(message, "let a row of the record feed it");
        }
        for (number, side) in (0..).zip(&mut made) {
            origins.divide(scope, 1 << number, side);
            side.members.splice(..0, side.without.iter().copied());
        }
        made
    }
}

impl Origins {
    /// The sides of what the record's members fill.
    fn read(&mut self, scope: &Scope, sides: &[compiled::Side]) {
        let mut todo = vec![(0_u16, 0_u64)];
        while let Some((number, above)) = todo.pop() {
            let Some(node) = scope.nodes.get(usize::from(number)) else { continue };
            let here = (0..).zip(sides).find(|(_, side)| side.node == number && side.rest);
            let rest = here.map_or(above, |(side, _)| 1 << side);
            for kid in node.kids.values() {
                let named = (0..).zip(sides).find(|(_, side)| kid.slot != NONE && side.members.contains(&kid.slot));
                let origin = named.map_or(rest, |(side, _)| 1 << side);
                let list = scope.lists.get(usize::from(kid.list));
                for value in [kid.slot, kid.presence, list.map_or(NONE, |list| list.value)] {
                    if let Some(sides) = self.values.get_mut(usize::from(value)) {
                        *sides = origin;
                    }
                }
                if let Some(list) = list {
                    self.lift(&list.scope, origin);
                }
                todo.push((kid.node, origin));
            }
        }
    }

    /// Adds sides to all accumulators that items feed.
    fn lift(&mut self, scope: &Scope, sides: Sides) {
        for lift in scope.cells.iter().flat_map(lifts) {
            self.feed(lift, sides);
        }
        scope.lists.iter().for_each(|list| self.lift(&list.scope, sides));
    }

    fn feed(&mut self, lift: Lift, sides: Sides) {
        if let Some(all) = self.accumulators.get_mut(usize::from(lift.accumulator)) {
            *all |= sides;
        }
    }

    /// One round of what follows from what; whether anything did.
    fn spread(&mut self, scope: &Scope) -> bool {
        let before = (self.values.clone(), self.cells.clone(), self.accumulators.clone());
        for (number, cell) in scope.cells.iter().enumerate() {
            let sources = match &cell.step {
                Computation::Convert { from, .. } => std::slice::from_ref(from),
                Computation::Call { from, .. } => from.as_slice(),
                Computation::Const(_) => &[],
            };
            let mut sides = sources.iter().fold(0, |sides, source| sides | self.of_source(source));
            // What is made of several sides, of none, or depends on what kind of record it is, comes last.
            let fed = lifts(cell).any(|lift| !self.is_held(self.of_accumulator(lift.accumulator) | sides));
            if !self.is_held(sides) || cell.kinds != 0 || fed {
                sides |= self.last;
            }
            if let Some(known) = self.cells.get_mut(number) {
                *known |= sides;
            }
            lifts(cell).for_each(|lift| self.feed(lift, sides));
            for (value, known) in (0..).zip(&mut self.values).filter(|(value, _)| cell.makes(*value)) {
                debug_assert_ne!(value, NONE);
                *known |= sides;
            }
        }
        before != (self.values.clone(), self.cells.clone(), self.accumulators.clone())
    }

    /// Whether all that items feed is fed by their side alone, so that it can be written when the side is held.
    fn keeps(&self, scope: &Scope) -> bool {
        scope.cells.iter().flat_map(lifts).all(|lift| self.is_held(self.of_accumulator(lift.accumulator)))
            && scope.lists.iter().all(|list| self.keeps(&list.scope))
    }

    /// Whether something depends on one side alone, which is held.
    fn is_held(&self, sides: Sides) -> bool {
        sides.count_ones() == 1 && sides != self.last
    }

    fn of_value(&self, value: u16) -> Sides {
        self.values.get(usize::from(value)).copied().unwrap_or(self.last)
    }

    fn of_accumulator(&self, accumulator: u16) -> Sides {
        self.accumulators.get(usize::from(accumulator)).copied().unwrap_or(self.last)
    }

    fn of_source(&self, source: &Source) -> Sides {
        match source {
            Source::Value(value) => self.of_value(*value),
            Source::First(values) => values.iter().fold(0, |sides, value| sides | self.of_value(*value)),
            Source::Accumulator(accumulator) => self.of_accumulator(*accumulator),
        }
    }

    /// Fills in what belongs to a side.
    fn divide(&self, scope: &Scope, bit: Sides, side: &mut compiled::Side) {
        let mine = |sides: Sides| if bit == self.last { !self.is_held(sides) } else { sides == bit };
        let mut inputs: BTreeSet<u16> = BTreeSet::new();
        let mut needs = |values: &[u16]| inputs.extend(values.iter().filter(|value| self.of_value(**value) == bit));
        for (number, (cell, sides)) in (0..).zip(scope.cells.iter().zip(&self.cells)) {
            if mine(*sides) {
                side.cells.push(number);
            }
            if self.is_held(*sides) {
                continue;
            }
            match &cell.step {
                Computation::Convert { from: Source::Value(value), .. } => needs(&[*value]),
                Computation::Convert { from: Source::First(values), .. } => needs(values),
                Computation::Convert { .. } | Computation::Const(_) => {}
                Computation::Call { from, .. } => from.iter().for_each(|source| match source {
                    Source::Value(value) => needs(&[*value]),
                    Source::First(values) => needs(values),
                    Source::Accumulator(_) => {}
                }),
            }
        }
        for (number, output) in (0..).zip(scope.sorted_outputs()) {
            let sides = match &output.from {
                From::Value(value) => self.of_value(*value),
                From::First(values) => values.iter().fold(0, |sides, value| sides | self.of_value(*value)),
                From::Accumulator(accumulator) => self.of_accumulator(*accumulator),
                From::Builtin(_) | From::Rest => self.last,
            };
            if mine(sides) {
                side.outputs.push(number);
            } else if let From::First(values) = &output.from
                && !self.is_held(sides)
            {
                needs(values);
            }
        }
        side.values = (0..scope.values).filter(|value| self.of_value(*value) == bit).collect();
        side.inputs = if bit == self.last { Vec::new() } else { inputs.into_iter().collect() };
    }
}

/// All that a cell adds to accumulators.
fn lifts(cell: &Cell) -> impl Iterator<Item = Lift> + '_ {
    let of_results = match &cell.step {
        Computation::Call { lifts, .. } => lifts.as_slice(),
        _ => &[],
    };
    cell.lifts.iter().copied().chain(of_results.iter().map(|(_, lift)| *lift))
}
