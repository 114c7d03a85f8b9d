//! Functions of users.

use std::borrow::Cow;

use crate::args::{Args, Results};
use crate::value::Value;

/// Addresses, sorted: those of the first list or, where it is empty, of the second.
pub fn email<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let addresses = if args.list(0).is_empty() { args.list(1) } else { args.list(0) };
    let mut kept: Vec<Value<'r>> = Vec::new();
    for address in addresses {
        if !kept.iter().any(|known| known.text() == address.text()) {
            kept.push(address.clone());
        }
    }
    kept.sort_by_cached_key(|address| address.text().map(Cow::into_owned));
    if !kept.is_empty() {
        results.set(0, Value::List(kept));
    }
}
