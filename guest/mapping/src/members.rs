//! The members of an object that is text.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use defenderbeat_records::{Broken, Cursor, Json};

use crate::table::hash_key;
use crate::value::unescape;

/// The members of the object that text is, in its order, no key twice: of members with one key the last counts. None
/// where it is no object.
pub(crate) fn members(json: &str) -> Option<Vec<(Cow<'_, str>, Json<'_>)>> {
    let mut members = read(json).ok()?;
    if may_repeat(&members) {
        let last: BTreeMap<&str, usize> = members.iter().enumerate().map(|(at, (key, _))| (&**key, at)).collect();
        if last.len() < members.len() {
            let last: BTreeSet<usize> = last.into_values().collect();
            let mut at = 0..;
            members.retain(|_| at.next().is_some_and(|at| last.contains(&at)));
        }
    }
    Some(members)
}

fn read(json: &str) -> Result<Vec<(Cow<'_, str>, Json<'_>)>, Broken> {
    let mut cursor = Cursor::new(json);
    if cursor.peek() != Some(b'{') {
        return Err(Broken);
    }
    cursor.open();
    let mut members = Vec::with_capacity(16);
    while let Some(key) = cursor.key()? {
        let name = if key.escaped { unescape(key.inner()) } else { Cow::Borrowed(key.inner()) };
        members.push((name, cursor.value()?));
    }
    if cursor.is_at_end() { Ok(members) } else { Err(Broken) }
}

/// Whether two keys share one of 512 places: only then can they be the same.
fn may_repeat(members: &[(Cow<'_, str>, Json<'_>)]) -> bool {
    let mut seen = [0_u64; 8];
    members.iter().any(|(key, _)| {
        let place = hash_key(key) % 512;
        let bit = 1 << (place % 64);
        seen.get_mut(place / 64).is_none_or(|word| std::mem::replace(word, *word | bit) & bit != 0)
    })
}
