//! Where records begin and end in JSON bytes.
//!
//! Accepted are one object, objects after one another (NDJSON, pretty-printed or on one line), an array of objects,
//! and envelopes, such as `{"@odata.context":"..","value":[..]}`: objects in which a member with one of the given keys
//! has an array for its value. The array must begin within the record limit. Several arrays and envelopes may follow each other. White space, CRLF and byte order
//! marks between values are passed over. An object whose member `value` is no array is a record, and so is
//! `{"error":{..}}`.
//!
//! [`split`] cuts a whole buffer without copying; [`Splitter`] cuts bytes as they arrive. Both run the same machine,
//! whose decisions depend on the bytes and their offsets only, so both find the same pieces whatever the chunks.
//! What they guarantee:
//!
//! - A piece is cut at its true end as long as its brackets, commas and colons are right. Numbers, literals, escapes and
//!   encoding are not looked at: whoever parses the record reports them with a better message.
//! - Nothing is lost: each byte that is neither white space nor part of an envelope is in exactly one piece.
//! - The list in an envelope is cut as soon as its key is read; its page need not end first. Members before the key are
//!   held, since the object could still be a record.
//! - Memory is bounded by the limit on a record and the chunk. What is longer than the limit comes in fragments, and
//!   so does garbage; splitting goes on behind it. Nesting costs a bit a level and no stack.
//! - Time is linear in the input, also for hostile input.
//!
//! Garbage costs as little as possible of what follows:
//!
//! - At the top, a line that is not JSON is one malformed piece.
//! - A line that is cut short (`{"a":1` and then the line `{"b":2}`) ends where the next line begins with `{`, even if
//!   that was found out later only (`{"a":` and then `{"b":2}` is a correct beginning). To stay linear, lines are read again
//!   at most eight times for one mistake; a longer run of such lines is one malformed piece, records in its middle included.
//! - A value that is written over several lines and turns out wrong ends before the next line that begins with a bracket,
//!   so that objects within it, which are indented, are not taken for records.
//! - In a list, a wrong element ends at its closing bracket, because a page usually has no lines.
//! - A list that ends early gives a malformed piece, which is empty if all that is missing are closing brackets; so
//!   a page that was cut is told from a whole one.

mod blocks;
mod cursor;
mod grammar;
mod members;
mod outline;
mod scan;
mod splitter;
mod strings;
mod text;

#[cfg(test)]
mod tests;

use grammar::{Grammar, Step};
use members::Members;
use scan::{Found, Scan};

pub use cursor::{Broken, Cursor, Json, Key};
pub use outline::{Member, Outline};
pub use splitter::Splitter;
pub use strings::plain_length;

/// Limit of the size of a record unless another one is given: 64 MiB.
pub const DEFAULT_MAX_RECORD_SIZE: usize = 64 << 20;

/// A stretch of the input. Offsets are bytes from the input's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// An object with its brackets and without white space around it.
    Record {
        /// Where it begins.
        offset: u64,
        /// All of it.
        bytes: &'a [u8],
    },
    /// What is no record, without white space behind it. Empty where a list lacks its closing brackets.
    Malformed {
        /// Where it begins.
        offset: u64,
        /// All of it.
        bytes: &'a [u8],
        /// What is wrong, for a person.
        reason: &'static str,
    },
    /// A fragment of what is longer than the limit. The fragments of one record or of one malformed stretch follow
    /// each other with the same offset; [`split`] gives a single one.
    Oversized {
        /// Where the whole of it begins.
        offset: u64,
        /// The next bytes of it, possibly none in the last fragment.
        bytes: &'a [u8],
        /// It ends with this fragment.
        last: bool,
    },
}

impl<'a> Piece<'a> {
    fn new(scan: &Scan, window: &'a [u8], found: Found) -> Self {
        let cut = |from, to| window.get(from..to).unwrap_or_default();
        match found {
            Found::Record { from, to } => Piece::Record { offset: scan.offset(from), bytes: cut(from, to) },
            Found::Malformed { from, to, reason } => {
                let all = cut(from, to);
                let white = all.iter().take_while(|&&byte| is_white(byte)).count();
                let end = all.iter().rposition(|&byte| !is_white(byte)).map_or(white, |at| at + 1);
                let bytes = all.get(white..end).unwrap_or_default();
                Piece::Malformed { offset: scan.offset(from + white), bytes, reason }
            }
            Found::Oversized { offset, from, to, last } => Piece::Oversized { offset, bytes: cut(from, to), last },
        }
    }
}

fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Cuts a whole payload into pieces. `keys` are the members under which an envelope keeps its records; `max` limits the
/// size of a record in bytes.
pub fn split<'a, K: AsRef<str>>(payload: &'a [u8], keys: &'a [K], max: usize) -> Split<'a, K> {
    Split { payload, keys, scan: Scan::new(max), members: Members::default(), outline: Outline::default() }
}

/// The pieces of a payload; see [`split`].
#[derive(Debug)]
pub struct Split<'a, K> {
    payload: &'a [u8],
    keys: &'a [K],
    scan: Scan,
    members: Members,
    outline: Outline,
}

impl<K> Split<'_, K> {
    /// Where the members of the record are that was given last; without any where it was no JSON.
    #[must_use]
    pub fn outline(&self) -> &Outline {
        &self.outline
    }
}

impl<'a, K: AsRef<str>> Iterator for Split<'a, K> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let found = self.scan.next_outlined(self.payload, self.keys, &mut self.members, &mut self.outline)?;
        Some(Piece::new(&self.scan, self.payload, found))
    }
}

/// The raw JSON of a record's own member, quotes included: the first one with this key. Reads the record up to there and
/// allocates nothing that grows with it. None if there is none or the record is malformed before its end.
pub fn member<'a>(record: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let mut grammar = Grammar::new();
    grammar.reset(true);
    let mut at = 0;
    loop {
        let step;
        (at, step) = grammar.run(record, at);
        match step {
            Step::Value => {
                let (from, to) = grammar.key();
                if text::is(record.get(from..to)?, key) {
                    grammar.follow();
                }
            }
            Step::End => return record.get(grammar.value()..at),
            Step::More | Step::Done | Step::Violation(_) => return None,
        }
    }
}
