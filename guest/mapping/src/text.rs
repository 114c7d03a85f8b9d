//! Text that is written in many small pieces, and the comparison of texts.

use std::fmt;

use crate::buffer::Buffer;
use crate::table::Key;

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

    /// Adds the key of a field.
    #[inline]
    pub(crate) fn push_key(&mut self, key: &Key) {
        match key.text().len() {
            length @ ..=Key::PADDED => self.0.push_first(key.padded(), length),
            _ => self.push_str(key.text()),
        }
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

/// As [`same`], of bytes that are equally many.
fn same_bytes(left: &[u8], right: &[u8]) -> bool {
    match left.len() {
        0..4 => left.iter().zip(right).all(|(left, right)| left == right),
        4..8 => short(left) == short(right),
        8..16 => ends(left) == ends(right),
        16..=32 => {
            let ((first, second), (own_first, own_second)) = (halves(left), halves(right));
            ends(first) == ends(own_first) && ends(second) == ends(own_second)
        }
        _ => left.chunks(16).zip(right.chunks(16)).all(|(left, right)| match left.len() {
            16 => ends(left) == ends(right),
            _ => left == right,
        }),
    }
}

/// The first and the last four bytes.
#[inline]
fn short(bytes: &[u8]) -> (u32, u32) {
    let word = |chunk: Option<&[u8; 4]>| chunk.map_or(0, |chunk| u32::from_le_bytes(*chunk));
    (word(bytes.first_chunk()), word(bytes.last_chunk()))
}

/// The first and the last eight bytes.
#[inline]
fn ends(bytes: &[u8]) -> (u64, u64) {
    let word = |chunk: Option<&[u8; 8]>| chunk.map_or(0, |chunk| u64::from_le_bytes(*chunk));
    (word(bytes.first_chunk()), word(bytes.last_chunk()))
}

/// The first and the last sixteen bytes, of 16 to 32.
#[inline]
fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    (bytes.get(..16).unwrap_or_default(), bytes.get(bytes.len() - 16..).unwrap_or_default())
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
