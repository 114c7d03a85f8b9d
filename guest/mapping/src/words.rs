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

/// Where a byte stands first.
#[inline]
pub(crate) fn position(bytes: &[u8], byte: u8) -> Option<usize> {
    find(bytes, 0, |word| zeros(word ^ each(byte)), |other| *other == byte)
}

/// Where, from a place on, the first byte stands that `hits` gives a high bit; of those only the lowest must be right, and
/// a zero must have none. `is` says the same of a byte.
#[inline]
pub(crate) fn find(bytes: &[u8], mut at: usize, hits: impl Fn(u64) -> u64, is: impl Fn(&u8) -> bool) -> Option<usize> {
    while let Some(word) = bytes.get(at..)?.first_chunk::<8>() {
        match hits(u64::from_le_bytes(*word)) {
            0 => at += 8,
            hits => return Some(at + lowest(hits)),
        }
    }
    let left = bytes.len().checked_sub(at).filter(|left| *left > 0)?;
    let place = match bytes.last_chunk::<8>() {
        // The last bytes come to the front, and zeros behind them.
        Some(last) => match hits(u64::from_le_bytes(*last) >> (64 - 8 * left)) {
            0 => return None,
            hits => lowest(hits),
        },
        None => bytes.get(at..)?.iter().position(is)?,
    };
    Some(at + place)
}
