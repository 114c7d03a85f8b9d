//! Seeded draws.

use std::fmt::Write;

/// A sequence of draws that follows from a seed, a purpose and a number.
pub(crate) struct Dice(fastrand::Rng);

impl Dice {
    pub(crate) fn new(seed: u64, purpose: &str, number: u64) -> Self {
        let mixed = purpose.bytes().fold(seed, |mixed, byte| fastrand::Rng::with_seed(mixed ^ u64::from(byte)).u64(..));
        Self(fastrand::Rng::with_seed(fastrand::Rng::with_seed(mixed ^ number).u64(..)))
    }

    /// From 0 to 1, without 1.
    pub(crate) fn part(&mut self) -> f64 {
        self.0.f64()
    }

    /// True in this part of all cases.
    pub(crate) fn chance(&mut self, part: f64) -> bool {
        self.part() < part
    }

    /// From one number up to, and not including, another.
    pub(crate) fn between(&mut self, from: i64, to: i64) -> i64 {
        if from < to { self.0.i64(from..to) } else { from }
    }

    /// Below a number that is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end.max(1))
    }

    /// One of these.
    pub(crate) fn pick<T: Copy, const N: usize>(&mut self, items: &[T; N]) -> T {
        const { assert!(N > 0) };
        #[expect(clippy::indexing_slicing, reason = "the draw is below N, which is not 0")]
        items[self.0.usize(..N)]
    }

    /// One of these, each as often as its weight says.
    pub(crate) fn weighted<T: Copy, const N: usize>(&mut self, items: &[(u32, T); N]) -> T {
        const { assert!(N > 0) };
        let mut draw = self.0.u32(..items.iter().map(|item| item.0).sum::<u32>().max(1));
        for &(weight, item) in items {
            if draw < weight {
                return item;
            }
            draw -= weight;
        }
        self.pick(items).1
    }

    /// One of these, which are not none.
    pub(crate) fn among<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// A number of 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.u64(..)
    }

    /// Hexadecimal digits, lower case.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        let mut text = String::with_capacity(digits + 16);
        while text.len() < digits {
            let _ = write!(text, "{:016x}", self.0.u64(..));
        }
        text.truncate(digits);
        text
    }

    /// A random GUID (version 4).
    pub(crate) fn guid(&mut self) -> String {
        let bits = self.0.u128(..) & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
        let text = format!("{bits:032x}");
        let part = |from, to| text.get(from..to).unwrap_or_default();
        format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
    }

    /// A number of so many decimal digits.
    pub(crate) fn digits(&mut self, digits: usize) -> String {
        (0..digits)
            .map(|place| if place == 0 { self.pick(&['1', '2', '3', '4', '5']) } else { self.0.digit(10) })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guids_are_version_4() {
        let guid = Dice::new(1, "guid", 0).guid();
        let parts: Vec<&str> = guid.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(parts[2].starts_with('4') && "89ab".contains(&parts[3][..1]), "{guid}");
    }

    #[test]
    fn draws_depend_on_seed_purpose_and_number() {
        let draw = |seed, purpose, number| Dice::new(seed, purpose, number).hex(16);
        assert_eq!(draw(1, "a", 1), draw(1, "a", 1));
        let others = [draw(2, "a", 1), draw(1, "b", 1), draw(1, "a", 2)];
        assert!(others.iter().all(|other| *other != draw(1, "a", 1)));
    }
}
