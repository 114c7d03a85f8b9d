//! Where the members of a record are, found while it is cut out: so a record is read once.

use crate::blocks::{BLOCK, no_digits};
use crate::cursor::{Json, after_white, key, value};
use crate::strings::{STRING, plain_string};
use crate::text;

/// Members that are listed at most; a record with more is listed not at all, so that memory stays small.
const MAX_MEMBERS: usize = 1024;

/// The members of an object, and those of objects among them.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// Room for members; the first `count` are listed.
    members: Vec<Member>,
    count: usize,
    complete: bool,
}

/// A member of an object. Places count from the beginning of the object that is outlined.
#[derive(Clone, Copy, Debug, Default)]
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
        self.count = 0;
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
        if self.complete { self.members.get(..self.count) } else { None }
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
            at = match self.plain_members(bytes, at) {
                Next::Member(at) => after_white(bytes, at),
                Next::End(at) => return Some(at),
            };
            let (key_end, escaped, from) = key(bytes, at)?;
            let key = (at, key_end);
            let index = self.count;
            at = match (bytes.get(from), keys) {
                (Some(b'['), Some(keys)) if is_envelope(bytes, key, keys) => return None,
                (Some(b'{'), Some(_)) => {
                    self.list(Member { key, value: (from, from), escaped, plain: false, inner: None });
                    let end = self.object(bytes, from, None::<&[K]>)?;
                    let inner = Some(self.count.saturating_sub(index + 1));
                    if let Some(member) = self.members.get_mut(index) {
                        *member = Member { key, value: (from, end), escaped, plain: false, inner };
                    }
                    end
                }
                _ => {
                    let (end, plain) = value(bytes, from)?;
                    self.list(Member { key, value: (from, end), escaped, plain, inner: None });
                    end
                }
            };
            at = after_white(bytes, at);
            match bytes.get(at)? {
                b',' => at = after_white(bytes, at + 1),
                b'}' => return Some(at + 1),
                _ => return None,
            }
        }
    }

    /// Adds a member unless there are too many.
    fn list(&mut self, member: Member) {
        if self.count == self.members.len() {
            self.members.resize((2 * self.count).clamp(32, MAX_MEMBERS), Member::default());
        }
        match self.members.get_mut(self.count) {
            Some(room) => {
                *room = member;
                self.count += 1;
            }
            None => self.complete = false,
        }
    }

    /// Lists members that are as most of them: `"key":value` without white space and escapes, with no object or array for a value.
    ///
    /// It calls nothing, so that what it works with stays in registers: Cranelift would keep it in memory.
    #[inline(never)]
    fn plain_members(&mut self, bytes: &[u8], mut at: usize) -> Next {
        for room in self.members.get_mut(self.count..).unwrap_or_default() {
            let Some(next) = plain_member(bytes, at, room) else { break };
            self.count += 1;
            match next {
                Next::Member(next) => at = next,
                Next::End(_) => return next,
            }
        }
        Next::Member(at)
    }
}

/// What follows a member.
enum Next {
    /// Another member, which begins here but for white space.
    Member(usize),
    /// The end of the object, which is here.
    End(usize),
}

/// A member that [`Outline::plain_members`] lists, and what follows; none where it is another one.
#[inline(always)]
fn plain_member(bytes: &[u8], at: usize, member: &mut Member) -> Option<Next> {
    let near: &[u8; NEAR] = bytes.get(at..)?.first_chunk()?;
    let length = plain_string(near)?;
    let (key_end, from) = (at + length, at + length + 1);
    let [b':', value @ ..] = near.get(length..length + 1 + BLOCK)? else { return None };
    let value: &[u8; BLOCK] = value.first_chunk()?;
    let plain = value.first() == Some(&b'"');
    let (length, next) = if plain {
        let near: &[u8; STRING + 1] = bytes.get(from..)?.first_chunk()?;
        let length = plain_string(near)?;
        (length, near.get(length))
    } else if let [b'1'..=b'9', ..] = value {
        let length = no_digits(value).trailing_zeros() as usize;
        (length, value.get(length))
    } else {
        let length = match value.first_chunk().map(|word| u32::from_ne_bytes(*word)) {
            Some(NULL | TRUE) => 4,
            Some(FALS) if value.get(4) == Some(&b'e') => 5,
            _ if value.first() == Some(&b'0') => 1,
            _ => return None,
        };
        (length, value.get(length))
    };
    let end = from + length;
    let next = match next {
        Some(b',') => Next::Member(end + 1),
        Some(b'}') => Next::End(end + 1),
        _ => return None,
    };
    *member = Member { key: (at, key_end), value: (from, end), escaped: false, plain, inner: None };
    Some(next)
}

const NULL: u32 = u32::from_ne_bytes(*b"null");
const TRUE: u32 = u32::from_ne_bytes(*b"true");
const FALS: u32 = u32::from_ne_bytes(*b"fals");

/// How many bytes of a member are looked at together: a name and the beginning of a value.
const NEAR: usize = STRING + BLOCK + 2;

/// Whether a member makes its object an envelope.
fn is_envelope<K: AsRef<str>>(bytes: &[u8], key: (usize, usize), keys: &[K]) -> bool {
    let name = bytes.get(key.0..key.1).unwrap_or_default();
    keys.iter().any(|key| text::is(name, key.as_ref()))
}
