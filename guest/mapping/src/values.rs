//! The values of one scope: an array of which a record touches few.
//!
//! A table has hundreds of slots, because it knows every property of every kind of item; a record fills some twenty.
//! So what was touched is remembered: clearing, computing and writing cost what the record has, not what it could have.

use crate::table::{SCOPE_SIZE, Scope};
use crate::value::Value;

/// Values by index, absent until set.
#[derive(Debug, Default)]
pub(crate) struct Values<'r> {
    /// For each index where its value is in `set`; 0 stands for none.
    places: Vec<u16>,
    /// First one that is missing, which stands for all that are not set.
    set: Vec<Value<'r>>,
    touched: Vec<u16>,
    /// What the record has without a value: null, empty text, an empty container. Only functions want to know.
    empty: Vec<u16>,
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
        self.set.push(Value::Missing);
        self.empty.clear();
        if self.places.len() < usize::from(scope.values) {
            self.places.resize(usize::from(scope.values), 0);
        }
    }

    /// The value at an index.
    #[inline]
    pub(crate) fn get(&self, index: u16) -> Value<'r> {
        let place = self.places.get(usize::from(index)).copied().unwrap_or(0);
        self.set.get(usize::from(place)).copied().unwrap_or_default()
    }

    /// The first of several values that is there.
    pub(crate) fn first(&self, indexes: &[u16]) -> Value<'r> {
        indexes.iter().map(|index| self.get(*index)).find(|value| !value.is_missing()).unwrap_or_default()
    }

    /// Sets the value at an index.
    pub(crate) fn set(&mut self, index: u16, value: Value<'r>) {
        let Some(place) = self.places.get_mut(usize::from(index)) else { return };
        match self.set.get_mut(usize::from(*place)) {
            Some(known) if *place > 0 => *known = value,
            _ => {
                *place = u16::try_from(self.set.len()).unwrap_or(0);
                self.set.push(value);
                self.touched.push(index);
            }
        }
    }

    /// Sets a slot to what the record has.
    #[inline]
    pub(crate) fn fill(&mut self, index: u16, value: Value<'r>) {
        if value.is_missing() && self.places.get(usize::from(index)) == Some(&0) {
            self.empty.push(index);
        } else {
            self.set(index, value);
        }
    }

    /// Sets the value at an index to what was computed, which may be nothing.
    #[inline]
    pub(crate) fn put(&mut self, index: u16, value: Value<'r>) {
        if !value.is_missing() || self.places.get(usize::from(index)).is_some_and(|place| *place != 0) {
            self.set(index, value);
        }
    }

    /// The indexes that were set.
    pub(crate) fn touched(&self) -> &[u16] {
        &self.touched
    }

    /// The slots that the record has without a value.
    pub(crate) fn empty(&self) -> &[u16] {
        &self.empty
    }

    /// The same room, empty, for another record.
    pub(crate) fn recycle<'n>(mut self) -> Values<'n> {
        for index in self.touched.drain(..) {
            if let Some(place) = self.places.get_mut(usize::from(index)) {
                *place = 0;
            }
        }
        self.empty.clear();
        Values { places: self.places, set: emptied(self.set), touched: self.touched, empty: self.empty }
    }
}

/// Room for more values than this is not kept: one long record must not hold its memory for the rest of an engine's life.
pub(crate) const KEPT: usize = 1024;

/// A list without its content, for values that live shorter or longer; its memory is used again.
pub(crate) fn emptied<T, U>(mut list: Vec<T>) -> Vec<U> {
    if list.capacity() > KEPT {
        return Vec::new();
    }
    list.clear();
    list.into_iter().filter_map(|_| None).collect()
}

/// A set of numbers below [`SCOPE_SIZE`], taken out in ascending order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    words: [u64; WORDS],
    /// Words that may have numbers.
    used: usize,
    /// The word whose numbers are being taken out, and those of them that are left.
    word: usize,
    bits: u64,
}

const WORDS: usize = SCOPE_SIZE / 64;

impl Numbers {
    /// Those numbers below a count that are always in.
    pub(crate) fn new(count: usize, always: &[u16]) -> Self {
        let mut numbers = Self { used: (count / 64 + 1).min(WORDS), ..Self::default() };
        numbers.insert_all(always);
        numbers
    }

    /// The numbers that `of` names for each index.
    pub(crate) fn gather(&mut self, indexes: &[u16], of: &[&[u16]]) {
        for index in indexes {
            if let Some(numbers) = of.get(usize::from(*index)) {
                self.insert_all(numbers);
            }
        }
    }

    #[inline]
    fn insert_all(&mut self, numbers: &[u16]) {
        for number in numbers {
            if let Some(bits) = self.words.get_mut(usize::from(number / 64) % WORDS) {
                *bits |= 1 << (number % 64);
            }
        }
    }

    /// Leaves the numbers that one of several bit sets has.
    pub(crate) fn retain_any<'s>(&mut self, sets: impl Iterator<Item = &'s [u64]>) {
        let mut any = [0; WORDS];
        for set in sets {
            any.iter_mut().zip(set).for_each(|(any, bits)| *any |= bits);
        }
        self.bits &= self.word.checked_sub(1).and_then(|word| any.get(word)).copied().unwrap_or(0);
        self.retain(any.get(..self.used));
    }

    /// Leaves the numbers of a bit set, where there is one.
    pub(crate) fn retain(&mut self, only: Option<&[u64]>) {
        let Some(only) = only else { return };
        let bits = only.iter().copied().chain(std::iter::repeat(0));
        self.words.iter_mut().take(self.used).zip(bits).for_each(|(word, bits)| *word &= bits);
    }
}

impl Iterator for Numbers {
    type Item = u16;

    /// Takes the smallest number out.
    #[inline]
    fn next(&mut self) -> Option<u16> {
        while self.bits == 0 {
            if self.word == self.used {
                return None;
            }
            self.bits = *self.words.get(self.word)?;
            self.word += 1;
        }
        let bit = self.bits.trailing_zeros();
        self.bits &= self.bits - 1;
        u16::try_from(self.word * 64 - 64 + bit as usize).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_out_once_and_in_order() {
        let mut numbers = Numbers::new(1001, &[0]);
        numbers.gather(&[1, 0, 1], &[&[3, 1000], &[64, 3]]);
        assert_eq!(numbers.clone().collect::<Vec<_>>(), [0, 3, 64, 1000]);
        numbers.retain(Some(&[1 << 3, u64::MAX]));
        assert_eq!(numbers.collect::<Vec<_>>(), [3, 64]);
    }
}
