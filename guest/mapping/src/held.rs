//! What a side of a join is while it is held: text, compact, without an allocation for each of its parts.
//!
//! Lengths and indexes are numbers among the text, six bits a character, so that all of it is text and no part has to be
//! checked again when it is written. Long strings are kept once, however many fields repeat them or parts of them.

use crate::table::NONE;
use crate::write::ObjectWriter;

/// Strings from this length on are looked for among those that were written before, in bytes.
const LONG: usize = 48;
/// So much of a long string is looked for first, in bytes.
const BEGIN: usize = 16;
/// So many places that begin like it are looked at: text that repeats itself would take time without end.
const PLACES: usize = 64;

/// What is computed of a side before it is held.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// Values that the last side needs, as JSON text.
    pub(crate) inputs: Vec<(u16, String)>,
    /// Messages of field errors, and the record, which documents about errors keep.
    pub(crate) errors: Vec<String>,
    pub(crate) original: String,
    /// Outputs in their order.
    pub(crate) runs: Vec<Run>,
}

/// Fields that follow each other in a document.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// Number of the first output.
    pub(crate) output: u16,
    /// Objects of the first and of the last.
    pub(crate) objects: (u16, u16),
    /// What is written: from the key of the first to the value of the last.
    pub(crate) text: String,
    /// Where long strings are in it, quotes left out.
    pub(crate) long: Vec<(usize, usize)>,
}

impl Run {
    /// Remembers where a value is that was just written, up to `end`, if it is a long string.
    pub(crate) fn mark(&mut self, value: &str, end: usize) {
        if value.len() >= LONG && value.starts_with('"') {
            let end = end.saturating_sub(1);
            self.long.push((end + 2 - value.len(), end));
        }
    }
}

/// Text of a side that is held. `unmapped` are names and JSON text of what no field takes.
pub(crate) fn pack<'u>(draft: &Draft, unmapped: impl ExactSizeIterator<Item = (&'u str, &'u str)>) -> String {
    let mut out = String::with_capacity(1 << 10);
    number(draft.inputs.len(), &mut out);
    for (value, json) in &draft.inputs {
        number(usize::from(*value), &mut out);
        text(json, &mut out);
    }
    number(unmapped.len(), &mut out);
    for (name, json) in unmapped {
        text(name, &mut out);
        text(json, &mut out);
    }
    number(draft.errors.len(), &mut out);
    draft.errors.iter().for_each(|error| text(error, &mut out));
    text(&draft.original, &mut out);
    let (strings, mut places) = gather(&draft.runs);
    text(&strings, &mut out);
    for run in &draft.runs {
        number(usize::from(run.output), &mut out);
        number(usize::from(run.objects.0), &mut out);
        number(usize::from(run.objects.1), &mut out);
        number(run.long.len(), &mut out);
        let mut at = 0;
        for ((from, to), place) in run.long.iter().zip(places.by_ref()) {
            text(run.text.get(at..*from).unwrap_or_default(), &mut out);
            number(place, &mut out);
            number(to - from, &mut out);
            at = *to;
        }
        text(run.text.get(at..).unwrap_or_default(), &mut out);
    }
    out
}

/// All long strings of runs in one text, each once, and where each is in it.
fn gather(runs: &[Run]) -> (String, impl Iterator<Item = usize>) {
    let long = runs.iter().flat_map(|run| run.long.iter().filter_map(|(from, to)| run.text.get(*from..*to)));
    // The longest first: others may be parts of it.
    let mut sorted: Vec<(usize, &str)> = long.enumerate().collect();
    sorted.sort_by_key(|(_, text)| std::cmp::Reverse(text.len()));
    let mut strings = String::new();
    let mut places = vec![0; sorted.len()];
    for (number, text) in sorted {
        let place = find(&strings, text).unwrap_or(strings.len());
        if place == strings.len() {
            strings.push_str(text);
        }
        if let Some(known) = places.get_mut(number) {
            *known = place;
        }
    }
    (strings, places.into_iter())
}

/// Where a long string is in text. Its beginning is looked for first, which costs nothing to prepare.
fn find(strings: &str, text: &str) -> Option<usize> {
    let begin = text.as_bytes().get(..BEGIN)?;
    memchr::memmem::find_iter(strings.as_bytes(), begin)
        .take(PLACES)
        .find(|at| strings.as_bytes().get(*at..).is_some_and(|rest| rest.starts_with(text.as_bytes())))
}

