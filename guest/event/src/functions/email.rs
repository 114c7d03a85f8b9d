//! Mail and messages.

use defenderbeat_mapping::{Args, Results, Value};

use super::{list, table, words};

/// `event.category`: mail, with a file where the column of its type is there; none for clicks.
pub(crate) fn categorize<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let mail = table::name(args, 1) != "UrlClickEvents";
    let file = !args.value(2).is_missing();
    let all = [("email", mail), ("file", file)].into_iter().filter(|(_, is)| *is).map(|(name, _)| name);
    results.set(0, words(all, args.arena()));
}

/// Name and domain of an address.
pub(crate) fn parts<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some(address) = args.text(0) else { return };
    if let Some((name, domain)) = address.split_once('@') {
        results.set(0, Value::from_text(name));
        results.set(1, Value::from_text(domain));
    }
}

/// Addresses as a list.
pub(crate) fn addresses<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let all: Vec<Value<'r>> = (0..2).map(|index| args.value(index)).filter(|value| !value.is_missing()).collect();
    results.set(0, list(&all, args.arena()));
}
