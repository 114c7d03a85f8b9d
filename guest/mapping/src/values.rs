//! The values of one scope: an array of which a record touches few.
//!
//! A table has hundreds of slots, because it knows every property of every kind of item; a record fills some twenty.
//! So what was touched is remembered: clearing, computing and writing cost what the record has, not what it could have.

use crate::table::Scope;
use crate::value::Value;

/// Values by index, absent until set.
#[derive(Debug, Default)]
pub(crate) struct Values<'r> {
    all: Vec<Value<'r>>,
    touched: Vec<u16>,
}

impl<'r> Values<'r> {
    /// Makes room for a scope; all values are absent.
    pub(crate) fn reset(&mut self, scope: &Scope) {
        for index in self.touched.drain(..) {
            if let Some(value) = self.all.get_mut(usize::from(index)) {
                *value = Value::Missing;
            }
        }
        if self.all.len() < usize::from(scope.values) {
            self.all.resize(usize::from(scope.values), Value::Missing);
        }
    }

    /// The value at an index.
    pub(crate) fn get(&self, index: u16) -> &Value<'r> {
        self.all.get(usize::from(index)).unwrap_or(&Value::Missing)
    }

    /// Sets the value at an index.
    pub(crate) fn set(&mut self, index: u16, value: Value<'r>) {
        if let Some(place) = self.all.get_mut(usize::from(index)) {
            *place = value;
            self.touched.push(index);
        }
    }

    /// The indexes that were set; one that was set twice comes twice.
    pub(crate) fn touched(&self) -> &[u16] {
        &self.touched
    }
}

/// A set of small numbers, taken out in ascending order.
#[derive(Debug, Default)]
pub(crate) struct Numbers(Vec<u64>);

impl Numbers {
    /// The numbers that `of` names for each touched value, and those that are always in.
    pub(crate) fn gather(&mut self, touched: &[u16], of: &[&[u16]], always: &[u16]) {
        self.0.clear();
        for numbers in touched.iter().filter_map(|index| of.get(usize::from(*index))) {
            self.insert_all(numbers);
        }
        self.insert_all(always);
    }

    fn insert_all(&mut self, numbers: &[u16]) {
        for number in numbers {
            let word = usize::from(number / 64);
            if self.0.len() <= word {
                self.0.resize(word + 1, 0);
            }
            if let Some(bits) = self.0.get_mut(word) {
                *bits |= 1 << (number % 64);
            }
        }
    }

    /// Takes the smallest number out.
    pub(crate) fn pop(&mut self) -> Option<u16> {
        let (word, bits) = self.0.iter_mut().enumerate().find(|(_, bits)| **bits != 0)?;
        let bit = bits.trailing_zeros();
        *bits &= *bits - 1;
        u16::try_from(word * 64).ok()?.checked_add(u16::try_from(bit).ok()?)
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