/// Six bits a character, the lowest first; the seventh says that more follow.
fn number(mut number: usize, out: &mut String) {
    loop {
        let low = u8::try_from(number & 0x3F).unwrap_or_default();
        number >>= 6;
        out.push(char::from(if number > 0 { low | 0x40 } else { low }));
        if number == 0 {
            return;
        }
    }
}

fn text(text: &str, out: &mut String) {
    number(text.len(), out);
    out.push_str(text);
}

/// Reads what [`pack`] wrote, in its order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unpack<'h> {
    rest: &'h str,
}

impl<'h> Unpack<'h> {
    pub(crate) fn new(held: &'h str) -> Self {
        Self { rest: held }
    }

    pub(crate) fn number(&mut self) -> usize {
        let (mut number, mut shift) = (0, 0);
        for (at, byte) in self.rest.bytes().enumerate() {
            number |= usize::from(byte & 0x3F) << shift;
            shift += 6;
            if byte & 0x40 == 0 {
                self.rest = self.rest.get(at + 1..).unwrap_or_default();
                return number;
            }
        }
        0
    }

    pub(crate) fn index(&mut self) -> u16 {
        u16::try_from(self.number()).unwrap_or(NONE)
    }

    pub(crate) fn text(&mut self) -> &'h str {
        let length = self.number();
        let (text, rest) = self.rest.split_at_checked(length).unwrap_or_default();
        self.rest = rest;
        text
    }
}

/// The outputs of a side that is held, on their way into a document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runs<'h> {
    rest: Unpack<'h>,
    strings: &'h str,
    /// Number of the next output; [`NONE`]: there is none.
    pub(crate) next: u16,
}

impl<'h> Runs<'h> {
    /// Begins behind all else that is held.
    pub(crate) fn new(mut rest: Unpack<'h>) -> Self {
        let strings = rest.text();
        let mut runs = Self { rest, strings, next: NONE };
        runs.advance();
        runs
    }

    fn advance(&mut self) {
        self.next = if self.rest.rest.is_empty() { NONE } else { self.rest.index() };
    }

    /// Writes the next output and those that follow it in one piece.
    pub(crate) fn write(&mut self, writer: &mut ObjectWriter<'_>) {
        let (first, last) = (self.rest.index(), self.rest.index());
        writer.run(first, last, |out| {
            for _ in 0..self.rest.number() {
                out.push_str(self.rest.text());
                let from = self.rest.number();
                let to = from + self.rest.number();
                out.push_str(self.strings.get(from..to).unwrap_or_default());
            }
            out.push_str(self.rest.text());
        });
        self.advance();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;

    #[test]
    fn what_was_packed_comes_out_again_and_long_strings_are_kept_once() {
        let string = "é".repeat(100);
        let mut runs = Vec::new();
        for value in [format!("\"{string}\""), format!("\"{}\"", "é".repeat(60)), "1".to_owned()] {
            let mut run = Run { text: format!("\"key\":{value}"), ..Run::default() };
            run.mark(&value, run.text.len());
            run.text.push_str(",\"more\":2");
            runs.push(run);
        }
        let draft = Draft { inputs: vec![(300, "\"x\"".to_owned())], runs, ..Draft::default() };
        let packed = pack(&draft, [("name", "{}")].into_iter());
        assert!(packed.len() < 200 + 100, "{}", packed.len());
        let mut unpack = Unpack::new(&packed);
        assert_eq!((unpack.number(), unpack.index(), unpack.text()), (1, 300, "\"x\""));
        assert_eq!((unpack.number(), unpack.text(), unpack.text()), (1, "name", "{}"));
        assert_eq!((unpack.number(), unpack.text()), (0, ""));
        let mut out = Text::default();
        static ROOT: [crate::table::Object; 1] = [crate::table::Object { chain: &[], opens: &[] }];
        let mut writer = ObjectWriter::new(&mut out, &ROOT);
        let mut runs = Runs::new(unpack);
        while runs.next != NONE {
            runs.write(&mut writer);
        }
        writer.end();
        let short = "é".repeat(60);
        assert_eq!(
            out.into_string(),
            format!(r#"{{"key":"{string}","more":2,"key":"{short}","more":2,"key":1,"more":2}}"#)
        );
    }

    #[test]
    fn numbers_of_every_size_come_out_again() {
        let mut packed = String::new();
        let numbers = [0, 1, 63, 64, 4095, 4096, 1 << 20, usize::MAX >> 4];
        numbers.iter().for_each(|one| number(*one, &mut packed));
        let mut unpack = Unpack::new(&packed);
        assert!(numbers.iter().all(|one| unpack.number() == *one));
    }
}
