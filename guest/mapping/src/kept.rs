//! Unknown keys that stay in the object that they stand in.

use std::collections::{BTreeMap, BTreeSet};

use crate::write::{self, ObjectWriter};

/// An unknown key that stays where it is.
pub(crate) struct Kept<'r> {
    pub(crate) object: u16,
    pub(crate) key: String,
    pub(crate) value: &'r str,
}

/// Leaves the last of several members with the same key: JSON with a key that comes twice is refused by Elasticsearch.
pub(crate) fn forget_repeats(kept: &mut Vec<Kept<'_>>) {
    let last: BTreeMap<(u16, &str), usize> =
        kept.iter().enumerate().map(|(at, member)| ((member.object, member.key.as_str()), at)).collect();
    if last.len() < kept.len() {
        let last: BTreeSet<usize> = last.into_values().collect();
        let mut at = 0..;
        kept.retain(|_| at.next().is_some_and(|at| last.contains(&at)));
    }
}

/// Writes the unknown keys that an object keeps, in the record's order.
pub(crate) fn write_kept(kept: &[Kept<'_>], object: u16, writer: &mut ObjectWriter<'_>) {
    for member in kept.iter().filter(|member| member.object == object) {
        writer.member(object, &member.key, |out| write::json(member.value, out));
    }
}
