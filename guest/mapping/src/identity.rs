//! The identity of a document: 128 bits that are the same wherever and whenever the record is read.

use xxhash_rust::xxh3::xxh3_128;

use crate::text::{Text, append};

/// Hashes the inputs of an identity. The algorithm is frozen, because `_id`s outlive versions: XXH3-128 with seed 0
/// over, for each input that is present, its number (32 bits, little endian), the length of its text in bytes (64
/// bits, little endian) and its text (UTF-8, JSON escapes resolved).
#[derive(Default)]
pub struct Identity(Vec<u8>);

impl Identity {
    /// Adds input number `number`.
    pub fn add(&mut self, number: u32, text: &str) {
        self.0.reserve(64);
        self.0.extend_from_slice(&number.to_le_bytes());
        self.0.extend_from_slice(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
        append(&mut self.0, text.as_bytes());
    }

    /// Adds the sum of the shares of an object's members.
    pub(crate) fn add_members(&mut self, sum: u128) {
        self.0.extend_from_slice(&sum.to_le_bytes());
    }

    /// The identity.
    pub fn finish(&self) -> u128 {
        xxh3_128(&self.0)
    }
}

/// The share that one member of an object has in an identity where the order of members does not matter; shares are
/// added, modulo 2^128. It is the product of two XXH3-128 with seed 0: of the value's JSON text as delivered, and of the
/// key (escapes resolved), made odd so that no value is lost. Frozen too.
pub(crate) fn member(key: u128, json: &str) -> u128 {
    xxh3_128(json.as_bytes()).wrapping_mul(key)
}

/// The part of a member's share in an identity that comes from its key.
pub fn member_key(key: &str) -> u128 {
    xxh3_128(key.as_bytes()) | 1
}

/// The share of a member that is null.
pub fn null_member(key: &str) -> u128 {
    member(member_key(key), "null")
}

/// An identity as 32 hexadecimal digits.
pub fn hex(id: u128) -> String {
    let mut text = Text::with_capacity(32);
    for byte in id.to_be_bytes() {
        let [high, low] = [byte >> 4, byte & 15].map(|digit| if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
        text.push_ascii([high, low]);
    }
    text.into_string()
}

/// The identity of bytes that have none of their own: XXH3-128 with seed 0.
pub fn hash(bytes: &[u8]) -> u128 {
    xxh3_128(bytes)
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
