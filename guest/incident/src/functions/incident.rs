//! Functions of incidents.

use defenderbeat_mapping::{Args, Results, Value};

/// `event.category` and `event.type` from the incident's determination, in any case; neither where it says nothing of a
/// category.
pub(crate) fn categorize<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let determination = args.text(0).unwrap_or_default();
    let (category, kind) = match determination.to_ascii_lowercase().as_str() {
        "malware" | "malicioususeractivity" => ("malware", "info"),
        "phishing" => ("email", "info"),
        "apt" => ("threat", "indicator"),
        _ => return,
    };
    let list = |text: &'static str| Value::List(args.arena().list(&[Value::Text(text)]));
    results.set(0, list(category));
    results.set(1, list(kind));
}

/// The owner's name and address: what has an `@`, not in first place, is an address, and its first part the name; else
/// it is the name.
pub(crate) fn owner<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let Some(owner) = args.text(0) else { return };
    match address(owner) {
        Some((name, _)) => {
            results.set(0, Value::from_text(name));
            results.set(1, Value::from_text(owner));
        }
        None => results.set(0, Value::from_text(owner)),
    }
}

/// The domain of the owner's address.
pub(crate) fn owner_domain<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let owner = args.text(0).unwrap_or_default();
    if let Some((_, domain)) = address(owner) {
        results.set(0, Value::from_text(domain));
    }
}

fn address(owner: &str) -> Option<(&str, &str)> {
    owner.split_once('@').filter(|(name, _)| !name.is_empty())
}
