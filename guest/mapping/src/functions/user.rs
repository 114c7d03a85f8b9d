//! Functions of users.

use crate::args::{Args, Results};
use crate::value::Value;

/// Addresses: those of the first list or, where it is empty, of the second.
pub fn email<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let addresses = if args.list(0).is_empty() { args.list(1) } else { args.list(0) };
    let mut kept: Vec<Value<'r>> = Vec::new();
    for address in addresses {
        if !kept.contains(address) {
            kept.push(address.clone());
        }
    }
    if !kept.is_empty() {
        results.set(0, Value::List(kept));
    }
}
