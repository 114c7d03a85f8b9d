//! Where strings end, and plain text: bytes that JSON has as they are.

use crate::blocks::{BLOCK, PAIR, lowest, special, special_pair, special_word};

/// How long a string may be, with its quotes, that [`plain_string`] finds the end of: two pairs of blocks between them.
pub(crate) const STRING: usize = 2 * PAIR + 2;

/// The length, quotes included, of a string without escapes; none where it is none, or too long.
#[inline(always)]
pub(crate) fn plain_string<const N: usize>(near: &[u8; N]) -> Option<usize> {
    let [b'"', text @ ..] = near.as_slice() else { return None };
    let mut length = special_pair(text.first_chunk()?).trailing_zeros() as usize;
    if length == PAIR {
        length += special_pair(text.get(PAIR..)?.first_chunk()?).trailing_zeros() as usize;
    }
    (text.get(length) == Some(&b'"')).then_some(length + 2)
}

/// The end of a string that begins at a place, and whether there are escapes in it.
#[inline]
pub(crate) fn quoted(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    if let Some(near) = bytes.get(at..)?.first_chunk::<STRING>()
        && let Some(length) = plain_string(near)
    {
        return Some((at + length, false));
    }
    any_quoted(bytes, at)
}

/// As [`quoted`].
pub(crate) fn any_quoted(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let at = plain(bytes, at + 1);
    match bytes.get(at) {
        Some(b'"') => Some((at + 1, false)),
        Some(b'\\') => Some((escaped(bytes, at)?, true)),
        _ => None,
    }
}

/// The end of a string from its first escape on.
fn escaped(bytes: &[u8], mut at: usize) -> Option<usize> {
    // Where there is one escape there are more: as in paths of Windows, and in JSON that is text.
    'pairs: while let Some(pair) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let mut hits = special_pair(pair);
        while hits != 0 {
            let place = hits.trailing_zeros() as usize;
            match pair.get(place) {
                Some(b'"') => return Some(at + place + 1),
                Some(b'\\') => {}
                _ => return None,
            }
            // Mostly it is one of these.
            let length = match bytes.get(at + place + 1) {
                Some(b'\\' | b'"') => 2,
                _ => escape(bytes, at + place)?,
            };
            if place + length >= PAIR {
                at += place + length;
                continue 'pairs;
            }
            hits &= u32::MAX << (place + length);
        }
        at += PAIR;
    }
    loop {
        at = far_plain(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Some(at + 1),
            Some(b'\\') => at += escape(bytes, at)?,
            _ => return None,
        }
    }
}

/// The length of the escape that begins at a place.
#[inline(never)]
fn escape(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' if bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => Some(6),
        _ => None,
    }
}

/// How many bytes stand before the first quote, backslash or control character: those that JSON text has as they are.
#[inline]
#[must_use]
pub fn plain_length(text: &[u8]) -> usize {
    match (text.first_chunk(), text.last_chunk()) {
        // What both blocks see, they see in the same place; a bit behind the last byte ends the search.
        (Some(first), Some(last)) if text.len() < PAIR => {
            let hits = special(first) | special(last) << (text.len() - BLOCK) | 1 << text.len();
            hits.trailing_zeros() as usize
        }
        (Some(_), _) => plain(text, 0),
        (None, _) => short_plain(text),
    }
}

/// Where the next quote, backslash or control character stands.
#[inline]
fn plain(bytes: &[u8], at: usize) -> usize {
    // Mostly it is near.
    match bytes.get(at..).and_then(|rest| rest.first_chunk()).map(special_pair) {
        Some(0) => far_plain(bytes, at + PAIR),
        Some(hits) => at + hits.trailing_zeros() as usize,
        None => far_plain(bytes, at),
    }
}

/// As [`plain`].
fn far_plain(bytes: &[u8], mut at: usize) -> usize {
    loop {
        match block(bytes, at) {
            Some(0) => at += BLOCK,
            Some(hits) => return at + hits.trailing_zeros() as usize,
            None => return last_plain(bytes, at),
        }
    }
}

/// Which bytes of the next block are not plain.
#[inline]
fn block(bytes: &[u8], at: usize) -> Option<u32> {
    Some(special(bytes.get(at..)?.first_chunk()?))
}

/// As [`plain`], where less than a block is left.
fn last_plain(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    match bytes.last_chunk::<BLOCK>() {
        // The bytes before are not asked for; a bit behind the last byte ends the search.
        Some(last) => at + ((special(last) | 1 << BLOCK) >> (BLOCK - rest.len())).trailing_zeros() as usize,
        None => at + short_plain(rest),
    }
}

/// As [`plain_length`], of less than a block.
fn short_plain(text: &[u8]) -> usize {
    let length = text.len();
    // The two parts of each pair may overlap: what is in both is found in the first.
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        let hits = special_word(u64::from_le_bytes(*first));
        if hits != 0 {
            return lowest(hits);
        }
        let hits = special_word(u64::from_le_bytes(*last));
        return if hits == 0 { length } else { length + lowest(hits) - 8 };
    }
    if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        let both = u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32;
        return match special_word(both) {
            0 => length,
            hits if lowest(hits) < 4 => lowest(hits),
            hits => length + lowest(hits) - 8,
        };
    }
    text.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(length)
}
