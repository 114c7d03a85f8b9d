//! The shape of one JSON value, followed byte by byte: brackets match, members have a key and a colon, values are
//! separated by commas, strings do not run over a line's end. What stands inside strings, numbers and literals is
//! not looked at.
//!
//! It can stop after any byte and go on later, and keeps one bit for each level of nesting, so depth costs neither
//! stack nor noticeable memory.

use crate::blocks::{BLOCK, text_ends};

/// What stopped [`Grammar::run`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The bytes given are used up.
    More,
    /// The value ended before the returned position.
    Done,
    /// The byte at the returned position cannot stand there.
    Violation(&'static str),
    /// The value of a member of the outermost object begins at the returned position (only when watching).
    Value,
    /// The member's value that [`Grammar::follow`] was called for ended before the returned position.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Value,
    ValueOrEnd,
    KeyOrEnd,
    Key,
    Colon,
    Next,
    Text,
    Escape,
    Scalar,
}

/// Kinds of the open brackets: 1 an object, 0 an array.
#[derive(Debug, Default)]
pub(crate) struct Nest {
    pub(crate) depth: usize,
    top: u64,
    rest: Vec<u64>,
}

impl Nest {
    #[inline]
    pub(crate) fn push(&mut self, object: bool) {
        if self.depth != 0 && self.depth.is_multiple_of(64) {
            self.rest.push(self.top);
        }
        self.top = self.top << 1 | u64::from(object);
        self.depth += 1;
    }

    #[inline]
    pub(crate) fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.top >>= 1;
        if self.depth != 0
            && self.depth.is_multiple_of(64)
            && let Some(word) = self.rest.pop()
        {
            self.top = word;
        }
    }

    #[inline]
    pub(crate) fn object(&self) -> bool {
        self.top & 1 == 1
    }
}

/// The state of one value. Positions count from the start of the window that is handed to [`Grammar::run`].
#[derive(Debug)]
pub(crate) struct Grammar {
    state: State,
    nest: Nest,
    /// The string being read is a member's key.
    in_key: bool,
    watch: bool,
    announced: bool,
    following: bool,
    /// The last byte seen was a line feed between tokens.
    line_start: bool,
    /// A line feed was seen between tokens.
    lines: bool,
    /// Where an object first and last stood at the very start of a line.
    first_line_object: Option<usize>,
    last_line_object: Option<usize>,
    key: (usize, usize),
    value: usize,
}

impl Grammar {
    /// Ready for a value.
    pub(crate) fn new() -> Self {
        Self {
            state: State::Value,
            nest: Nest::default(),
            in_key: false,
            watch: false,
            announced: false,
            following: false,
            line_start: false,
            lines: false,
            first_line_object: None,
            last_line_object: None,
            key: (0, 0),
            value: 0,
        }
    }

    /// Starts anew with any value; `watch` stops at each member of it.
    pub(crate) fn reset(&mut self, watch: bool) {
        self.nest.depth = 0;
        self.nest.top = 0;
        self.nest.rest.clear();
        self.state = State::Value;
        self.in_key = false;
        self.watch = watch;
        self.announced = false;
        self.following = false;
        self.line_start = false;
        self.lines = false;
        self.first_line_object = None;
        self.last_line_object = None;
    }

    /// Starts anew in an object, behind the value of one of its members.
    pub(crate) fn resume_object(&mut self) {
        self.reset(true);
        self.nest.push(true);
        self.state = State::Next;
    }

    /// No more stops at members.
    pub(crate) fn unwatch(&mut self) {
        self.watch = false;
        self.following = false;
    }

    /// Asks for [`Step::End`] of the value just announced.
    pub(crate) fn follow(&mut self) {
        self.following = true;
    }

    /// The quoted key of the last member announced.
    pub(crate) fn key(&self) -> (usize, usize) {
        self.key
    }

    /// Where the last value announced begins.
    pub(crate) fn value(&self) -> usize {
        self.value
    }

    pub(crate) fn depth(&self) -> usize {
        self.nest.depth
    }

    pub(crate) fn lines(&self) -> bool {
        self.lines
    }

    pub(crate) fn first_line_object(&self) -> Option<usize> {
        self.first_line_object
    }

    pub(crate) fn last_line_object(&self) -> Option<usize> {
        self.last_line_object
    }

    /// The window lost its first `n` bytes.
    pub(crate) fn rebase(&mut self, n: usize) {
        self.first_line_object = self.first_line_object.and_then(|at| at.checked_sub(n));
        self.last_line_object = self.last_line_object.and_then(|at| at.checked_sub(n));
        self.key = (self.key.0.saturating_sub(n), self.key.1.saturating_sub(n));
        self.value = self.value.saturating_sub(n);
    }

    fn line_object(&mut self, at: usize) {
        self.first_line_object.get_or_insert(at);
        self.last_line_object = Some(at);
    }

    /// A value ended: what follows, and whether somebody wants to know.
    #[inline]
    fn ended(&mut self) -> Option<Step> {
        self.state = State::Next;
        match self.nest.depth {
            0 => Some(Step::Done),
            1 if self.following => {
                self.following = false;
                Some(Step::End)
            }
            _ => None,
        }
    }

