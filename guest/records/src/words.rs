//! Eight bytes at a time, in a register. Strings in records are short, so this beats a call of memchr for each.

/// A byte in each place.
pub(crate) const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// High bits of bytes that are zero; only the lowest of them is certain, and it is the one that is used.
#[inline]
pub(crate) fn zeros(word: u64) -> u64 {
    word.wrapping_sub(each(1)) & !word & each(0x80)
}

/// High bits of bytes that are quotes, backslashes or control characters, under the same condition.
#[inline]
pub(crate) fn special(word: u64) -> u64 {
    // Of a byte below 0x80 the high bit comes up where it is too small; that of one above is masked out.
    let is = |byte: u8| (word ^ each(byte)).wrapping_sub(each(1));
    (is(b'"') | is(b'\\') | word.wrapping_sub(each(0x20))) & !word & each(0x80)
}

/// The place of the lowest byte whose high bit is set.
#[inline]
pub(crate) fn lowest(hits: u64) -> usize {
    (hits.trailing_zeros() / 8) as usize
}
