//! Functions that rows of `pipelines/event/*.yml` name.

pub(crate) mod account;
pub(crate) mod action;
pub(crate) mod agent;
pub(crate) mod alert;
pub(crate) mod app;
pub(crate) mod cloud;
pub(crate) mod device;
pub(crate) mod dns;
pub(crate) mod email;
pub(crate) mod fields;
pub(crate) mod inventory;
pub(crate) mod kinds;
pub(crate) mod network;
pub(crate) mod os;
pub(crate) mod path;
pub(crate) mod program;
pub(crate) mod registry;
pub(crate) mod table;
pub(crate) mod techniques;

pub(crate) use defenderbeat_mapping::functions::{process, url};

use defenderbeat_mapping::{Arena, Value};

/// A value of constant text.
fn word<'r>(text: &'static str) -> Value<'r> {
    Value::Text(text)
}

/// A list of constant texts; nothing where there is none.
fn words<'r>(texts: impl IntoIterator<Item = &'static str>, arena: &'r Arena) -> Value<'r> {
    let mut all = arena.new_list(4);
    all.extend(texts.into_iter().map(word));
    if all.is_empty() { Value::Missing } else { Value::List(all.into_bump_slice()) }
}

/// A list; nothing where it is empty.
fn list<'r>(values: &[Value<'r>], arena: &'r Arena) -> Value<'r> {
    if values.is_empty() { Value::Missing } else { Value::List(arena.list(values)) }
}
