//! Where pieces begin and end: one machine for the whole buffer and for chunks, so that both agree.
//!
//! The machine sees a window of the input and answers with ranges of it. Every decision is a function of the bytes
//! and their offsets, never of where a window happens to end.

use crate::grammar::{Grammar, Step};
use crate::members::Members;
use crate::outline::Outline;

/// How often bytes are read again for lines that turn out to be cut short, before the search moves on.
const REREADS: u8 = 8;

const NOT_AN_OBJECT: &str = "not a JSON object";
const CUT_SHORT: &str = "the input ends before the value does";
const LIST_CUT_SHORT: &str = "the list of records is cut short";

/// A range of the window.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    Record {
        from: usize,
        to: usize,
    },
    Malformed {
        from: usize,
        to: usize,
        reason: &'static str,
    },
    /// Some bytes of a piece beyond the limit; `offset` is where the piece begins in the input.
    Oversized {
        offset: u64,
        from: usize,
        to: usize,
        last: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Top,
    /// In an array of records, which an envelope may surround.
    List {
        envelope: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A value at the top: a record, an envelope so far unknown as such, or garbage.
    Top,
    /// An element of a list.
    Element,
    /// What follows the list in an envelope.
    Tail,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Reading a value.
    Value,
    /// Malformed to the end of the line.
    Line,
    /// Malformed up to a line that begins with a bracket: what went before ran over several lines.
    Lines,
    /// Malformed up to the bracket that closes the element.
    Brackets { depth: usize, text: bool, escaped: bool },
}

/// What is being read.
#[derive(Clone, Copy, Debug)]
struct Unit {
    kind: Kind,
    mode: Mode,
    reason: &'static str,
    /// An object, as far as its first byte tells.
    object: bool,
    start: usize,
    offset: u64,
    /// Beyond the limit: bytes up to `emitted` have been passed on (or, of a tail, let go).
    oversized: bool,
    emitted: usize,
}

#[derive(Debug)]
pub(crate) struct Scan {
    max: usize,
    /// Offset of the window in the input.
    base: u64,
    at: usize,
    place: Place,
    unit: Option<Unit>,
    grammar: Grammar,
    /// In a list: no comma since the last element.
    after_element: bool,
    /// In a list: line feeds stand between elements.
    list_lines: bool,
    line_start: bool,
    frontier: u64,
    rereads: u8,
}

impl Scan {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max: max.max(1),
            base: 0,
            at: 0,
            place: Place::Top,
            unit: None,
            grammar: Grammar::new(),
            after_element: false,
            list_lines: false,
            line_start: false,
            frontier: 0,
            rereads: 0,
        }
    }

    /// Offset in the input of a position in the window.
    pub(crate) fn offset(&self, at: usize) -> u64 {
        self.base + at as u64
    }

    /// Bytes at the front of the window that are no longer needed.
    pub(crate) fn spent(&self) -> usize {
        match &self.unit {
            Some(Unit { kind: Kind::Tail, mode: Mode::Value, oversized: true, .. }) | None => self.at,
            Some(Unit { oversized: true, emitted, .. }) => *emitted,
            Some(unit) => unit.start,
        }
    }

    /// The window lost its first `n` bytes, all of them spent.
    pub(crate) fn rebase(&mut self, n: usize) {
        self.base += n as u64;
        self.at = self.at.saturating_sub(n);
        if let Some(unit) = &mut self.unit {
            unit.start = unit.start.saturating_sub(n);
            unit.emitted = unit.emitted.saturating_sub(n);
        }
        self.grammar.rebase(n);
    }

    /// The next piece; none when `window` holds no more of them, for good if it is the `last` one.
    pub(crate) fn next<K: AsRef<str>>(
        &mut self,
        window: &[u8],
        last: bool,
        keys: &[K],
        members: &mut Members,
    ) -> Option<Found> {
        loop {
            let Some(unit) = self.unit else {
                match self.between(window, last, !keys.is_empty()) {
                    Between::Unit => continue,
                    Between::End => return None,
                    Between::Found(found) => return Some(found),
                }
            };
            let found = match unit.mode {
                Mode::Value => self.value(window, last, unit, keys, members),
                Mode::Line | Mode::Lines => self.skip_lines(window, last, unit),
                Mode::Brackets { .. } => self.skip_element(window, last, unit),
            };
            match found {
                Next::Go => {}
                Next::Found(found) => return Some(found),
                Next::More => return self.fragment(),
            }
        }
    }

    /// As [`next`](Self::next), where the window is all there is. What is a record to the grammar and JSON to the outline
    /// ends at the same place, so the grammar is asked of all else only.
    pub(crate) fn next_outlined<K: AsRef<str>>(
        &mut self,
        window: &[u8],
        keys: &[K],
        members: &mut Members,
        outline: &mut Outline,
    ) -> Option<Found> {
        outline.forget();
        if self.unit.is_none() {
            match self.between(window, true, !keys.is_empty()) {
                Between::Unit => {}
                Between::End => return None,
                Between::Found(found) => return Some(found),
            }
        }
        if let Some(unit) = self.unit.filter(|unit| unit.object && unit.kind != Kind::Tail && unit.start == self.at) {
            let keys = if unit.kind == Kind::Top { keys } else { &[] };
            let end = outline.find(window, unit.start, keys).filter(|end| end - unit.start <= self.max);
            if let Some(to) = end {
                self.at = to;
                self.unit = None;
                self.after_element = true;
                return Some(Found::Record { from: unit.start, to });
            }
            outline.forget();
        }
        self.next(window, true, keys, members)
    }

    /// Between values: finds where the next one begins.
    fn between(&mut self, window: &[u8], last: bool, watch: bool) -> Between {
        while let Some(&byte) = window.get(self.at) {
            let line_start = std::mem::replace(&mut self.line_start, byte == b'\n');
            match (byte, self.place) {
                (b' ' | b'\t' | b'\r', _) => self.at += 1,
                (b'\n', _) => {
                    self.at += 1;
                    self.list_lines = true;
                }
                (b'{', Place::Top) => {
                    self.grammar.reset(watch);
                    return self.begin(Kind::Top, Mode::Value, true);
                }
                (b'[', Place::Top) => {
                    self.at += 1;
                    self.enter_list(false);
                }
                (_, Place::Top) => {
                    const MARK: &[u8] = "\u{feff}".as_bytes();
                    let rest = window.get(self.at..).unwrap_or_default();
                    if rest.starts_with(MARK) {
                        self.at += MARK.len();
                    } else if MARK.starts_with(rest) && !last {
                        return Between::End;
                    } else {
                        return self.begin(Kind::Top, Mode::Line, false);
                    }
                }
                (b',', Place::List { .. }) => {
                    self.at += 1;
                    self.after_element = false;
                }
                (b']', Place::List { envelope }) => {
                    self.at += 1;
                    self.place = Place::Top;
                    if envelope {
                        self.grammar.resume_object();
                        return self.begin(Kind::Tail, Mode::Value, true);
                    }
                }
                (b'{' | b'[', Place::List { .. }) if self.after_element && line_start => {
                    self.place = Place::Top;
                    return Between::Found(Found::Malformed { from: self.at, to: self.at, reason: LIST_CUT_SHORT });
                }
                (_, Place::List { .. }) => {
                    self.grammar.reset(false);
                    return self.begin(Kind::Element, Mode::Value, byte == b'{');
                }
            }
        }
        if last && self.place != Place::Top {
            self.place = Place::Top;
            return Between::Found(Found::Malformed { from: self.at, to: self.at, reason: LIST_CUT_SHORT });
        }
        Between::End
    }

    fn begin(&mut self, kind: Kind, mode: Mode, object: bool) -> Between {
        self.line_start = false;
        self.unit = Some(Unit {
            kind,
            mode,
            reason: NOT_AN_OBJECT,
            object,
            start: self.at,
            offset: self.offset(self.at),
            oversized: false,
            emitted: self.at,
        });
        Between::Unit
    }

    fn enter_list(&mut self, envelope: bool) {
        self.unit = None;
        self.place = Place::List { envelope };
        self.after_element = false;
        self.list_lines = false;
        self.line_start = false;
    }

    fn value<K: AsRef<str>>(
        &mut self,
        window: &[u8],
        last: bool,
        mut unit: Unit,
        keys: &[K],
        members: &mut Members,
    ) -> Next {
        let limit = if unit.oversized { usize::MAX } else { unit.start.saturating_add(self.max) };
        let end = window.len().min(limit);
        let (at, step) = self.grammar.run(window.get(..end).unwrap_or_default(), self.at);
        self.at = at;
        // What ends right at the limit may take a byte beyond it to be seen.
        let length = self.offset(at).saturating_sub(unit.offset);
        unit.oversized &= unit.kind == Kind::Tail || length > self.max as u64;
        match step {
            Step::More if end < window.len() => {
                unit.oversized = true;
                unit.emitted = unit.start;
                self.unit = Some(unit);
                self.grammar.unwatch();
                Next::Go
            }
            Step::More if !last => Next::More,
            Step::More | Step::Violation(_) => {
                members.forget();
                self.violation(unit, if let Step::Violation(reason) = step { reason } else { CUT_SHORT })
            }
            Step::Value => {
                let (from, to) = self.grammar.key();
                let key = window.get(from..to).unwrap_or_default();
                if window.get(at) == Some(&b'[') && keys.iter().any(|name| crate::text::is(key, name.as_ref())) {
                    if unit.kind == Kind::Top {
                        members.envelope();
                    }
                    self.at += 1;
                    self.enter_list(true);
                } else if members.wants(key) {
                    self.grammar.follow();
                }
                Next::Go
            }
            Step::End => {
                let (from, to) = self.grammar.key();
                let key = window.get(from..to).unwrap_or_default();
                let value = window.get(self.grammar.value()..at).unwrap_or_default();
                members.take(key, value, unit.kind == Kind::Tail);
                Next::Go
            }
            Step::Done => {
                self.unit = None;
                self.after_element = true;
                if unit.kind == Kind::Top {
                    members.forget();
                }
                let (from, to) = (unit.start, at);
                match unit {
                    Unit { kind: Kind::Tail, .. } => Next::Go,
                    Unit { oversized: true, .. } => {
                        Next::Found(Found::Oversized { offset: unit.offset, from: unit.emitted, to, last: true })
                    }
                    Unit { object: true, .. } => Next::Found(Found::Record { from, to }),
                    _ => Next::Found(Found::Malformed { from, to, reason: NOT_AN_OBJECT }),
                }
            }
        }
    }

    /// The byte here cannot stand here: decides where what is malformed ends.
    fn violation(&mut self, mut unit: Unit, reason: &'static str) -> Next {
        let at = self.at;
        unit.reason = reason;
        if unit.oversized && unit.kind == Kind::Tail {
            unit.oversized = false;
            unit.start = at;
            unit.emitted = at;
            unit.offset = self.offset(at);
        } else if !unit.oversized
            && let Some(line) = self.grammar.first_line_object()
            && (line == at || self.reread())
        {
            return self.resume(unit, line);
        }
        if self.grammar.last_line_object() == Some(at) {
            return self.resume(unit, at);
        }
        unit.mode = match unit.kind {
            Kind::Element => Mode::Brackets { depth: self.grammar.depth(), text: false, escaped: false },
            _ if self.grammar.lines() => Mode::Lines,
            _ => Mode::Line,
        };
        self.unit = Some(unit);
        Next::Go
    }

    /// Whether bytes before this violation may be read once more. A value that is open here fails here again, so
    /// without a limit nested cut lines would cost the square of their number.
    fn reread(&mut self) -> bool {
        let here = self.offset(self.at);
        if here > self.frontier {
            self.frontier = here;
            self.rereads = 0;
        }
        self.rereads = self.rereads.saturating_add(1);
        self.rereads <= REREADS
    }

    /// What is malformed ends at a line that begins an object. The line belongs to the list only if the list is
    /// written over lines; else the list was cut short with its line.
    fn resume(&mut self, unit: Unit, line: usize) -> Next {
        let found = self.end(unit, line);
        self.after_element = false;
        if !self.list_lines {
            self.place = Place::Top;
        }
        found
    }

    /// Ends what is malformed at `to`.
    fn end(&mut self, unit: Unit, to: usize) -> Next {
        self.at = to;
        self.unit = None;
        self.after_element = true;
        self.line_start = false;
        if unit.oversized || to.saturating_sub(unit.start) > self.max {
            return Next::Found(Found::Oversized { offset: unit.offset, from: unit.emitted, to, last: true });
        }
        Next::Found(Found::Malformed { from: unit.start, to, reason: unit.reason })
    }

    fn skip_lines(&mut self, window: &[u8], last: bool, unit: Unit) -> Next {
        loop {
            let rest = window.get(self.at..).unwrap_or_default();
            let Some(n) = memchr::memchr(b'\n', rest) else { return self.wait(window.len(), last, unit) };
            self.at += n;
            if unit.mode == Mode::Line {
                return self.end(unit, self.at);
            }
            match window.get(self.at + 1) {
                None if !last => return self.wait(self.at, last, unit),
                Some(b'{' | b'[') => return self.end(unit, self.at),
                _ => self.at += 1,
            }
        }
    }

    fn skip_element(&mut self, window: &[u8], last: bool, mut unit: Unit) -> Next {
        let Mode::Brackets { mut depth, mut text, mut escaped } = unit.mode else { return Next::Go };
        let mut at = self.at;
        while let Some(&byte) = window.get(at) {
            if byte == b'\n' {
                (text, escaped) = (false, false);
                match window.get(at + 1) {
                    None if !last => break,
                    Some(b'{') => return self.resume(unit, at),
                    _ => {}
                }
            } else if escaped {
                escaped = false;
                at += 1;
                continue;
            } else if text {
                text = byte != b'"';
                escaped = byte == b'\\';
                at += 1;
                continue;
            }
            let first = at == unit.start && !unit.oversized;
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b',' | b']' if depth == 0 && !first => return self.end(unit, at),
                b'{' | b'[' | b'"' if depth == 0 && !first => return self.end(unit, at),
                b'"' => text = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 1 => return self.end(unit, at + 1),
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
        }
        unit.mode = Mode::Brackets { depth, text, escaped };
        if last {
            self.place = Place::Top;
        }
        self.wait(at, last, unit)
    }

    /// The window is used up to `at` within something malformed.
    fn wait(&mut self, at: usize, last: bool, mut unit: Unit) -> Next {
        if last {
            return self.end(unit, at);
        }
        self.at = at;
        if !unit.oversized && at.saturating_sub(unit.start) > self.max {
            unit.oversized = true;
            unit.emitted = unit.start;
        }
        self.unit = Some(unit);
        Next::More
    }

    /// Passes on what there is of a piece beyond the limit.
    fn fragment(&mut self) -> Option<Found> {
        let to = self.at;
        let unit = self.unit.as_mut()?;
        if !unit.oversized || unit.kind == Kind::Tail && unit.mode == Mode::Value || unit.emitted >= to {
            return None;
        }
        let from = std::mem::replace(&mut unit.emitted, to);
        Some(Found::Oversized { offset: unit.offset, from, to, last: false })
    }
}

enum Between {
    Unit,
    End,
    Found(Found),
}

enum Next {
    Go,
    More,
    Found(Found),
}
