//! Functions of alerts.

use std::collections::BTreeSet;

use defenderbeat_mapping::{Args, Results, Value};

/// `event.category` and `event.type` from the types of all evidence items, in order, and the alert's determination.
///
/// Categories are a sorted set. Every item that has one adds a type: `access` once registry is in the set, else
/// `info`. A determination that has a category adds `indicator` once threat is in the set, else `info`.
pub(crate) fn categorize<'r>(args: &Args<'_, 'r>, results: &mut Results<'r>) {
    let mut categories = BTreeSet::new();
    let mut types = BTreeSet::new();
    if args.list(0).is_empty() {
        return;
    }
    for kind in args.list(0).iter().filter_map(Value::text) {
        let found = of_evidence(kind.rsplit('.').next().unwrap_or_default());
        categories.extend(found);
        if !found.is_empty() {
            types.insert(if categories.contains("registry") { "access" } else { "info" });
        }
    }
    let determination = args.text(1).unwrap_or_default();
    if let Some(category) = of_determination(determination) {
        categories.insert(category);
        types.insert(if categories.contains("threat") { "indicator" } else { "info" });
    }
    let list = |set: BTreeSet<&'static str>| match set.is_empty() {
        true => Value::Missing,
        false => Value::List(args.arena().list(&set.into_iter().map(Value::Text).collect::<Vec<_>>())),
    };
    results.set(0, list(categories));
    results.set(1, list(types));
}

fn of_evidence(kind: &str) -> &'static [&'static str] {
    match kind {
        "analyzedMessageEvidence" | "mailboxEvidence" | "mailClusterEvidence" => &["email"],
        "deviceEvidence" => &["host"],
        "fileEvidence" => &["file"],
        "ipEvidence" => &["network"],
        "processEvidence" => &["process"],
        "registryValueEvidence" | "registryKeyEvidence" => &["registry"],
        "userEvidence" | "securityGroupEvidence" => &["iam"],
        _ => &[],
    }
}

/// The category of a determination, in any case.
fn of_determination(determination: &str) -> Option<&'static str> {
    match determination.to_ascii_lowercase().as_str() {
        "malware" | "malicioususeractivity" => Some("malware"),
        "phishing" => Some("email"),
        "apt" => Some("threat"),
        _ => None,
    }
}
