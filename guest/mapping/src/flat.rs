//! Reading by serde_json: what says what is wrong with bytes that are no JSON, and reads a record that cannot be walked.

use std::borrow::Cow;
use std::collections::BTreeMap;

use defenderbeat_records::Json;
use serde::de::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::table::NONE;
use crate::value::unescape;
use crate::walk::{ScopeReader, join};

/// A key, unescaped. It is read raw, because serde_json refuses half a surrogate pair, which JSON allows.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key<'r>(Cow<'r, str>);

impl<'de: 'r, 'r> Deserialize<'de> for Key<'r> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let quoted: &'de str = <&RawValue>::deserialize(deserializer)?.get();
        Ok(Self(unescape(quoted.get(1..quoted.len() - 1).unwrap_or_default())))
    }
}

/// The members of an object, of those with one key the last.
pub(crate) type Members<'r> = BTreeMap<Key<'r>, &'r RawValue>;

/// The members of an object.
pub(crate) fn members(json: &str) -> Result<Members<'_>, serde_json::Error> {
    serde_json::from_str(json)
}

impl<'r> ScopeReader<'_, '_, 'r> {
    /// Reads a record whose objects and lists cannot all be walked: members below the top level are unmapped.
    pub(crate) fn read_flat(&mut self, node: u16, members: Members<'r>) {
        let Some(node) = self.scope.nodes.get(usize::from(node)) else { return };
        for (Key(key), value) in members {
            match node.kid(&key) {
                Some(kid) if kid.node == NONE && kid.list == NONE => {
                    self.fill(node, kid, Json { text: value.get(), plain: false })
                }
                Some(_) => {
                    let name = join(node.path, &key);
                    self.record.errors.push(format!("{name}: holds a number or an escape that cannot be read"));
                    self.record.keep_unmapped(&name, Cow::Borrowed(value.get()));
                }
                None => self.unknown(node, &key, value.get()),
            }
        }
    }
}

/// Checks that text is one JSON value.
pub(crate) fn check(json: &str) -> Result<(), serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(json);
    <&RawValue>::deserialize(&mut parser)?;
    parser.end()
}
