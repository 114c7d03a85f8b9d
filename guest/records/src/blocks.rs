//! Sixteen bytes at a time, in a vector, and eight, in a register, where there are not so many. Strings in records are short, so
//! this beats a call of memchr for each.

use wide::{i8x16, u8x16};

/// Bytes that are looked at together.
pub(crate) const BLOCK: usize = 16;

/// Two blocks.
pub(crate) const PAIR: usize = 2 * BLOCK;

/// A bit for each byte of a block that is a quote, backslash or control character, the first byte's the lowest.
///
/// It is inlined always: of its many callers LLVM would let some call it, which in the sandbox costs more than what it does.
#[inline(always)]
pub(crate) fn special(block: &[u8; BLOCK]) -> u32 {
    let block = u8x16::from(*block);
    // With bit 1 turned round, the quote (0x22) is next to the control characters: what is below 0x21. With the highest turned
    // round, too, the comparison is one of signed numbers, the only one that all processors have.
    let low = (block ^ u8x16::splat(0x82)).cast_signed().simd_lt(i8x16::splat((0x21_u8 ^ 0x80).cast_signed()));
    (low.cast_unsigned() | block.simd_eq(u8x16::splat(b'\\'))).to_bitmask()
}

/// As [`special`], of two blocks.
#[inline(always)]
pub(crate) fn special_pair(pair: &[u8; PAIR]) -> u32 {
    let (first, second) = pair.split_at(BLOCK);
    let hits = |block: &[u8]| block.first_chunk().map_or(0, special);
    hits(first) | hits(second) << BLOCK
}

/// A bit for each byte of a block that is a quote, backslash or line feed, the first byte's the lowest.
#[inline]
pub(crate) fn text_ends(block: &[u8; BLOCK]) -> u32 {
    let block = u8x16::from(*block);
    let is = |byte| block.simd_eq(u8x16::splat(byte));
    (is(b'"') | is(b'\\') | is(b'\n')).to_bitmask()
}

/// A bit for each byte of a block that is no digit, the first byte's the lowest.
#[inline]
pub(crate) fn no_digits(block: &[u8; BLOCK]) -> u32 {
    // The digits become the least of signed numbers.
    let zero = u8x16::splat(b'0'.wrapping_sub(0x80));
    (u8x16::from(*block) - zero).cast_signed().simd_gt(i8x16::splat(i8::MIN + 9)).to_bitmask()
}

/// High bits of bytes that are quotes, backslashes or control characters; only the lowest of them is certain, and it is the one
/// that is used.
#[inline]
pub(crate) fn special_word(word: u64) -> u64 {
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    // Of a byte below 0x80 the high bit comes up where it is too small; that of one above is masked out.
    let low = (word ^ each(2)).wrapping_sub(each(0x21));
    let backslash = (word ^ each(b'\\')).wrapping_sub(each(1));
    (low | backslash) & !word & each(0x80)
}

/// The place of the lowest byte whose high bit is set.
#[inline]
pub(crate) fn lowest(hits: u64) -> usize {
    (hits.trailing_zeros() / 8) as usize
}
