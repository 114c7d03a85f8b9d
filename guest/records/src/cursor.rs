//! Reading JSON (RFC 8259) from its beginning to its end, each byte once: whoever walks down opens objects and arrays, and
//! passes over what is not needed. What was passed is valid JSON; nesting costs neither stack nor noticeable memory.
//! Keys that come twice, numbers beyond any precision and halves of surrogate pairs are JSON, too.

use crate::blocks::{BLOCK, no_digits};
use crate::grammar::Nest;
use crate::strings::{STRING, any_quoted, plain_string, quoted};

/// What is read is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// A place in JSON text.
///
/// ```
/// use defenderbeat_records::Cursor;
///
/// let mut cursor = Cursor::new(r#"{"a": [1, "x"], "b": {"c": null}}"#);
/// cursor.open();
/// let mut members = Vec::new();
/// while let Some(key) = cursor.key()? {
///     members.push((key.quoted, cursor.value()?.text));
/// }
/// assert_eq!(members, [("\"a\"", "[1, \"x\"]"), ("\"b\"", r#"{"c": null}"#)]);
/// assert!(cursor.is_at_end());
/// # Ok::<(), defenderbeat_records::Broken>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Nothing was read of the object or array that was opened last.
    fresh: bool,
}

/// JSON text of one value, without white space around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<'a> {
    /// As it is written, quotes included.
    pub text: &'a str,
    /// Whether it is a string without escapes: what it says stands between its quotes.
    pub plain: bool,
}

/// The name of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// With its quotes.
    pub quoted: &'a str,
    /// Whether there are escapes in it.
    pub escaped: bool,
}

impl<'a> Key<'a> {
    /// The name as it is written, without its quotes.
    #[inline]
    #[must_use]
    pub fn inner(&self) -> &'a str {
        self.quoted.get(1..self.quoted.len().saturating_sub(1)).unwrap_or_default()
    }
}

impl<'a> Cursor<'a> {
    /// Before the value that text is.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, fresh: false }
    }

    /// The first byte of the next value, which tells its type; none at the end of the text.
    #[inline]
    pub fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        self.at = after_white(bytes, self.at);
        bytes.get(self.at).copied()
    }

    /// Goes into the object or array that [`peek`](Self::peek) has found.
    #[inline]
    pub fn open(&mut self) {
        self.at += 1;
        self.fresh = true;
    }

    /// The next key of an object that was opened, whose value follows; none at the object's end, which is passed.
    ///
    /// # Errors
    ///
    /// The text is no JSON here.
    #[inline]
    pub fn key(&mut self) -> Result<Option<Key<'a>>, Broken> {
        if !self.next(b'}')? {
            return Ok(None);
        }
        let from = self.at;
        let (end, escaped, value) = key(self.text.as_bytes(), from).ok_or(Broken)?;
        self.at = value;
        Ok(Some(Key { quoted: self.text.get(from..end).ok_or(Broken)?, escaped }))
    }

    /// Whether another element of an array that was opened follows; none at the array's end, which is passed.
    ///
    /// # Errors
    ///
    /// The text is no JSON here.
    #[inline]
    pub fn element(&mut self) -> Result<bool, Broken> {
        self.next(b']')
    }

    /// Passes over a value: all of it, without white space around it.
    ///
    /// # Errors
    ///
    /// It is no JSON.
    #[inline]
    pub fn value(&mut self) -> Result<Json<'a>, Broken> {
        let bytes = self.text.as_bytes();
        let from = after_white(bytes, self.at);
        let (end, plain) = value(bytes, from).ok_or(Broken)?;
        self.at = end;
        Ok(Json { text: self.text.get(from..end).ok_or(Broken)?, plain })
    }

    /// How many bytes were read.
    #[inline]
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Whether nothing but white space follows.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        after_white(self.text.as_bytes(), self.at) == self.text.len()
    }

    /// Moves to the next member or element, or past the bracket that closes them.
    #[inline]
    fn next(&mut self, close: u8) -> Result<bool, Broken> {
        let bytes = self.text.as_bytes();
        let mut at = after_white(bytes, self.at);
        let fresh = std::mem::take(&mut self.fresh);
        match bytes.get(at) {
            Some(&byte) if byte == close => {
                self.at = at + 1;
                return Ok(false);
            }
            Some(b',') if !fresh => at = after_white(bytes, at + 1),
            Some(_) if fresh => {}
            _ => return Err(Broken),
        }
        self.at = at;
        Ok(true)
    }
}

