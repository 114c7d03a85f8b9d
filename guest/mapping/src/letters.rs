//! Comparing texts whatever the case of their ASCII letters, eight bytes at a time.

use crate::words::{self, each, zeros};

/// High bits of bytes that are upper-case letters.
#[inline]
fn upper(word: u64) -> u64 {
    let low = word & each(0x7F);
    let (from_a, above_z) = (low + each(0x80 - b'A'), low + each(0x7F - b'Z'));
    from_a & !above_z & !word & each(0x80)
}

/// Eight bytes with their letters in lower case.
#[inline]
fn lower(bytes: [u8; 8]) -> u64 {
    let word = u64::from_le_bytes(bytes);
    // The high bit of a letter in upper case, moved to where its lower case differs.
    word | upper(word) >> 2
}

/// Whether there are letters in upper case.
pub fn has_upper(text: &str) -> bool {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    words.iter().any(|word| upper(u64::from_le_bytes(*word)) != 0) || rest.iter().any(u8::is_ascii_uppercase)
}

/// Puts letters in lower case.
pub(crate) fn make_lower(bytes: &mut [u8]) {
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = lower(*word).to_le_bytes();
    }
    rest.make_ascii_lowercase();
}

/// Whether two texts are the same.
#[inline]
pub fn same(left: &str, right: &str) -> bool {
    left.len() == right.len() && same_bytes(left.as_bytes(), right.as_bytes())
}

fn same_bytes(left: &[u8], right: &[u8]) -> bool {
    let (Some(left_end), Some(right_end)) = (left.last_chunk::<8>(), right.last_chunk::<8>()) else {
        return left.eq_ignore_ascii_case(right);
    };
    let (left, right) = (left.as_chunks::<8>().0, right.as_chunks::<8>().0);
    left.iter().zip(right).all(|(left, right)| lower(*left) == lower(*right)) && lower(*left_end) == lower(*right_end)
}

/// Whether text begins so.
pub fn starts_with(text: &str, start: &str) -> bool {
    text.as_bytes().get(..start.len()).is_some_and(|part| same_bytes(part, start.as_bytes()))
}

/// Whether text ends so.
pub fn ends_with(text: &str, end: &str) -> bool {
    let from = text.len().checked_sub(end.len());
    from.and_then(|from| text.as_bytes().get(from..)).is_some_and(|part| same_bytes(part, end.as_bytes()))
}

/// Whether text has a word in it.
pub fn contains(text: &str, word: &str) -> bool {
    let Some(first) = word.bytes().next() else { return true };
    let bytes = text.as_bytes();
    // Where it can begin: mostly that is not far.
    let Some(starts) = text.len().checked_sub(word.len()).and_then(|last| bytes.get(..=last)) else { return false };
    let mut at = 0;
    while let Some(place) = find(starts, at, first) {
        if bytes.get(place..place + word.len()).is_some_and(|part| same_bytes(part, word.as_bytes())) {
            return true;
        }
        at = place + 1;
    }
    false
}

/// Where, from a place on, a byte stands that is a letter in either case; perhaps one that differs from it in no more
/// than a letter's case would.
#[inline]
fn find(bytes: &[u8], at: usize, letter: u8) -> Option<usize> {
    let hits = |word: u64| zeros((word ^ each(letter)) & !each(0x20));
    words::find(bytes, at, hits, |byte| (byte ^ letter) & !0x20 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_in_lower_case_as_the_library_has_it() {
        for byte in 0..=u8::MAX {
            let mut all = [b'Z', byte, byte, 0x80, byte, byte, 0xFF, byte, b'A', byte];
            let expected = all.map(|byte| byte.to_ascii_lowercase());
            make_lower(&mut all);
            assert_eq!(all, expected);
        }
    }

    #[test]
    fn texts_are_compared_whole_whatever_their_case() {
        let all: String = ('a'..='z').cycle().take(40).collect();
        for length in 0..all.len() {
            let text = &all[..length];
            assert!(same(text, &text.to_uppercase()));
            assert!(starts_with(&all.to_uppercase(), text) && ends_with(&all, &all[length..]));
            assert!(has_upper(&format!("{text}B")));
            assert!(!has_upper(text));
            for at in 0..length {
                let mut other = text.to_uppercase();
                other.replace_range(at..=at, "1");
                assert!(!same(text, &other), "{length} {at}");
                assert!(!starts_with(&other, &text[..=at]) && !ends_with(&other, &text[at..]));
            }
        }
        assert!(!same("@[`{", "`{@["));
    }

    #[test]
    fn words_are_found_wherever_they_are() {
        for (text, word, found) in [
            ("InboundConnectionAccepted", "connection", true),
            ("ConnectionSuccess", "connectionsuccess", true),
            ("xxConnectionSucces", "connectionsuccess", false),
            ("cccccccccccccccCONNECTION", "connection", true),
            ("os", "os x", false),
            ("Mac OS X", "os x", true),
            ("", "a", false),
            ("éDNS", "dns", true),
            ("ftp", "ftp", true),
        ] {
            assert_eq!(contains(text, word), found, "{text} {word}");
        }
    }
}
