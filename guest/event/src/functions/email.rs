//! Mail and messages.

use defenderbeat_mapping::{Args, Results, Value};

use super::{table, words};

/// `event.category`: mail, with a file where the column of its type is there; none for clicks.
pub(crate) fn categorize<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let mail = table::name(args, 1) != "UrlClickEvents";
    let file = !args.value(2).is_missing();
    results.set(0, words([("email", mail), ("file", file)].into_iter().filter(|(_, is)| *is).map(|(name, _)| name)));
}

/// Name and domain of an address.
pub(crate) fn parts<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some(address) = args.text(0) else { return };
    if let Some((name, domain)) = address.split_once('@') {
        results.set(0, Value::from_text(name.to_owned()));
        results.set(1, Value::from_text(domain.to_owned()));
    }
}

/// Addresses as a list.
pub(crate) fn addresses<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let all: Vec<Value<'r>> =
        (0..2).map(|index| args.value(index).clone()).filter(|value| !value.is_missing()).collect();
    if !all.is_empty() {
        results.set(0, Value::List(all));
    }
}
