//! Text that is written in many small pieces, and the comparison of texts.

use std::fmt;

use crate::buffer::Buffer;
use crate::table::Padded;

/// A text under construction.
#[derive(Clone, Default)]
pub struct Text(Buffer);

impl Text {
    /// Room for so many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Buffer::with_capacity(bytes))
    }

    /// Adds text.
    #[inline]
    pub fn push_str(&mut self, text: &str) {
        self.0.append(text.as_bytes());
    }

    /// Adds text that is padded.
    #[inline]
    pub(crate) fn push_padded<const N: usize>(&mut self, text: &Padded<N>) {
        let length = text.text().len();
        if length <= N {
            self.0.push_first(text.padded(), length);
        } else {
            self.push_str(text.text());
        }
    }

    /// Adds the first bytes of padded text, which are ASCII.
    #[inline]
    pub(crate) fn push_first<const N: usize>(&mut self, text: &Padded<N>, count: usize) {
        self.0.push_first(text.padded(), count);
    }

    /// Adds a character.
    #[inline]
    pub fn push(&mut self, character: char) {
        match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() => self.0.push([byte]),
            _ => self.push_str(character.encode_utf8(&mut [0; 4])),
        }
    }

    /// Adds bytes that are ASCII.
    #[inline]
    pub(crate) fn push_ascii<const N: usize>(&mut self, bytes: [u8; N]) {
        debug_assert!(bytes.is_ascii());
        self.0.push(bytes);
    }

    /// Adds bytes that are ASCII, however many.
    #[inline]
    pub(crate) fn push_ascii_slice(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.is_ascii());
        self.0.append(bytes);
    }

    /// Forgets what is behind a length that it had before.
    #[inline]
    pub fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.truncate(0);
    }

    /// Its length in bytes.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// Its bytes, which are UTF-8.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only text was added, and only at lengths that it had was it cut.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The text.
    #[must_use]
    pub fn into_string(self) -> String {
        // As above.
        String::from_utf8(self.0.into_vec()).unwrap_or_default()
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Buffer::from(text.into_bytes()))
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

/// Whether two texts are the same. WebAssembly has no instruction that compares; what stands in for it goes byte by
/// byte.
#[inline(always)]
pub(crate) fn same(left: &str, right: &str) -> bool {
    // Mostly the lengths differ, which needs no call.
    left.len() == right.len() && same_bytes(left.as_bytes(), right.as_bytes())
}

/// As [`same`], of bytes that are equally many: short ones are compared at their ends, without a loop and with one branch.
fn same_bytes(left: &[u8], right: &[u8]) -> bool {
    match left.len() {
        0..4 => left.iter().zip(right).all(|(left, right)| left == right),
        4..8 => short(left) == short(right),
        8..16 => differences(left, right) == 0,
        16..=32 => halves::<16>(left, right, differences) == 0,
        33..=64 => halves::<32>(left, right, |left, right| halves::<16>(left, right, differences)) == 0,
        _ => left == right,
    }
}

/// The first and the last four bytes.
#[inline]
fn short(bytes: &[u8]) -> (u32, u32) {
    let word = |chunk: Option<&[u8; 4]>| chunk.map_or(0, |chunk| u32::from_le_bytes(*chunk));
    (word(bytes.first_chunk()), word(bytes.last_chunk()))
}

/// Bits in which the first and the last eight bytes differ.
#[inline]
fn differences(left: &[u8], right: &[u8]) -> u64 {
    let word = |chunk: Option<&[u8; 8]>| chunk.map_or(0, |chunk| u64::from_le_bytes(*chunk));
    (word(left.first_chunk()) ^ word(right.first_chunk())) | (word(left.last_chunk()) ^ word(right.last_chunk()))
}

/// Bits in which the first N bytes differ and the last N, of N to 2 N; `between` tells those of N.
#[inline]
fn halves<const N: usize>(left: &[u8], right: &[u8], between: impl Fn(&[u8], &[u8]) -> u64) -> u64 {
    let first = |bytes| <[u8]>::first_chunk::<N>(bytes).map_or(&[][..], |chunk| chunk);
    let last = |bytes| <[u8]>::last_chunk::<N>(bytes).map_or(&[][..], |chunk| chunk);
    between(first(left), first(right)) | between(last(left), last(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_are_compared_whole() {
        for length in 0..80 {
            let text = "x".repeat(length);
            assert!(same(&text, &text.clone()));
            assert!(!same(&text, &"x".repeat(length + 1)));
            for at in 0..length {
                let mut other = text.clone();
                other.replace_range(at..=at, "y");
                assert!(!same(&text, &other), "{length} {at}");
            }
        }
    }

    #[test]
    fn pieces_of_every_length_are_added_whole() {
        let all: String = ('a'..='z').cycle().take(300).collect();
        let (mut text, mut expected) = (Text::default(), String::new());
        for length in (0..all.len()).chain([3, 0, 17]) {
            text.push_str(&all[..length]);
            expected.push_str(&all[..length]);
            text.push('é');
            expected.push('é');
        }
        assert_eq!(text.into_string(), expected);
    }
}