/// Where white space ends. Mostly there is none.
#[inline]
pub(crate) fn after_white(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(0..=b' ') => skip_white(bytes, at),
        _ => at,
    }
}

fn skip_white(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(at) {
        at += 1;
    }
    at
}

/// A member's name that begins at a place: its end, whether there are escapes in it, and where the value begins.
#[inline]
pub(crate) fn key(bytes: &[u8], at: usize) -> Option<(usize, bool, usize)> {
    // Mostly a colon and the value follow at once.
    if let Some(near) = bytes.get(at..).and_then(|rest| rest.first_chunk::<{ STRING + 2 }>())
        && let Some(length) = plain_string(near)
        && let Some([b':', b'!'..=b'~']) = near.get(length..length + 2)
    {
        return Some((at + length, false, at + length + 1));
    }
    any_key(bytes, at)
}

/// As [`key`].
fn any_key(bytes: &[u8], at: usize) -> Option<(usize, bool, usize)> {
    let (end, escaped) = any_quoted(bytes, at)?;
    Some((end, escaped, colon(bytes, end)?))
}

/// Behind the colon that follows a key, and the white space around it.
fn colon(bytes: &[u8], at: usize) -> Option<usize> {
    let at = after_white(bytes, at);
    (bytes.get(at) == Some(&b':')).then(|| after_white(bytes, at + 1))
}

/// The end of the value that begins at a place, and whether it is a string without escapes; none where it is no JSON.
#[inline]
pub(crate) fn value(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    match bytes.get(at)? {
        b'"' => quoted(bytes, at).map(|(end, escaped)| (end, !escaped)),
        b'{' | b'[' => Some((container(bytes, at)?, false)),
        _ => Some((scalar(bytes, at)?, false)),
    }
}

/// The end of an object or array.
fn container(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut nest = Nest::default();
    loop {
        match bytes.get(at)? {
            b'{' => {
                at = after_white(bytes, at + 1);
                if bytes.get(at) == Some(&b'}') {
                    at += 1;
                } else {
                    nest.push(true);
                    at = key(bytes, at)?.2;
                    continue;
                }
            }
            b'[' => {
                at = after_white(bytes, at + 1);
                if bytes.get(at) == Some(&b']') {
                    at += 1;
                } else {
                    nest.push(false);
                    continue;
                }
            }
            b'"' => at = quoted(bytes, at)?.0,
            _ => at = scalar(bytes, at)?,
        }
        // A value has ended.
        loop {
            if nest.depth == 0 {
                return Some(at);
            }
            at = after_white(bytes, at);
            match (bytes.get(at)?, nest.object()) {
                (b',', true) => {
                    at = key(bytes, after_white(bytes, at + 1))?.2;
                    break;
                }
                (b',', false) => {
                    at = after_white(bytes, at + 1);
                    break;
                }
                (b'}', true) | (b']', false) => {
                    at += 1;
                    nest.pop();
                }
                _ => return None,
            }
        }
    }
}

/// The end of a number or literal.
#[inline]
fn scalar(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at..)?.first_chunk::<4>() {
        Some(b"null" | b"true") => Some(at + 4),
        Some(b"fals") => (bytes.get(at + 4) == Some(&b'e')).then_some(at + 5),
        _ => number(bytes, at + usize::from(bytes.get(at) == Some(&b'-'))),
    }
}

/// The end of a number, behind its sign.
#[inline]
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    // Mostly digits are all of it.
    if let Some(near) = bytes.get(at..)?.first_chunk::<BLOCK>() {
        let length = no_digits(near).trailing_zeros() as usize;
        if let (b'1'..=b'9', Some(b',' | b'}' | b']')) = (near[0], near.get(length)) {
            return Some(at + length);
        }
    }
    any_number(bytes, at)
}

/// As [`number`].
fn any_number(bytes: &[u8], mut at: usize) -> Option<usize> {
    at = match bytes.get(at)? {
        b'0' => at + 1,
        _ => digits(bytes, at)?,
    };
    if bytes.get(at) == Some(&b'.') {
        at = digits(bytes, at + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1;
        if let Some(b'+' | b'-') = bytes.get(at) {
            at += 1;
        }
        at = digits(bytes, at)?;
    }
    Some(at)
}

/// The end of digits, at least one.
#[inline]
fn digits(bytes: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    while bytes.get(end).is_some_and(u8::is_ascii_digit) {
        end += 1;
    }
    (end > at).then_some(end)
}