    /// Reads `bytes` from `at`; returns where it stopped and why.
    pub(crate) fn run(&mut self, bytes: &[u8], mut at: usize) -> (usize, Step) {
        if self.line_start && at < bytes.len() {
            self.line_start = false;
            if bytes.get(at) == Some(&b'{') {
                self.line_object(at);
            }
        }
        loop {
            match self.state {
                State::Text => {
                    at = text_end(bytes, at);
                    match bytes.get(at) {
                        None => return (at, Step::More),
                        Some(b'"') => {
                            at += 1;
                            if self.in_key {
                                self.in_key = false;
                                if self.nest.depth == 1 {
                                    self.key.1 = at;
                                }
                                // Mostly a colon and a string follow at once.
                                if bytes.get(at) != Some(&b':') {
                                    self.state = State::Colon;
                                } else if bytes.get(at + 1) == Some(&b'"') && !(self.watch && self.nest.depth == 1) {
                                    at += 2;
                                } else {
                                    self.state = State::Value;
                                    at += 1;
                                }
                            } else if let Some(step) = self.ended() {
                                return (at, step);
                            } else if self.nest.object() && bytes.get(at..at + 2) == Some(b",\"") {
                                // Mostly the next key.
                                if self.nest.depth == 1 {
                                    self.key.0 = at + 1;
                                }
                                self.in_key = true;
                                self.state = State::Text;
                                at += 2;
                            }
                        }
                        Some(b'\\') => {
                            at += 1;
                            self.state = State::Escape;
                        }
                        Some(_) => return (at, Step::Violation("line break in a string")),
                    }
                }
                State::Escape => match bytes.get(at) {
                    None => return (at, Step::More),
                    Some(b'\n') => return (at, Step::Violation("line break in a string")),
                    Some(_) => {
                        at += 1;
                        self.state = State::Text;
                    }
                },
                State::Scalar => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    match rest.iter().position(|&byte| ends_scalar(byte)) {
                        None => return (bytes.len(), Step::More),
                        Some(n) => {
                            at += n;
                            if let Some(step) = self.ended() {
                                return (at, step);
                            }
                        }
                    }
                }
                state => {
                    let Some(&byte) = bytes.get(at) else { return (at, Step::More) };
                    match (byte, state) {
                        (b' ' | b'\t' | b'\r', _) => at += 1,
                        (b'\n', _) => {
                            at += 1;
                            self.lines = true;
                            match bytes.get(at) {
                                Some(b'{') => self.line_object(at),
                                Some(_) => {}
                                None => self.line_start = true,
                            }
                        }
                        (b'"', State::KeyOrEnd | State::Key) => {
                            if self.nest.depth == 1 {
                                self.key.0 = at;
                            }
                            self.in_key = true;
                            self.state = State::Text;
                            at += 1;
                        }
                        (b':', State::Colon) => {
                            self.state = State::Value;
                            at += 1;
                        }
                        (b',', State::Next) => {
                            self.state = if self.nest.object() { State::Key } else { State::Value };
                            at += 1;
                        }
                        (b'}', State::KeyOrEnd | State::Next) if self.nest.object() => {
                            at += 1;
                            self.nest.pop();
                            if let Some(step) = self.ended() {
                                return (at, step);
                            }
                        }
                        (b']', State::ValueOrEnd | State::Next) if !self.nest.object() => {
                            at += 1;
                            self.nest.pop();
                            if let Some(step) = self.ended() {
                                return (at, step);
                            }
                        }
                        (b',' | b':' | b'}' | b']', _) => return (at, Step::Violation(expected(state))),
                        (_, State::Value | State::ValueOrEnd) => {
                            if self.watch && self.nest.depth == 1 && self.nest.object() && !self.announced {
                                self.announced = true;
                                self.value = at;
                                return (at, Step::Value);
                            }
                            self.announced = false;
                            at += 1;
                            match byte {
                                b'{' => {
                                    self.nest.push(true);
                                    self.state = State::KeyOrEnd;
                                }
                                b'[' => {
                                    self.nest.push(false);
                                    self.state = State::ValueOrEnd;
                                }
                                b'"' => self.state = State::Text,
                                _ => self.state = State::Scalar,
                            }
                        }
                        _ => return (at, Step::Violation(expected(state))),
                    }
                }
            }
        }
    }
}

fn expected(state: State) -> &'static str {
    match state {
        State::Value | State::ValueOrEnd => "a value is missing",
        State::KeyOrEnd | State::Key => "a member's name is missing",
        State::Colon => "a colon is missing",
        _ => "a comma or a closing bracket is missing",
    }
}

/// Bytes that end a number or a literal.
fn ends_scalar(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' | b'{' | b'}' | b'[' | b']' | b'"')
}

/// Where the next quote, backslash or line feed stands.
#[inline]
fn text_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let hits = text_ends(block);
        if hits != 0 {
            return at + hits.trailing_zeros() as usize;
        }
        at += BLOCK;
    }
    while let Some(&byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | b'\n') {
            break;
        }
        at += 1;
    }
    at
}
