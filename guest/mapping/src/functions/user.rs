//! Functions of users.

use std::borrow::Cow;

use crate::args::{Args, Results};
use crate::value::Value;

/// Addresses, sorted: those of the first list or, where it is empty, of the second.
pub fn email<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    first_or_second(args, results);
}

/// Names of users, sorted: those of the first list or, where it is empty, of the second.
pub fn name<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    first_or_second(args, results);
}

fn first_or_second<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let values = if args.list(0).is_empty() { args.list(1) } else { args.list(0) };
    let mut kept: Vec<Value<'r>> = Vec::new();
    for value in values {
        if !kept.iter().any(|known| known.text() == value.text()) {
            kept.push(*value);
        }
    }
    kept.sort_by_cached_key(|value| value.text().map(Cow::into_owned));
    if !kept.is_empty() {
        results.set(0, Value::List(args.arena().list(&kept)));
    }
}
