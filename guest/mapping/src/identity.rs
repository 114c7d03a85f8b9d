//! The identity of a document: 128 bits that are the same wherever and whenever the record is read.

use crate::buffer::Buffer;
use crate::digits::decimal;
use crate::xxh3;

/// Hashes the inputs of an identity. The algorithm is frozen, because `_id`s outlive versions: XXH3-128 with seed 0
/// over, for each input that is present, its number (32 bits, little endian), the length of its text in bytes (64
/// bits, little endian) and its text (UTF-8, JSON escapes resolved).
pub struct Identity(Buffer);

impl Default for Identity {
    fn default() -> Self {
        // Room for the inputs of most.
        Self(Buffer::with_capacity(128))
    }
}

impl Identity {
    /// Adds input number `number`.
    pub fn add(&mut self, number: u32, text: &str) {
        self.add_bytes(number, text.as_bytes());
    }

    /// Adds input number `number`, a whole number, as its decimal text.
    pub fn add_long(&mut self, number: u32, long: i64) {
        self.add_bytes(number, decimal(long, &mut [0; 24]));
    }

    fn add_bytes(&mut self, number: u32, text: &[u8]) {
        self.0.push(number.to_le_bytes());
        self.0.push(u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.0.append(text);
    }

    /// Adds the sum of the shares of an object's members.
    pub(crate) fn add_members(&mut self, sum: u128) {
        self.0.push(sum.to_le_bytes());
    }

    pub(crate) fn clear(&mut self) {
        self.0.truncate(0);
    }

    /// The identity.
    pub fn finish(&self) -> u128 {
        xxh3::hash(self.0.as_slice())
    }
}

/// The share that one member of an object has in an identity where the order of members does not matter; shares are
/// added, modulo 2^128. It is the product of two XXH3-128 with seed 0: of the value's JSON text as delivered, and of the
/// key (escapes resolved), made odd so that no value is lost. Frozen too.
pub(crate) fn member(key: u128, json: &str) -> u128 {
    product(xxh3::hash(json.as_bytes()), key)
}

/// The product of two numbers modulo 2^128, from halves: for WebAssembly, which has no such instruction, the compiler calls a
/// function that takes and gives numbers through memory.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "takes numbers apart")]
fn product(left: u128, right: u128) -> u128 {
    let [left, right] = [left, right].map(|number| ((number >> 64) as u64, number as u64));
    let (low, high) = xxh3::product(left.1, right.1);
    let high = high.wrapping_add(left.0.wrapping_mul(right.1)).wrapping_add(left.1.wrapping_mul(right.0));
    u128::from(high) << 64 | u128::from(low)
}

/// The part of a member's share in an identity that comes from its key.
pub fn member_key(key: &str) -> u128 {
    xxh3::hash(key.as_bytes()) | 1
}

/// The share of a member that is null.
pub fn null_member(key: &str) -> u128 {
    member(member_key(key), "null")
}

/// An identity as 32 hexadecimal digits.
pub fn hex(id: u128) -> String {
    // Digits are text.
    String::from_utf8(hex_digits(id).to_vec()).unwrap_or_default()
}

/// The bytes of [`hex`].
#[allow(clippy::cast_possible_truncation, reason = "takes a number apart")]
pub(crate) fn hex_digits(id: u128) -> [u8; 32] {
    let parts = [id >> 96, id >> 64, id >> 32, id].map(|part| digits(part as u64 & 0xFFFF_FFFF));
    let mut all = [0; 32];
    for (part, place) in parts.iter().zip(all.as_chunks_mut().0) {
        *place = *part;
    }
    all
}

/// The eight hexadecimal digits of a number of 32 bits, all at once.
fn digits(number: u64) -> [u8; 8] {
    let spread = (number << 16 | number) & 0xFFFF_0000_FFFF;
    let spread = (spread << 8 | spread) & 0x00FF_00FF_00FF_00FF;
    let nibbles = (spread << 4 | spread) & 0x0F0F_0F0F_0F0F_0F0F;
    // 1 where a nibble is above nine: a letter, which is 39 behind where a digit would be.
    let letters = (nibbles + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (nibbles + 0x3030_3030_3030_3030 + letters * 39).to_be_bytes()
}

/// The identity of bytes that have none of their own: XXH3-128 with seed 0.
pub fn hash(bytes: &[u8]) -> u128 {
    xxh3::hash(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change of these values would deliver every record a second time.
    #[test]
    fn the_algorithm_is_frozen() {
        let mut identity = Identity::default();
        identity.add(0, "da637551227677560813_-961444813");
        identity.add(1, "2021-05-04T15:36:07.4066667Z");
        assert_eq!(format!("{:032x}", identity.finish()), "5be0efbe91f62ebdf07d0ae79438d8c5");
        assert_eq!(hash(b""), 0x99aa06d3014798d86001c324468d497f);
        assert_eq!(hex(hash(b"")), "99aa06d3014798d86001c324468d497f");
    }

    #[test]
    fn products_are_those_of_the_processor() {
        let numbers = [0, 1, u128::MAX, u128::from(u64::MAX), 1 << 64, 0x0123_4567_89AB_CDEF_FEDC_BA98_7654_3210];
        for (left, right) in numbers.iter().flat_map(|left| numbers.iter().map(move |right| (*left, *right))) {
            assert_eq!(product(left, right), left.wrapping_mul(right), "{left} {right}");
        }
    }

    #[test]
    fn members_count_whatever_their_order_and_cannot_trade_values() {
        let sum = |members: &[(&str, &str)]| {
            let mut identity = Identity::default();
            identity.add_members(
                members.iter().fold(0, |sum: u128, (key, json)| sum.wrapping_add(member(member_key(key), json))),
            );
            format!("{:032x}", identity.finish())
        };
        assert_eq!(sum(&[("a", "1"), ("b", "\"x\"")]), "d9ff75cf9a738f1f15a22df070ce4847");
        assert_eq!(sum(&[("b", "\"x\""), ("a", "1")]), sum(&[("a", "1"), ("b", "\"x\"")]));
        assert_ne!(sum(&[("a", "\"x\""), ("b", "1")]), sum(&[("a", "1"), ("b", "\"x\"")]));
    }

    #[test]
    fn inputs_do_not_run_into_each_other() {
        let id = |parts: &[(u32, &str)]| {
            let mut identity = Identity::default();
            parts.iter().for_each(|(number, text)| identity.add(*number, text));
            identity.finish()
        };
        assert_ne!(id(&[(0, "ab"), (1, "c")]), id(&[(0, "a"), (1, "bc")]));
        assert_ne!(id(&[(0, "a")]), id(&[(1, "a")]));
    }
}
