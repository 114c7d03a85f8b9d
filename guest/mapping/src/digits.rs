//! Decimal digits, eight at a time.

use crate::words::{each, lowest};

/// The digits of four numbers below 100, two each.
#[inline]
pub(crate) fn pairs(numbers: [u32; 4]) -> [u8; 8] {
    let [a, b, c, d] = numbers.map(u64::from);
    let lanes = a | b << 16 | c << 32 | d << 48;
    // A hundred and three 1024ths are a tenth, near enough for numbers below 100.
    let tens = ((lanes * 103) >> 10) & 0x000F_000F_000F_000F;
    let ones = lanes - tens * 10;
    (tens | ones << 8 | each(b'0')).to_le_bytes()
}

/// Of digits, from 0 to 9, that are the bytes of a word, each with the next: the number of the two.
#[inline]
pub(crate) fn pair_values(digits: u64) -> [u8; 8] {
    with_next(digits).to_le_bytes()
}

#[inline]
fn with_next(digits: u64) -> u64 {
    digits * 10 + (digits >> 8)
}

/// The number of eight digits, from 0 to 9, that are the bytes of a word.
#[inline]
pub(crate) fn of_eight(digits: u64) -> u64 {
    let pairs = with_next(digits) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_FFFF_0000_FFFF;
    (fours * 10_000 + (fours >> 32)) & 0xFFFF_FFFF
}

/// The digits of a text that is formed like a pattern, from 0 to 9 where the pattern has `0`, and 0 where it has a
/// mark, which the text must have too.
#[inline]
pub(crate) fn read(text: [u8; 8], pattern: [u8; 8]) -> Option<u64> {
    let differences = u64::from_le_bytes(text) ^ u64::from_le_bytes(pattern);
    // What brings up the high bit of a difference that is too big: more than nine for a digit, any for a mark.
    let margins = u64::from_le_bytes(pattern.map(|byte| if byte == b'0' { 0x76 } else { 0x7F }));
    ((differences.wrapping_add(margins) | differences) & each(0x80) == 0).then_some(differences)
}

/// The text of a whole number, at the end of room for three times eight digits; the longest has 19, and a sign.
pub(crate) fn decimal(number: i64, room: &mut [u8; 24]) -> &[u8] {
    const EIGHT: u64 = 100_000_000;
    let mut rest = number.unsigned_abs();
    let mut start = room.len();
    loop {
        let digits = eight(rest % EIGHT);
        start -= 8;
        if let Some(place) = room.get_mut(start..).and_then(|room| room.first_chunk_mut()) {
            *place = digits;
        }
        rest /= EIGHT;
        if rest == 0 {
            // Without the zeros in front, but with the last digit.
            start += lowest(u64::from_le_bytes(digits) ^ each(b'0')).min(7);
            break;
        }
    }
    if number < 0 {
        start -= 1;
        if let Some(place) = room.get_mut(start) {
            *place = b'-';
        }
    }
    room.get(start..).unwrap_or_default()
}

/// The digits of a number below 100,000,000, with zeros in front.
fn eight(number: u64) -> [u8; 8] {
    let number = u32::try_from(number).unwrap_or_default();
    let (first, last) = (number / 10_000, number % 10_000);
    pairs([first / 100, first % 100, last / 100, last % 100])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_their_digits() {
        for number in 0..100 {
            let text = format!("{number:02}{:02}00{number:02}", 99 - number);
            assert_eq!(pairs([number, 99 - number, 0, number]), text.as_bytes());
            let digits = read(text.as_bytes().try_into().unwrap(), *b"00000000").unwrap();
            assert_eq!(of_eight(digits), text.parse::<u64>().unwrap());
        }
    }

    #[test]
    fn only_what_is_formed_like_a_pattern_is_read() {
        assert_eq!(read(*b"12-45:78", *b"00-00:00").map(u64::to_le_bytes), Some([1, 2, 0, 4, 5, 0, 7, 8]));
        for byte in 0..=u8::MAX {
            assert_eq!(read([byte; 8], *b"00000000").is_some(), byte.is_ascii_digit(), "{byte}");
            assert_eq!(read([b'1', b'2', byte, b'4', b'5', b':', b'7', b'8'], *b"00-00:00").is_some(), byte == b'-');
        }
    }

    #[test]
    fn whole_numbers_are_written_to_the_last_digit() {
        let powers = (0..19).flat_map(|power| [10_i64.pow(power) - 1, 10_i64.pow(power), 10_i64.pow(power) + 1]);
        for number in powers.chain([7, 4_294_967_296, -1, -908, i64::MAX, i64::MIN]) {
            assert_eq!(decimal(number, &mut [0; 24]), number.to_string().as_bytes());
        }
    }
}
