//! The values of one scope: an array of which a record touches few.
//!
//! A table has hundreds of slots, because it knows every property of every kind of item; a record fills some twenty.
//! So what was touched is remembered: clearing, computing and writing cost what the record has, not what it could have.

use crate::table::Scope;
use crate::value::Value;

/// Values by index, absent until set.
#[derive(Debug, Default)]
pub(crate) struct Values<'r> {
    /// For each index where its value is in `set`, counted from 1; 0 stands for none.
    places: Vec<u16>,
    set: Vec<Value<'r>>,
    touched: Vec<u16>,
}

impl<'r> Values<'r> {
    /// Makes room for a scope; all values are absent.
    pub(crate) fn reset(&mut self, scope: &Scope) {
        for index in self.touched.drain(..) {
            if let Some(place) = self.places.get_mut(usize::from(index)) {
                *place = 0;
            }
        }
        self.set.clear();
        if self.places.len() < usize::from(scope.values) {
            self.places.resize(usize::from(scope.values), 0);
        }
    }

    /// The value at an index.
    pub(crate) fn get(&self, index: u16) -> &Value<'r> {
        let place = self.places.get(usize::from(index)).copied().unwrap_or(0);
        usize::from(place).checked_sub(1).and_then(|at| self.set.get(at)).unwrap_or(&Value::Missing)
    }

    /// The first of several values that is there.
    pub(crate) fn first(&self, indexes: &[u16]) -> &Value<'r> {
        indexes.iter().map(|index| self.get(*index)).find(|value| !value.is_missing()).unwrap_or(&Value::Missing)
    }

    /// Sets the value at an index.
    pub(crate) fn set(&mut self, index: u16, value: Value<'r>) {
        let Some(place) = self.places.get_mut(usize::from(index)) else { return };
        if let Some(known) = usize::from(*place).checked_sub(1).and_then(|at| self.set.get_mut(at)) {
            *known = value;
            return;
        }
        self.set.push(value);
        self.touched.push(index);
        *place = u16::try_from(self.set.len()).unwrap_or(0);
    }

    /// The indexes that were set.
    pub(crate) fn touched(&self) -> &[u16] {
        &self.touched
    }
}

/// A set of small numbers, taken out in ascending order.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    words: Vec<u64>,
    /// The first word that may have a number.
    first: usize,
}

impl Numbers {
    /// The numbers that `of` names for each touched value, and those that are always in.
    pub(crate) fn gather(&mut self, touched: &[u16], of: &[&[u16]], always: &[u16]) {
        self.words.clear();
        self.first = 0;
        for numbers in touched.iter().filter_map(|index| of.get(usize::from(*index))) {
            self.insert_all(numbers);
        }
        self.insert_all(always);
    }

    fn insert_all(&mut self, numbers: &[u16]) {
        for number in numbers {
            let word = usize::from(number / 64);
            if self.words.len() <= word {
                self.words.resize(word + 1, 0);
            }
            if let Some(bits) = self.words.get_mut(word) {
                *bits |= 1 << (number % 64);
            }
        }
    }

    /// Leaves the numbers of a bit set, where there is one.
    pub(crate) fn retain(&mut self, only: Option<&[u64]>) {
        let Some(only) = only else { return };
        self.words.truncate(only.len());
        self.words.iter_mut().zip(only).for_each(|(word, bits)| *word &= bits);
    }

    /// Takes the smallest number out.
    pub(crate) fn pop(&mut self) -> Option<u16> {
        loop {
            let bits = self.words.get_mut(self.first)?;
            if *bits == 0 {
                self.first += 1;
                continue;
            }
            let bit = bits.trailing_zeros();
            *bits &= *bits - 1;
            return u16::try_from(self.first * 64).ok()?.checked_add(u16::try_from(bit).ok()?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_out_once_and_in_order() {
        let mut numbers = Numbers::default();
        numbers.gather(&[1, 0, 1], &[&[3, 200], &[64, 3]], &[0]);
        let taken: Vec<u16> = std::iter::from_fn(|| numbers.pop()).collect();
        assert_eq!(taken, [0, 3, 64, 200]);
    }
}
