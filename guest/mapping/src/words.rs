//! Eight bytes at a time, in a register: in the sandbox a loop over single ones costs several times as much.

/// A byte in each place.
pub(crate) const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// High bits of bytes that are zero; only the lowest of them is certain.
#[inline]
pub(crate) fn zeros(word: u64) -> u64 {
    word.wrapping_sub(each(1)) & !word & each(0x80)
}

/// The place of the lowest byte of which a bit is set.
#[inline]
pub(crate) fn lowest(word: u64) -> usize {
    (word.trailing_zeros() / 8) as usize
}

/// Where, from a place on, the first byte stands that `hits` gives a high bit, of the lowest of which it is certain, and
/// `is` says so, too.
#[inline]
pub(crate) fn find(bytes: &[u8], mut at: usize, hits: impl Fn(u64) -> u64, is: impl Fn(&u8) -> bool) -> Option<usize> {
    while let Some(word) = bytes.get(at..)?.first_chunk::<8>() {
        match hits(u64::from_le_bytes(*word)) {
            0 => at += 8,
            hits => return Some(at + lowest(hits)),
        }
    }
    Some(at + bytes.get(at..)?.iter().position(is)?)
}
