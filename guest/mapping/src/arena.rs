//! Memory for what is made of one record.

use std::borrow::Cow;
use std::cell::Cell;

use bumpalo::Bump;

use crate::identity::{Identity, hex_digits};
use crate::letters;
use crate::text::Text;
use crate::value::Value;

/// So much is kept from one record to the next, in bytes: one long record must not hold its memory for the rest of an
/// engine's life.
const KEPT: usize = 1 << 20;

/// A list under construction.
pub type List<'r> = bumpalo::collections::Vec<'r, Value<'r>>;

/// Texts and lists that are made of a record. None is freed by itself; all go when the arena is reset for the next
/// record. So a value is a few words that are copied, and nothing has to be counted or dropped.
#[derive(Default)]
pub struct Arena {
    bump: Bump,
    /// Where texts are put together before their length is known.
    draft: Cell<Text>,
    /// Where identities are put together.
    identity: Cell<Option<Identity>>,
}

impl Arena {
    /// Forgets everything; its memory is used again.
    pub fn reset(&mut self) {
        if self.bump.allocated_bytes() > KEPT {
            self.bump = Bump::new();
        } else {
            self.bump.reset();
        }
    }

    /// Keeps text.
    pub fn text(&self, text: &str) -> &str {
        self.bump.alloc_str(text)
    }

    /// Keeps text that may be kept already.
    pub fn keep<'r>(&'r self, text: Cow<'r, str>) -> &'r str {
        match text {
            Cow::Borrowed(text) => text,
            Cow::Owned(text) => self.text(&text),
        }
    }

    /// Text in lower case.
    pub fn lowercase<'r>(&'r self, text: &'r str) -> &'r str {
        if !text.is_ascii() {
            return self.text(&text.to_lowercase());
        }
        if !letters::has_upper(text) {
            return text;
        }
        let lower = self.bump.alloc_slice_copy(text.as_bytes());
        letters::make_lower(lower);
        ascii(lower)
    }

    /// The identity of what `add` adds.
    pub fn identity(&self, add: impl FnOnce(&mut Identity)) -> u128 {
        let mut identity = self.identity.take().unwrap_or_default();
        identity.clear();
        add(&mut identity);
        let id = identity.finish();
        self.identity.set(Some(identity));
        id
    }

    /// The text of an identity: 32 hexadecimal digits.
    pub fn hex(&self, id: u128) -> &str {
        ascii(self.bump.alloc(hex_digits(id)))
    }

    /// Keeps the text that `write` puts together.
    pub fn write(&self, write: impl FnOnce(&mut Text)) -> &str {
        let mut draft = self.draft.take();
        draft.clear();
        write(&mut draft);
        let text = self.text(draft.as_str());
        if draft.len() <= KEPT {
            self.draft.set(draft);
        }
        text
    }

    /// A list that grows here, with room for so many values; `into_bump_slice` is what is kept of it.
    pub fn new_list(&self, capacity: usize) -> List<'_> {
        List::with_capacity_in(capacity, &self.bump)
    }

    /// Keeps a list.
    pub fn list<'r>(&'r self, values: &[Value<'r>]) -> &'r [Value<'r>] {
        self.bump.alloc_slice_copy(values)
    }
}

/// Bytes that are ASCII as text.
fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
