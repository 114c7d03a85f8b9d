//! Where the members of a record are, found while it is cut out: so a record is read once.

use crate::cursor::{Json, after_white, colon, quoted, value};
use crate::text;

/// Members that are listed at most; a record with more is listed not at all, so that memory stays small.
const MAX_MEMBERS: usize = 1024;

/// The members of an object, and those of objects among them.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    members: Vec<Member>,
    complete: bool,
}

/// A member of an object. Places count from the beginning of the object that is outlined.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    key: (usize, usize),
    value: (usize, usize),
    /// Whether there are escapes in its name.
    pub escaped: bool,
    /// Whether its value is a string without escapes.
    plain: bool,
    /// Whether it is an object, whose members follow, as many as this says.
    pub inner: Option<usize>,
}

impl Member {
    /// Its name as it is written, without quotes.
    #[inline]
    #[must_use]
    pub fn key<'a>(&self, object: &'a str) -> &'a str {
        object.get(self.key.0 + 1..self.key.1 - 1).unwrap_or_default()
    }

    /// Its value.
    #[inline]
    #[must_use]
    pub fn value<'a>(&self, object: &'a str) -> Json<'a> {
        Json { text: object.get(self.value.0..self.value.1).unwrap_or_default(), plain: self.plain }
    }
}

impl Outline {
    /// Outlines text that is an object, without white space around it; false where it is no JSON. Encoding is not looked
    /// at, nor is what comes twice.
    pub fn read(&mut self, object: &[u8]) -> bool {
        let none: &[&str] = &[];
        self.find(object, 0, none) == Some(object.len())
    }

    /// Outlines the object that begins at a place; gives its end. None where it is no JSON object, or an envelope: one
    /// that has an array under one of the keys.
    pub(crate) fn find<K: AsRef<str>>(&mut self, bytes: &[u8], start: usize, keys: &[K]) -> Option<usize> {
        self.members.clear();
        self.complete = true;
        let end = self.object(bytes.get(start..)?, 0, Some(keys));
        self.complete &= end.is_some();
        Some(start + end?)
    }

    /// Nothing is outlined.
    pub(crate) fn forget(&mut self) {
        self.complete = false;
    }

    /// The members in their order, each followed by its own where it is an object; none where the object has too many of
    /// them.
    #[inline]
    #[must_use]
    pub fn members(&self) -> Option<&[Member]> {
        self.complete.then_some(&self.members)
    }

    /// The raw value of the first member with a name; none where there is no outline.
    #[must_use]
    pub fn value<'a>(&self, object: &'a [u8], name: &str) -> Option<&'a [u8]> {
        let mut members = self.members()?.iter();
        while let Some(member) = members.next() {
            if object.get(member.key.0..member.key.1).is_some_and(|key| text::is(key, name)) {
                return object.get(member.value.0..member.value.1);
            }
            for _ in 0..member.inner.unwrap_or(0) {
                members.next();
            }
        }
        None
    }

    /// Lists the members of an object; `keys` are given for the outermost one, whose objects are listed too.
    fn object<K: AsRef<str>>(&mut self, bytes: &[u8], start: usize, keys: Option<&[K]>) -> Option<usize> {
        if bytes.get(start) != Some(&b'{') {
            return None;
        }
        let mut at = after_white(bytes, start + 1);
        if bytes.get(at) == Some(&b'}') {
            return Some(at + 1);
        }
        loop {
            let (key_end, escaped) = quoted(bytes, at)?;
            let key = (at, key_end);
            let from = colon(bytes, key_end)?;
            let index = self.members.len();
            if index < MAX_MEMBERS {
                self.members.push(Member { key, value: (from, from), escaped, plain: false, inner: None });
            } else {
                self.complete = false;
            }
            let (mut inner, mut plain) = (None, false);
            at = match (bytes.get(from), keys) {
                (Some(b'['), Some(keys)) if is_envelope(bytes, key, keys) => return None,
                (Some(b'{'), Some(_)) => {
                    let end = self.object(bytes, from, None::<&[K]>)?;
                    inner = Some(self.members.len().saturating_sub(index + 1));
                    end
                }
                _ => {
                    let (end, is_plain) = value(bytes, from)?;
                    plain = is_plain;
                    end
                }
            };
            if let Some(member) = self.members.get_mut(index) {
                member.value.1 = at;
                member.plain = plain;
                member.inner = inner;
            }
            at = after_white(bytes, at);
            match bytes.get(at)? {
                b',' => at = after_white(bytes, at + 1),
                b'}' => return Some(at + 1),
                _ => return None,
            }
        }
    }
}

/// Whether a member makes its object an envelope.
fn is_envelope<K: AsRef<str>>(bytes: &[u8], key: (usize, usize), keys: &[K]) -> bool {
    let name = bytes.get(key.0..key.1).unwrap_or_default();
    keys.iter().any(|key| text::is(name, key.as_ref()))
}
