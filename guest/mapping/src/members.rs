//! The members of an object that is text.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use defenderbeat_records::{Broken, Cursor, Json};

use crate::table::hash_key;
use crate::text::same;
use crate::value::unescape;

/// The members of the object that text is, in its order, no key twice: of members with one key the last counts. None
/// where it is no object.
pub(crate) fn members(json: &str) -> Option<Vec<(Cow<'_, str>, Json<'_>)>> {
    let mut members = read(json).ok()?;
    let mut names = Names::default();
    if !members.iter().all(|(key, _)| names.add(key)) {
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

/// The member of the object that text is with a name, of several the last. None where there is none, or no object.
pub(crate) fn member<'t>(json: &'t str, name: &str) -> Option<Json<'t>> {
    let mut cursor = Cursor::new(json);
    if cursor.peek() != Some(b'{') {
        return None;
    }
    cursor.open();
    let mut found = None;
    while let Some(key) = cursor.key().ok()? {
        let value = cursor.value().ok()?;
        if if key.escaped { unescape(key.inner()) == name } else { same(key.inner(), name) } {
            found = Some(value);
        }
    }
    found.filter(|_| cursor.is_at_end())
}

/// Names of members, of which it is known when one may have come before.
#[derive(Default)]
pub struct Names([u64; PLACES / 64]);

/// So many places there are for names: enough that those of a record's objects, some twenty, mostly have their own.
const PLACES: usize = 1024;

impl Names {
    /// Adds a name; false where one before it has the same place: only then it can be the same.
    pub fn add(&mut self, name: &str) -> bool {
        let place = hash_key(name) % PLACES;
        let bit = 1 << (place % 64);
        self.0.get_mut(place / 64).is_some_and(|word| std::mem::replace(word, *word | bit) & bit == 0)
    }
}
